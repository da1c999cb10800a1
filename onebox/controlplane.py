"""A real Kubernetes control plane on this machine, for cluster tests and `make run`.

    python -m onebox.controlplane build
    python -m onebox.controlplane run --dir DIR [--kubeconfig FILE] [--flag COMPONENT=--FLAG=VALUE]

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real ones; nodes and
volumes are played by `onebox.fakekubelet`.  docs/design/controlplane.md tells the whole story.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from onebox import controlplane_build as building
from onebox import controlplane_supervisor as supervisor
from onebox.controlplane_supervisor import NotReady
from onebox.errors import CannotStart

ASSETS_VARIABLE: Final = "KUBEBUILDER_ASSETS"
OLDEST_SUPPORTED: Final = (1, 34)
STOP_SECONDS: Final = 20
POLL_SECONDS: Final = 0.1


class ControlPlane:
    """A running control plane.  `kubeconfig` is good for everything: it is the administrator's."""

    def __init__(self, directory: Path, kubeconfig: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.kubeconfig = kubeconfig
        self.process = process

    def stop(self) -> None:
        """Stop every component.  What the cluster holds stays in the directory."""
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # the kernel takes the components with it
            self.process.wait()

    def lose_power(self, node: str) -> None:
        """Switch a node off: no heartbeat, no pod starts or ends there."""
        self._power_switch(node).touch()

    def restore_power(self, node: str) -> None:
        """Switch it on again: it boots, and its pods restart or have failed."""
        self._power_switch(node).unlink(missing_ok=True)

    def _power_switch(self, node: str) -> Path:
        return self.directory / f"{supervisor.POWER_OFF}{node}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def build() -> Path:
    """Build the binaries if they are not at hand; return the folder they lie in."""
    return find_binaries() or building.build()


def find_binaries() -> Path | None:
    """Return a folder with all four binaries, or None: then `start` would have to build them."""
    assets = os.environ.get(ASSETS_VARIABLE)
    if assets and _assets_unusable_reason(Path(assets)) is None:
        return Path(assets)
    folder = building.binaries_folder()
    return folder if building.is_built(folder) else None


def unavailable_reason() -> str | None:
    """Say in one line why there can be no control plane here.

    None means that the binaries are at hand, or that `start` and `build` can make them.
    """
    try:
        if find_binaries() is not None:
            return None
    except building.BuildFailed as problem:
        return str(problem)
    reason = building.go_unavailable_reason()
    assets = os.environ.get(ASSETS_VARIABLE)
    if reason and assets:
        return f"{reason}, and {_assets_unusable_reason(Path(assets))}"
    return reason


def _assets_unusable_reason(folder: Path) -> str | None:
    missing = [name for name in building.PACKAGES if not os.access(folder / name, os.X_OK)]
    if missing:
        return (
            f"{ASSETS_VARIABLE}={folder} lacks {', '.join(missing)} "
            "(envtest's assets end at etcd and kube-apiserver)"
        )
    said = subprocess.run(
        [folder / "kube-apiserver", "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    version = tuple(int(number) for number in re.findall(r"\d+", said)[:2])
    if version < OLDEST_SUPPORTED:
        wanted = ".".join(map(str, OLDEST_SUPPORTED))
        return (
            f"{ASSETS_VARIABLE}={folder} has {said or 'no version'}, {wanted} is the oldest we use"
        )
    return None


def start(
    directory: Path, *, extra_flags: Mapping[str, Sequence[str]] | None = None
) -> ControlPlane:
    """Start a control plane in `directory` and return when it is ready (some ten seconds).

    Where binaries are missing they are built first, which takes minutes: `find_binaries` says so
    beforehand.  `extra_flags` go by component, ``{"kube-apiserver": ["--feature-gates=X=true"]}``;
    a flag given twice counts as given last.  The control plane ends with `stop`, or with the
    process that started it.
    """
    build()
    directory = directory.resolve()
    kubeconfig = directory / "kubeconfig"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig.unlink(missing_ok=True)
    given = [
        argument
        for component, values in (extra_flags or {}).items()
        for value in values
        for argument in ("--flag", f"{component}={value}")
    ]
    log = directory / "supervisor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "onebox.controlplane", "run"),
                *("--dir", str(directory), "--kubeconfig", str(kubeconfig)),
                *("--parent", str(os.getpid()), *given),
            ],
            cwd=supervisor.PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    plane = ControlPlane(directory, kubeconfig, process)
    try:
        _wait_until_ready(plane, log)
    except BaseException:
        plane.stop()
        raise
    return plane


def _wait_until_ready(plane: ControlPlane, log: Path) -> None:
    # The supervisor has a deadline for every step, so we need none.
    while not plane.kubeconfig.exists():
        if plane.process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise NotReady(lines[-1] if lines else f"the supervisor said nothing, see {log}")
        time.sleep(POLL_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "build":
            print(f"the control plane's binaries are in {build()}")
            return 0
        extra_flags: dict[str, list[str]] = {}
        for component, _, flag in (given.partition("=") for given in options.flag):
            extra_flags.setdefault(component, []).append(flag)
        directory: Path = options.dir.resolve()
        supervisor.run(
            directory,
            build(),
            (options.kubeconfig or directory / "kubeconfig").resolve(),
            extra_flags=extra_flags,
            parent=options.parent,
        )
    except CannotStart as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m onebox.controlplane")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the binaries if they are not at hand")
    run = commands.add_parser("run", help="run a control plane in the foreground")
    run.add_argument("--dir", type=Path, required=True, help="where it keeps its data and logs")
    run.add_argument("--kubeconfig", type=Path, help="written when it is ready")
    run.add_argument(
        "--flag",
        action="append",
        default=[],
        metavar="COMPONENT=--FLAG=VALUE",
        help="one more flag for etcd, kube-apiserver, kube-controller-manager or kube-scheduler",
    )
    run.add_argument("--parent", type=int, help="stop when this process, our parent, is gone")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
