"""`gpuaas.inventory.files`: what reads, what is refused and how, and that it reads back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.inventory import files
from gpuaas.inventory.files import FileRefused, InventoryFile
from gpuaas.inventory.labels import DeviceFacts, NodeFacts
from tests.make import GPU, SLICE

RTX = "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"
DEVICE = f"resource_name: {SLICE}, product: {RTX}"


def text(devices: str = "", *, node: str = "", top: str = "") -> bytes:
    return f"""version: 1
cluster: lab
{top}
nodes:
- name: gpu-1
  cpu_millicores: 1000
  memory_mib: 1024
  storage_gib: 10
  {node}
  devices: [{devices}]
""".encode()


def refused(content: bytes) -> list[str]:
    with pytest.raises(FileRefused) as found:
        files.read(content)
    return [str(problem) for problem in found.value.problems]


def test_what_a_file_leaves_out_comes_from_the_profile() -> None:
    (node,) = files.read(text(f"{{{DEVICE}, count: 2, gpu_index: 0}}")).nodes

    assert node == NodeFacts(
        name="gpu-1",
        cpu_millicores=1000,
        memory_mib=1024,
        storage_gib=10,
        is_schedulable=True,
        devices=tuple(
            DeviceFacts(SLICE, n, RTX, 22_888, 1, Decimal("0.25"), gpu_index=0) for n in (0, 1)
        ),
    )


def test_a_second_entry_of_a_type_goes_on_counting() -> None:
    two = f"{{{DEVICE}, uuid: a}}, {{{DEVICE}, uuid: b}}"

    (node,) = files.read(text(two, node="schedulable: false")).nodes

    assert [(d.ordinal, d.uuid) for d in node.devices] == [(0, "a"), (1, "b")]
    assert not node.is_schedulable


@pytest.mark.parametrize(
    ("devices", "path", "said"),
    [
        ("{product: x}", "resource_name", "is missing"),
        (f"{{{DEVICE}, colour: red}}", "colour", "unknown; known are resource_name"),
        (f"{{{DEVICE}, replicas: 2, replicas: 3}}", "replicas", "is there twice"),
        (f"{{{DEVICE}, memory_mib: -1}}", "memory_mib", "-1: from 1 to"),
        (f"{{{DEVICE}, memory_mib: 010}}", "memory_mib", "in plain digits"),
        (f"{{{DEVICE}, memory_mib: {'9' * 40}}}", "memory_mib", "from 1 to 2147483647"),
        (f"{{{DEVICE}, memory_mib: '5'}}", "memory_mib", "a whole number"),
        (f"{{{DEVICE}, memory_mib: [5]}}", "memory_mib", "a whole number"),
        (f"{{{DEVICE}, count: 0}}", "count", "from 1 to 256"),
        (f"{{{DEVICE}, count: 1000000}}", "count", "from 1 to 256"),
        (f"{{{DEVICE}, compute_share: 1.5}}", "compute_share", "at most 1"),
        (f"{{{DEVICE}, compute_share: 0}}", "compute_share", "more than 0"),
        (f"{{{DEVICE}, compute_share: [1]}}", "compute_share", "more than 0"),
        (f"{{{DEVICE}, uuid: a, count: 2}}", "uuid", "one UUID for 2 devices"),
        (f"{{{DEVICE}, uuid: 5}}", "uuid", "put it in quotes"),
        (f"{{{DEVICE}, uuid: {'u' * 81}}}", "uuid", "longer than 80"),
        (f"{{resource_name: {SLICE}, product: Abacus}}", "memory_mib", "'Abacus' is not known"),
        ("{resource_name: amd.com/gpu, product: x, memory_mib: 1}", "resource_name", "valid name"),
        (
            f"{{resource_name: nvidia.com/mig-1g.25gb, product: {RTX}}}",
            "resource_name",
            "the nearest are 1g.24gb",
        ),
        ("just text", "", "names with values"),
    ],
)
def test_a_mistake_in_a_device_is_told_with_its_path_and_line(
    devices: str, path: str, said: str
) -> None:
    place = f"nodes[0].devices[0].{path}".rstrip(".")

    assert any(
        each.startswith(f"line 10: {place}: ") and said in each for each in refused(text(devices))
    )


@pytest.mark.parametrize(
    ("devices", "said"),
    [
        (f"{{{DEVICE}, ordinal: 0}}, {{{DEVICE}, ordinal: 0}}", "#0 is there 2 times"),
        (f"{{{DEVICE}, count: 200}}, {{{DEVICE}, count: 200}}", "400; at most 256"),
        (f"{{{DEVICE}, count: 5, gpu_index: 0}}", "GPU 0 cannot be cut into 1g.24gb"),
        (
            f"{{{DEVICE}, gpu_index: 0}}, {{resource_name: {GPU}, product: {RTX}, gpu_index: 0}}",
            "GPU 0 is whole and something else too",
        ),
        (f"{{{DEVICE}, uuid: a}}, {{{DEVICE}, uuid: a}}", "UUID a is that of more than one"),
    ],
)
def test_mistakes_between_devices(devices: str, said: str) -> None:
    assert any(said in each for each in refused(text(devices)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: the file: it is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"nodes:\n\t- name: x\n", "line 2: the file: not YAML"),
        (b"a: \x00", "not YAML"),
        (b"{", "not YAML"),
        (b"[]", "names with values"),
        (b"#" * (files.LARGEST_BYTES + 1), "at most 2097152 are read"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: 1\n---\nb: 2\n", "more than one document"),
        (b"a: &x [1]\nb: [*x, *x]\n", "line 1: the file: anchors and aliases"),
        (b"version: 2\ncluster: lab\nnodes: []\n", "line 1: version: 2: from 1 to 1"),
        (b"version: 1\ncluster: no\nnodes: []\n", "line 2: cluster: text is expected"),
        (b"version: 1\ncluster: a b\nnodes: []\n", "not a valid name: 'a b'"),
        (b"version: 1\ncluster: lab\nnodes: 5\n", "line 3: nodes: a list is expected"),
        (b"version: 1\ncluster: lab\n", "nodes: is missing"),
        (b"? [a]\n: 1\n", "unknown; known are version"),
        (text(node="schedulable: maybe"), "true or false"),
        (text(top="owner: me"), "line 3: owner: unknown"),
        (text() + b"- {name: gpu-1}\n", "node gpu-1 is there twice"),
        (
            b"version: 1\ncluster: lab\nnodes: [" + b"{}, " * 1001 + b"]",
            "1001 entries; at most 1000",
        ),
    ],
)
def test_mistakes_in_a_file(content: bytes, said: str) -> None:
    problems = refused(content)

    assert any(said in each for each in problems)
    assert len(problems) <= files.MOST_PROBLEMS


def test_a_profile_newer_than_the_table_says_itself_what_it_is() -> None:
    newer = f"resource_name: nvidia.com/mig-1g.25gb, product: {RTX}"

    (node,) = files.read(text(f"{{{newer}, memory_mib: 5, compute_share: 0.5}}")).nodes

    assert node.devices[0].compute_share == Decimal("0.5")


names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
shares = st.integers(1, 10_000).map(lambda n: Decimal(n) / 10_000)
numbers = st.integers(1, 2**31 - 1)
devices = st.builds(
    DeviceFacts,
    resource_name=st.sampled_from([GPU, SLICE, "nvidia.com/mig-9g.9gb"]),
    ordinal=st.integers(0, 9),
    product=st.sampled_from([RTX, "Abacus: 3000 #1", "no", "'\u00e9\u2028\""]),
    memory_mib=numbers,
    replicas=st.integers(1, 4),
    compute_share=shares,
    gpu_index=st.none(),
    uuid=st.none(),
)
nodes = st.builds(
    NodeFacts,
    name=names,
    cpu_millicores=numbers,
    memory_mib=numbers,
    storage_gib=numbers,
    is_schedulable=st.booleans(),
    devices=st.lists(devices, unique_by=lambda d: (d.resource_name, d.ordinal)).map(
        lambda found: tuple(sorted(found, key=lambda d: (d.resource_name, d.ordinal)))
    ),
    pool=st.none() | names,
)


@given(names, st.lists(nodes, max_size=3, unique_by=lambda node: node.name))
def test_what_is_written_reads_back(cluster: str, found: list[NodeFacts]) -> None:
    file = InventoryFile(cluster, tuple(found))

    assert files.read(files.write(file).encode()) == file


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_refused_and_never_crashes(content: bytes) -> None:
    assert refused(content)
