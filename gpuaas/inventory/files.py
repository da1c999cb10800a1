"""The inventory of one cluster as a YAML file: read strictly, written so that it reads back.  Pure.

docs/design/inventory.md describes the format.  Whatever is wrong is said at once, each problem
with its path and line.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import yaml

from gpuaas.core import errors
from gpuaas.inventory import mig
from gpuaas.inventory.labels import DeviceFacts, NodeFacts

VERSION: Final = 1
LARGEST_BYTES: Final = 2 * 1024 * 1024
DEEPEST: Final = 12
MOST_NODES: Final = 1000
MOST_DEVICES: Final = 256
MOST_PROBLEMS: Final = 50
_MOST: Final = 2**31 - 1
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_RESOURCE: Final = re.compile(r"nvidia\.com/(gpu|mig-[A-Za-z0-9.-]{1,60})")
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f]+")
_NUMBER: Final = re.compile(r"[0-9]+|[0-9]*\.[0-9]{1,4}")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILE_KEYS: Final = ("version", "cluster", "nodes")
_NODE_KEYS: Final = ("name", "cpu_millicores", "memory_mib", "storage_gib")
_NODE_OPTIONS: Final = ("schedulable", "pool", "devices")
_DEVICE_KEYS: Final = ("resource_name", "product")
_DEVICE_OPTIONS: Final = (
    "ordinal",
    "count",
    "memory_mib",
    "compute_share",
    "replicas",
    "gpu_index",
    "uuid",
)


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One mistake: where it is (``nodes[2].devices[0].memory_mib``), its line from 1, and what."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path or 'the file'}: {self.message}"


class FileRefused(errors.DomainError):
    """The file cannot be read as an inventory; ``problems`` has the first fifty reasons."""

    code = "inventory_file_refused"

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """What a file says: the nodes and devices of one cluster."""

    cluster: str
    nodes: tuple[NodeFacts, ...]


def read(content: bytes) -> InventoryFile:
    """Return what ``content`` says.

    Raises:
        FileRefused: it is too large, no YAML, or something in it is wrong.
    """
    reader = _Reader()
    found = reader.file(_compose(content))
    if reader.problems:
        raise FileRefused(reader.problems[:MOST_PROBLEMS])
    return found


def write(file: InventoryFile) -> str:
    """Return ``file`` as YAML that reads back as the same."""
    document = {
        "version": VERSION,
        "cluster": file.cluster,
        "nodes": [_node_document(node) for node in file.nodes],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _node_document(node: NodeFacts) -> dict[str, object]:
    document: dict[str, object] = {key: getattr(node, key) for key in _NODE_KEYS}
    document["schedulable"] = node.is_schedulable
    if node.pool is not None:
        document["pool"] = node.pool
    # Devices that differ in their ordinal alone are one entry with a count.
    places = enumerate(sorted(node.devices, key=_place))
    groups = groupby(
        places,
        key=lambda place: (
            replace(place[1], ordinal=0),
            place[1].ordinal - place[0],
            place[1].uuid,
        ),
    )
    document["devices"] = [_device_document([d for _, d in group]) for _, group in groups]
    return document


def _place(device: DeviceFacts) -> tuple[str, int]:
    return device.resource_name, device.ordinal


def _device_document(alike: list[DeviceFacts]) -> dict[str, object]:
    first = alike[0]
    share = first.compute_share
    document: dict[str, object] = {
        "resource_name": first.resource_name,
        "product": first.product,
        "ordinal": first.ordinal,
        "count": len(alike),
        "memory_mib": first.memory_mib,
        "compute_share": int(share) if share == 1 else float(share),
        "replicas": first.replicas,
    }
    known = {"gpu_index": first.gpu_index, "uuid": first.uuid}
    return document | {key: value for key, value in known.items() if value is not None}


def _compose(content: bytes) -> yaml.Node:
    if len(content) > LARGEST_BYTES:
        raise _refused(f"{len(content)} bytes; at most {LARGEST_BYTES} are read")
    try:
        text = content.decode()
        _check_events(text)
        root: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    except UnicodeDecodeError as error:
        raise _refused("it is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _refused(f"not YAML: {error.problem}", line=mark.line + 1 if mark else 1) from error
    except yaml.YAMLError as error:
        raise _refused(f"not YAML: {error}") from error
    if root is None:
        raise _refused("it is empty")
    return root


def _check_events(text: str) -> None:
    """Refuse what could make a small file a large document, before anything is built from it."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not read: write it out", line=line)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEEPEST:
            raise _refused("nested too deeply", line=line)
        if documents > 1:
            raise _refused("more than one document; a file has one cluster", line=line)


def _refused(message: str, *, line: int = 1) -> FileRefused:
    return FileRefused([FileProblem("", line, message)])


class _Reader:
    """Walks the document and collects what is wrong; a value that is wrong becomes a stand-in."""

    def __init__(self) -> None:
        self.problems: list[FileProblem] = []

    def wrong(self, node: yaml.Node, path: str, message: str) -> None:
        self.problems.append(FileProblem(path, node.start_mark.line + 1, message))

    def file(self, root: yaml.Node) -> InventoryFile:
        given = self.mapping(root, "", _FILE_KEYS)
        version = self.whole(given, "version", "", least=VERSION, most=VERSION, default=VERSION)
        cluster = self.text(given, "cluster", "", pattern=_NAME)
        entries = self.entries(given, "nodes", "", most=MOST_NODES)
        nodes = [self.node(entry, f"nodes[{at}]") for at, entry in enumerate(entries)]
        self.once(entries, "nodes", [node.name for node in nodes], "node")
        uuids = Counter(d.uuid for node in nodes for d in node.devices if d.uuid is not None)
        for uuid in (uuid for uuid, times in uuids.items() if times > 1):
            self.wrong(root, "nodes", f"UUID {uuid} is that of more than one device")
        assert version == VERSION  # noqa: S101 -- there is no other yet
        return InventoryFile(cluster, tuple(nodes))

    def node(self, entry: yaml.Node, path: str) -> NodeFacts:
        given = self.mapping(entry, path, _NODE_KEYS, _NODE_OPTIONS)
        devices: list[DeviceFacts] = []
        entries = self.entries(given, "devices", path, most=MOST_DEVICES)
        for at, each in enumerate(entries):
            devices += self.devices(each, f"{path}.devices[{at}]", before=devices)
        if len(devices) > MOST_DEVICES:
            self.wrong(entry, f"{path}.devices", f"{len(devices)}; at most {MOST_DEVICES}")
        names = Counter((d.resource_name, d.ordinal) for d in devices)
        for (name, ordinal), times in names.items():
            if times > 1:
                self.wrong(entry, f"{path}.devices", f"{name} #{ordinal} is there {times} times")
        self.layout(entry, path, devices)
        return NodeFacts(
            name=self.text(given, "name", path, pattern=_NAME),
            cpu_millicores=self.whole(given, "cpu_millicores", path, least=1),
            memory_mib=self.whole(given, "memory_mib", path, least=1),
            storage_gib=self.whole(given, "storage_gib", path),
            is_schedulable=self.boolean(given, "schedulable", path),
            devices=tuple(sorted(devices, key=_place)),
            pool=self.text(given, "pool", path, longest=40) if "pool" in given else None,
        )

    def devices(
        self, entry: yaml.Node, path: str, *, before: list[DeviceFacts]
    ) -> list[DeviceFacts]:
        given = self.mapping(entry, path, _DEVICE_KEYS, _DEVICE_OPTIONS)
        name = self.text(given, "resource_name", path, pattern=_RESOURCE)
        product = self.text(given, "product", path, longest=120)
        following = max((d.ordinal + 1 for d in before if d.resource_name == name), default=0)
        ordinal = self.whole(given, "ordinal", path, most=MOST_DEVICES - 1, default=following)
        count = self.whole(given, "count", path, least=1, most=MOST_DEVICES, default=1)
        memory = mig.memory_mib_of(product, name)
        if not {"memory_mib", "compute_share"} <= given.keys():
            try:
                mig.profile_of(product, name)
            except mig.UnknownProfile as error:
                self.wrong(entry, f"{path}.resource_name", str(error))
        if memory is None and "memory_mib" not in given:
            self.wrong(entry, f"{path}.memory_mib", f"missing, and {product!r} is not known")
        has_index = "gpu_index" in given
        first = DeviceFacts(
            resource_name=name,
            ordinal=ordinal,
            product=product,
            memory_mib=self.whole(given, "memory_mib", path, least=1, default=memory or 1),
            replicas=self.whole(given, "replicas", path, least=1, most=64, default=1),
            compute_share=self.share(given, path, usual=mig.share_of(product, name)),
            gpu_index=self.whole(given, "gpu_index", path, most=63) if has_index else None,
            uuid=self.text(given, "uuid", path, longest=80) if "uuid" in given else None,
        )
        if first.uuid is not None and count > 1:
            self.wrong(entry, f"{path}.uuid", f"one UUID for {count} devices")
        return [replace(first, ordinal=ordinal + more) for more in range(count)]

    def layout(self, entry: yaml.Node, path: str, devices: list[DeviceFacts]) -> None:
        """Say which physical GPUs cannot be cut that way."""
        for index in sorted({d.gpu_index for d in devices if d.gpu_index is not None}):
            on_it = [device for device in devices if device.gpu_index == index]
            if any(device.resource_name == mig.WHOLE for device in on_it) and len(on_it) > 1:
                self.wrong(entry, f"{path}.devices", f"GPU {index} is whole and something else too")
                continue
            family = mig.family_of(on_it[0].product)
            profiles = [p for d in on_it if family and (p := family.profile(d.resource_name))]
            if family and not family.placeable(profiles):
                names = ", ".join(sorted(profile.name for profile in profiles))
                self.wrong(entry, f"{path}.devices", f"GPU {index} cannot be cut into {names}")

    # --- values ---------------------------------------------------------------------------------

    def mapping(
        self, node: yaml.Node, path: str, needed: Iterable[str], optional: Iterable[str] = ()
    ) -> Mapping[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, path, "names with values are expected here")
            return {}
        known, given = (*needed, *optional), {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            place = f"{path}.{name}".lstrip(".")
            if name not in known:
                self.wrong(key, place, f"unknown; known are {', '.join(known)}")
            elif name in given:
                self.wrong(key, place, "is there twice")
            given[name] = value
        for name in needed:
            if name not in given:
                self.wrong(node, f"{path}.{name}".lstrip("."), "is missing")
        return given

    def entries(
        self, given: Mapping[str, yaml.Node], name: str, path: str, *, most: int
    ) -> list[yaml.Node]:
        node, place = given.get(name), f"{path}.{name}".lstrip(".")
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, place, "a list is expected here")
            return []
        if len(node.value) > most:
            self.wrong(node, place, f"{len(node.value)} entries; at most {most}")
        return list(node.value[:most])

    def once(self, entries: list[yaml.Node], path: str, names: list[str], what: str) -> None:
        for at, name in enumerate(names):
            if name and name in names[:at]:
                self.wrong(entries[at], f"{path}[{at}].name", f"{what} {name} is there twice")

    def text(
        self,
        given: Mapping[str, yaml.Node],
        name: str,
        path: str,
        *,
        pattern: re.Pattern[str] = _TEXT,
        longest: int = 253,
    ) -> str:
        value = self.scalar(given, name, path, "str", "text is expected here: put it in quotes")
        if value is None:
            return ""
        if len(value) > longest:
            self.wrong(given[name], f"{path}.{name}".lstrip("."), f"longer than {longest}")
        elif not pattern.fullmatch(value):
            self.wrong(given[name], f"{path}.{name}".lstrip("."), f"not a valid name: {value!r}")
        return value

    def whole(
        self,
        given: Mapping[str, yaml.Node],
        name: str,
        path: str,
        *,
        least: int = 0,
        most: int = _MOST,
        default: int = 0,
    ) -> int:
        value = self.scalar(given, name, path, "int", "a whole number is expected here")
        if value is None:
            return default
        is_plain = re.fullmatch(r"0|[1-9][0-9]{0,15}", value, re.ASCII)
        if not is_plain or not least <= int(value) <= most:
            place = f"{path}.{name}".lstrip(".")
            self.wrong(given[name], place, f"{value[:40]}: from {least} to {most}, in plain digits")
            return default
        return int(value)

    def share(self, given: Mapping[str, yaml.Node], path: str, *, usual: Decimal) -> Decimal:
        node = given.get("compute_share")
        if node is None:
            return usual
        value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if not _NUMBER.fullmatch(value) or len(value) > 16 or not 0 < Decimal(value) <= 1:  # noqa: PLR2004
            self.wrong(node, f"{path}.compute_share", "more than 0, at most 1, with four places")
            return usual
        return Decimal(value)

    def boolean(self, given: Mapping[str, yaml.Node], name: str, path: str) -> bool:
        value = self.scalar(given, name, path, "bool", "true or false is expected here")
        return value is None or value.lower() in {"true", "yes", "on"}

    def scalar(
        self, given: Mapping[str, yaml.Node], name: str, path: str, kind: str, otherwise: str
    ) -> str | None:
        node = given.get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"tag:yaml.org,2002:{kind}":
            self.wrong(node, f"{path}.{name}".lstrip("."), otherwise)
            return None
        return str(node.value)
