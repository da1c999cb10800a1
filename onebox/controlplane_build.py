"""Build the Kubernetes control plane from its published Go modules, once per machine.

`tests/cluster/go.mod` names the versions.  The binaries land in the user's cache, in a folder whose
name is a digest of everything that shapes them, so a folder that exists is complete and current.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from onebox.errors import CannotStart

MODULE: Final = Path(__file__).resolve().parent.parent / "tests" / "cluster"

PACKAGES: Final[Mapping[str, str]] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}

BUILD_ENVIRONMENT: Final[Mapping[str, str]] = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly",
    "GOTOOLCHAIN": "local",  # a test run must not fetch a compiler
    "GOWORK": "off",
}


class BuildFailed(CannotStart):
    """The control plane could not be built; the message is one line."""


def binaries_folder() -> Path:
    """Where the binaries of this tree's versions lie, whether they are built or not."""
    recipe = hashlib.sha256()
    for part in (
        (MODULE / "go.mod").read_bytes(),
        (MODULE / "go.sum").read_bytes(),
        _ldflags().encode(),
        repr((sorted(PACKAGES.items()), sorted(BUILD_ENVIRONMENT.items()))).encode(),
        f"{sys.platform}/{platform.machine()}".encode(),
    ):
        recipe.update(hashlib.sha256(part).digest())
    return cache_root() / f"{kubernetes_version()}-{recipe.hexdigest()[:16]}"


def cache_root() -> Path:
    """Return the folder for binaries, made if need be; a private temporary one without a home."""
    for base in _cache_candidates():
        root = base / "gpuaas" / "controlplane"
        with contextlib.suppress(OSError):
            root.mkdir(parents=True, exist_ok=True)
            return root
    # The name can be guessed: programs somebody else may have put there are not to be run.
    fallback = Path(tempfile.gettempdir()) / f"gpuaas-controlplane-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    found = fallback.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise BuildFailed(f"{fallback} belongs to or can be changed by somebody else")
    return fallback


def _cache_candidates() -> Iterator[Path]:
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if configured.startswith("/"):  # the XDG rule: a relative path is to be ignored
        yield Path(configured)
    with contextlib.suppress(RuntimeError):
        yield Path.home() / ".cache"


def kubernetes_version() -> str:
    """Return the version `tests/cluster/go.mod` pins, e.g. ``v1.36.3``."""
    return _required(r"^\s*k8s\.io/kubernetes (v\S+)")


def go_unavailable_reason() -> str | None:
    """Say in one line why this machine cannot build, or return None if it can."""
    wanted = _required(r"^go (\S+)$")
    go = find_go()
    if go is None:
        return f"there is no Go toolchain (go {wanted} or newer) to build the control plane with"
    said = subprocess.run(
        [go, "env", "GOVERSION"],
        env=_go_environment(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if _numbers(said) < _numbers(wanted):
        return f"the control plane needs go {wanted} or newer to build; {go} is {said or 'broken'}"
    return None


def find_go() -> str | None:
    """Return the Go command: from PATH, or where Go's own installer puts it."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def is_built(folder: Path) -> bool:
    """Whether all binaries lie in this folder."""
    return all(os.access(folder / name, os.X_OK) for name in PACKAGES)


def build() -> Path:
    """Build what is missing and return the folder.

    Safe to interrupt and to run twice at once: a binary appears under its name only when it is
    whole, the folder only when all are, and one builder at a time works on it.
    """
    folder = binaries_folder()
    if is_built(folder):
        return folder
    if reason := go_unavailable_reason():
        raise BuildFailed(reason)
    partial = folder.with_name(f"{folder.name}.partial")
    with _only_builder(folder.with_name(f"{folder.name}.lock")):
        if is_built(folder):  # whoever we waited for has built it
            return folder
        partial.mkdir(exist_ok=True)
        for number, name in enumerate(PACKAGES, start=1):
            if not os.access(partial / name, os.X_OK):
                print(f"building {name} ({number} of {len(PACKAGES)}) ...", flush=True)
                _build_one(name, partial)
        partial.rename(folder)
    return folder


def _build_one(name: str, folder: Path) -> None:
    unfinished = folder / f".{name}"
    started = time.monotonic()
    finished = subprocess.run(
        [
            *(find_go() or "go", "build", "-trimpath", "-ldflags", _ldflags()),
            *("-o", str(unfinished), PACKAGES[name]),
        ],
        cwd=MODULE,
        env=_go_environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        last_words = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BuildFailed(f"go could not build {name}: {last_words}")
    unfinished.rename(folder / name)
    print(f"built {name} in {time.monotonic() - started:.0f} s", flush=True)


def _go_environment() -> dict[str, str]:
    environment = {**os.environ, **BUILD_ENVIRONMENT}
    if not Path(environment.get("HOME", "/nonexistent")).is_dir():
        # Go refuses to work without a home unless it is told where to keep its things.
        environment.setdefault("GOPATH", str(cache_root() / "go"))
        environment.setdefault("GOCACHE", str(cache_root() / "go-build"))
    return environment


def _ldflags() -> str:
    """Strip the symbols; stamp the version, which a build from modules would not know."""
    version = kubernetes_version()
    major, minor, *_ = _numbers(version)
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    settings = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamps.items()]
    return " ".join(["-s", "-w", *settings])


def _required(pattern: str) -> str:
    found = re.search(pattern, (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BuildFailed(f"{MODULE / 'go.mod'} has no line like {pattern}")
    return found[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


@contextlib.contextmanager
def _only_builder(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
