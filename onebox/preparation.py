"""Decides whether the database and the static files are those of this tree, and makes them so.

The work itself is `python -m onebox.prepare`, one process for all of it: importing Django takes
longer than most of the steps.
"""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from onebox import environment, processes, state
from onebox.errors import CannotStart
from onebox.state import ROOT, State

# Whatever one of these contains may change what is prepared; nothing else can.
_SOURCES: Final = ("gpuaas", "reservations", "sessions", "tokenomics", "reconciler", "onebox")


def fingerprint(*, database: str, cluster: str) -> str:
    """Return what the preparation depends on: the tree, the pins, the database, the cluster."""
    digest = hashlib.sha256(f"{database}\0{cluster}\0".encode())
    for file in (ROOT / "requirements" / "onebox.txt", *_source_files()):
        digest.update(str(file.relative_to(ROOT)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for source in _SOURCES:
        for file in sorted((ROOT / source).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def is_current(folder: State, wanted: str) -> bool:
    """Tell whether the last preparation was for exactly this, and its static files are there."""
    return state.read_json(folder.prepared).get("fingerprint") == wanted and folder.static.is_dir()


def run(folder: State, told: Mapping[str, str], wanted: str) -> None:
    """Prepare, and remember it.  It prints its own steps; interrupted it is simply run again."""
    log = folder.log("prepare")
    folder.prepared.unlink(missing_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "onebox.prepare", str(folder.kubeconfig)],
            stdin=subprocess.DEVNULL,
            stderr=output,
            cwd=ROOT,
            env=environment.for_children(told),
            preexec_fn=processes.dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- one prctl
        )
        try:
            status = child.wait()
        finally:
            processes.stop_child(child)
    if status:
        raise CannotStart(f"{processes.last_lines(log, count=1)}; the rest is in {log}")
    state.write_private(folder.prepared, state.as_json({"fingerprint": wanted}))
