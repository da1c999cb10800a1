"""Bring the components up in order, watch over them, and take them down again."""

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from onebox import certificates, kubeapi
from onebox import controlplane_flags as flags
from onebox.controlplane_processes import Died, Processes
from onebox.errors import CannotStart

PROJECT: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 120
STOP_SECONDS: Final = 2
POLL_SECONDS: Final = 0.2
PORT_ATTEMPTS: Final = 3
POWER_OFF: Final = "power-off-"  # a file of this name and a node's: see `onebox.fakekubelet`

# Made by the service account controller in every namespace.  Nobody uses this one, so we can take
# it away before the controllers start, and see by its return that they work.
PROBED_ACCOUNT: Final = "/api/v1/namespaces/kube-node-lease/serviceaccounts/default"

ExtraFlags = Mapping[str, Sequence[str]]


class NotReady(CannotStart):
    """The control plane did not come up; the message is one line."""


def run(
    directory: Path,
    binaries: Path,
    kubeconfig: Path,
    *,
    extra_flags: ExtraFlags,
    parent: int | None,
) -> None:
    """Run a control plane until SIGTERM, SIGINT or the end of `parent`.

    `kubeconfig` is written when the API answers, the controllers work and the nodes are Ready.
    What the cluster holds stays in `directory` and is there again the next time.
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig.unlink(missing_ok=True)
    with _only_supervisor(directory):
        processes = Processes(directory)
        processes.reap()
        for switch in directory.glob(f"{POWER_OFF}*"):
            switch.unlink()
        try:
            plane = _start(directory, binaries, processes, extra_flags)
            _publish(plane, flags.ADMIN, kubeconfig)
            print(f"ready: {plane.server}, kubeconfig {kubeconfig}", flush=True)
            _watch_over(processes, parent)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            processes.stop(patience_seconds=STOP_SECONDS)


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


@contextlib.contextmanager
def _only_supervisor(directory: Path) -> Iterator[None]:
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotReady(f"another control plane runs on {directory}") from None
        yield


def _start(
    directory: Path, binaries: Path, processes: Processes, extra_flags: ExtraFlags
) -> flags.Layout:
    now = datetime.now(UTC)  # noqa: TID251 -- the outermost caller
    pki = certificates.ensure(directory / "pki", flags.CLIENTS, now=now)
    for attempt in range(1, PORT_ATTEMPTS + 1):
        ports = flags.choose_ports(directory, afresh=attempt > 1)
        plane = flags.Layout(directory, binaries, pki, ports)
        try:
            _start_components(plane, processes, extra_flags, started_at=now)
        except Died as death:
            if "address already in use" not in str(death) or attempt == PORT_ATTEMPTS:
                raise NotReady(str(death)) from death
            processes.stop(patience_seconds=STOP_SECONDS)
        else:
            return plane
    raise AssertionError  # the last attempt returns or raises


def _start_components(
    plane: flags.Layout,
    processes: Processes,
    extra_flags: ExtraFlags,
    *,
    started_at: datetime,
) -> None:
    def start(name: str, command: list[str]) -> None:
        more = extra_flags.get(name, ())
        processes.start(name, [*command, *more], working_directory=PROJECT)

    def wait(what: str, is_so: Callable[[], bool]) -> None:
        _wait(what, is_so, processes)

    for client in flags.CLIENTS:
        _publish(plane, client, plane.kubeconfig(client))
    access = kubeapi.read_kubeconfig(plane.kubeconfig(flags.ADMIN))
    start("etcd", flags.etcd(plane))
    start("kube-apiserver", flags.apiserver(plane))
    wait("the API server is ready", lambda: _answers(access, "/readyz"))
    with contextlib.suppress(kubeapi.ApiError):  # on a new cluster there is none
        kubeapi.request(access, "DELETE", PROBED_ACCOUNT)
    start("kube-controller-manager", flags.controller_manager(plane))
    start("kube-scheduler", flags.scheduler(plane))
    start("fake-kubelet", _fake_kubelet(plane))
    wait("the controllers work", lambda: _answers(access, PROBED_ACCOUNT))
    wait("the nodes are Ready", lambda: _nodes_are_ready(access, since=started_at))


def _fake_kubelet(plane: flags.Layout) -> list[str]:
    kubeconfig = str(plane.kubeconfig(flags.KUBELET))
    switches = str(plane.directory)
    return [
        *(sys.executable, "-m", "onebox.fakekubelet"),
        *("--kubeconfig", kubeconfig, "--switches", switches),
    ]


def _publish(plane: flags.Layout, who: certificates.Identity, path: Path) -> None:
    kubeapi.write_kubeconfig(
        path,
        server=plane.server,
        authority=plane.pki.authority,
        certificate=plane.pki.certificate(who.file),
        key=plane.pki.key(who.file),
    )


def _wait(what: str, is_so: Callable[[], bool], processes: Processes) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        processes.check()
        if time.monotonic() > deadline:
            raise NotReady(f"waited {START_SECONDS} s in vain until {what}")
        time.sleep(POLL_SECONDS)


def _answers(access: kubeapi.Access, path: str) -> bool:
    try:
        kubeapi.request(access, "GET", path)
    except kubeapi.ApiError:
        return False
    return True


def _nodes_are_ready(access: kubeapi.Access, *, since: datetime) -> bool:
    """Whether each node has reported Ready in this run, and the taint it was born with is gone."""
    try:
        nodes = kubeapi.request(access, "GET", "/api/v1/nodes")["items"]
    except kubeapi.ApiError:
        return False
    return bool(nodes) and all(_is_ready(node, since=since) for node in nodes)


def _is_ready(node: kubeapi.Json, *, since: datetime) -> bool:
    if node["spec"].get("taints"):
        return False
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and datetime.fromisoformat(condition["lastHeartbeatTime"]) >= since.replace(microsecond=0)
        for condition in node["status"].get("conditions", ())
    )


def _watch_over(processes: Processes, parent: int | None) -> None:
    while parent is None or os.getppid() == parent:
        try:
            processes.check()
        except Died as death:
            raise NotReady(str(death)) from death
        time.sleep(POLL_SECONDS)
