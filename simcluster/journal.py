"""State in one file: a journal of writes, replayed at the start and compacted when it has grown.

A write reaches the operating system before it is answered, so nothing that was acknowledged is
lost when the process is killed.  (When the machine loses power, the last moments may be.)
A line torn by a kill is the last one and is ignored.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from simcluster.objects import Object, kinds, name_of, namespace_of
from simcluster.objects.kinds import Kind
from simcluster.store import Change, Store

FORMAT: Final = "simcluster/1"
COMPACT_FROM_LINES: Final = 2_000
COMPACT_AT_RATIO: Final = 4


class NotAJournal(ValueError):
    """The file holds something else; it is left as it is."""


@dataclass(slots=True)
class State:
    """What a journal remembers: secrets of the server, and the objects with their version."""

    secrets: dict[str, str] = field(default_factory=dict)
    version: int = 0
    objects: dict[tuple[Kind, str, str], Object] = field(default_factory=dict)


class Journal:
    """The open file; ``record`` is a listener of the store."""

    def __init__(self, path: Path, secrets: dict[str, str], store: Store) -> None:
        self._path = path
        self._secrets = secrets
        self._store = store
        self._lines = 0
        self._file = self._compacted()

    def record(self, change: Change) -> None:
        """Append one change; it is in the hands of the operating system when this returns."""
        self._write(self._file, _line_of(change))
        self._lines += 1
        live = sum(len(self._store.every(kind)) for kind in kinds.KINDS) if self._is_due() else 0
        if live and self._lines > COMPACT_AT_RATIO * live:
            self._file.close()
            self._file = self._compacted()

    def close(self) -> None:
        """Write what is left, also through the operating system's own cache."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _is_due(self) -> bool:
        return self._lines >= COMPACT_FROM_LINES and self._lines % COMPACT_FROM_LINES == 0

    def _compacted(self) -> IO[str]:
        """Replace the file by one with a line per object; the old one stays until that is whole."""
        fresh = self._path.with_name(self._path.name + ".new")
        file = fresh.open("w", encoding="utf-8")
        fresh.chmod(0o600)
        self._write(file, {"format": FORMAT, "secrets": self._secrets})
        for kind in kinds.KINDS:
            for obj in self._store.every(kind):
                self._write(file, _line_of(Change(self._store.version, kind, None, obj)))
        os.fsync(file.fileno())
        fresh.replace(self._path)
        self._lines = 0
        return file

    @staticmethod
    def _write(file: IO[str], line: dict[str, Any]) -> None:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
        file.flush()


def load(path: Path) -> State:
    """Return what the file remembers; a missing or empty one remembers nothing."""
    state = State()
    if not path.exists() or not path.stat().st_size:
        return state
    with path.open(encoding="utf-8") as file:
        header = _parsed(file.readline())
        if header.get("format") != FORMAT:
            raise NotAJournal(f"{path} is not a state file of simcluster")
        state.secrets = header["secrets"]
        for line in file:
            _replay(_parsed(line), state)
    return state


def _replay(line: dict[str, Any], state: State) -> None:
    kind = kinds.by_resource(line.get("group", ""), line.get("plural", ""))
    if kind is None:  # torn, or of a kind this version does not serve
        return
    state.version = max(state.version, line["version"])
    place = (kind, line["namespace"], line["name"])
    if line["object"] is None:
        state.objects.pop(place, None)
    else:
        state.objects[place] = line["object"]


def _line_of(change: Change) -> dict[str, Any]:
    return {
        "version": change.version,
        "group": change.kind.group,
        "plural": change.kind.plural,
        "namespace": namespace_of(change.last),
        "name": name_of(change.last),
        "object": change.new,
    }


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
