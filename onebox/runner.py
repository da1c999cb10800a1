"""`make run`: starts everything in order, keeps it running, stops it in the reverse order."""

import contextlib
import hashlib
import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

from gpuaas import demo
from onebox import (
    environment,
    external,
    kubeconfig,
    preparation,
    processes,
    programs,
    router,
    state,
)
from onebox.environment import BROKER_VARIABLE, DATABASE_VARIABLE, WORKSPACES_VARIABLE, Addresses
from onebox.errors import CannotStart
from onebox.processes import LOOPBACK
from onebox.programs import CONTROLPLANE, SIMULATED, Product, Servers, cluster
from onebox.state import ROOT, State
from onebox.supervisor import Supervisor, stop_left_overs
from onebox.terminal import Terminal

DATABASE: Final = "gpuaas"
FIRST_PORT: Final = 8000
_PORTS_TO_TRY: Final = 100
_READY_TIMEOUT_SECONDS: Final = 60.0
_CLUSTER_TIMEOUT_SECONDS: Final = 600.0  # the real control plane is built on its first start
_PORT_PATIENCE_SECONDS: Final = 3.0
_TEND_EVERY_SECONDS: Final = 0.2


def run(*, cluster_kind: str, terminal: Terminal) -> None:
    """Start the product and stay until Ctrl-C or SIGTERM; return when everything has stopped."""
    folder = state.current()
    folder.make_folders()
    state.require_free_space(folder.folder, needed_bytes=state.LATER_START_BYTES)
    with folder.locked(), _signals_interrupt():
        supervisor = Supervisor(record=folder.processes, say=lambda line: terminal.say(f"  {line}"))
        try:
            began = time.monotonic()
            _heal(folder, terminal)
            address = _Start(folder, supervisor, terminal).everything(cluster_kind)
            _welcome(terminal, folder, address, seconds=time.monotonic() - began)
            while True:
                supervisor.tend(now=time.monotonic())
                time.sleep(_TEND_EVERY_SECONDS)
        except KeyboardInterrupt:
            terminal.say("\nstopping ...")
        finally:
            _ignore_signals()
            supervisor.stop_all()
    terminal.say("stopped")


def _heal(folder: State, terminal: Terminal) -> None:
    """Clear away what a killed runner left behind, if one was."""
    if not folder.processes.exists():
        return
    if names := stop_left_overs(folder.processes):
        terminal.say(f"  stopped what the last run left behind: {', '.join(names)}")
    # The web workers of a killed master notice within a second, and hold its port until then.
    if port := urlsplit(folder.address()).port:
        processes.wait_until(
            lambda: processes.is_free(port), timeout_seconds=_PORT_PATIENCE_SECONDS
        )


class _Start:
    """One start: the order in which things begin, and what waits for what."""

    def __init__(self, folder: State, supervisor: Supervisor, terminal: Terminal) -> None:
        self._folder = folder
        self._supervisor = supervisor
        self._terminal = terminal
        self._servers = Servers(folder)

    def everything(self, cluster_kind: str) -> str:
        """Start all parts and return the address at which the portal answers."""
        port = choose_port(os.environ.get("PORT", ""))
        # The slowest first: it gets ready while the servers start and the database is prepared.
        self._cluster(cluster_kind)
        broker = self._broker()
        database, identity = self._database()
        portal = f"http://{LOOPBACK}:{port}"
        workspaces = self._router(cluster_kind)
        told = environment.build(self._folder, Addresses(portal, database, broker, workspaces))
        state.write_private(self._folder.environment, state.as_json(told))
        self._prepare(told, identity=identity, cluster_kind=cluster_kind)
        self._product(Product(self._folder, told), port)
        with self._terminal.step("cluster") as step:
            step.detail = cluster_kind
            self._wait("the cluster", self._folder.kubeconfig.exists, _CLUSTER_TIMEOUT_SECONDS)
        return portal

    def _cluster(self, kind: str) -> None:
        # Its presence says that the cluster is ready: the last run's must not.
        self._folder.kubeconfig.unlink(missing_ok=True)
        if kind in {SIMULATED, CONTROLPLANE}:
            self._supervisor.start(cluster(self._folder, kind), now=time.monotonic())
        else:
            kubeconfig.adopt(Path(kind), self._folder.kubeconfig)

    def _router(self, cluster_kind: str) -> str:
        """Return the template of the workspaces' addresses; empty where the cluster is a real one.

        The port is the last run's if that is free: the addresses are in the database.
        """
        if cluster_kind not in {SIMULATED, CONTROLPLANE}:
            return ""
        last = state.read_json(self._folder.router_port).get("port", 0)
        port = last if last and processes.is_free(last) else processes.free_port()
        state.write_private(self._folder.router_port, state.as_json({"port": port}))
        self._supervisor.start(programs.router(self._folder, port), now=time.monotonic())
        return router.address(port)

    def _broker(self) -> str:
        with self._terminal.step("broker") as step:
            if url := os.environ.get(BROKER_VARIABLE):
                step.detail = external.check_broker(url)
                return url
            self._supervisor.start(self._servers.broker_program(), now=time.monotonic())
            broker = self._servers.broker
            assert broker  # noqa: S101 -- started in the line above
            step.detail = f"Valkey, port {broker.port}"
            return broker.url

    def _database(self) -> tuple[str, str]:
        """Return the database's address and what tells it from another one of the same address."""
        with self._terminal.step("database") as step:
            if url := os.environ.get(DATABASE_VARIABLE):
                step.detail = external.check_database(url)
                return url, ""
            self._supervisor.start(self._servers.database_program(), now=time.monotonic())
            server = self._servers.database
            assert server  # noqa: S101 -- started in the line above
            step.detail = f"PostgreSQL, port {server.port}"
            return server.url_for(DATABASE), server.identity

    def _prepare(self, told: dict[str, str], *, identity: str, cluster_kind: str) -> None:
        cluster_key = f"{self._cluster_key(cluster_kind)} {told.get(WORKSPACES_VARIABLE)}"
        wanted = preparation.fingerprint(database=identity, cluster=cluster_key)
        # Whether somebody has emptied a database that is not ours cannot be known: look each time.
        if identity and preparation.is_current(self._folder, wanted):
            return
        if self._servers.database:
            self._servers.database.ensure_database(DATABASE)
        preparation.run(self._folder, told, wanted)

    def _cluster_key(self, kind: str) -> str:
        if kind in {SIMULATED, CONTROLPLANE}:
            return kind
        return hashlib.sha256(self._folder.kubeconfig.read_bytes()).hexdigest()

    def _product(self, product: Product, port: int) -> None:
        programs = (
            product.web(port),
            product.worker("reconciler", concurrency=1),
            product.worker("default", concurrency=2),
            product.beat(),
        )
        with self._terminal.step("portal") as step:
            step.detail = f"port {port}; two workers and beat beside it"
            for program in programs:
                self._supervisor.start(program, now=time.monotonic())
            self._wait("the portal", lambda: answers(port), _READY_TIMEOUT_SECONDS)

    def _wait(self, what: str, ready: Callable[[], bool], timeout_seconds: float) -> None:
        def ready_or_broken() -> bool:
            self._supervisor.require_all_alive(logs=self._folder.logs)
            return ready()

        if not processes.wait_until(ready_or_broken, timeout_seconds=timeout_seconds):
            raise CannotStart(
                f"{what} does not answer after {timeout_seconds:.0f} s:"
                f" the logs are in {self._folder.logs}"
            )


def choose_port(wanted: str) -> int:
    """Return $PORT, which must be free, or the first free port from 8000 on."""
    if wanted:
        if not wanted.isdigit() or not 0 < int(wanted) < 2**16:
            raise CannotStart(f"PORT={wanted} is not a port number")
        if not processes.is_free(int(wanted)):
            raise CannotStart(f"port {wanted} is in use: choose another one with PORT=...")
        return int(wanted)
    for port in range(FIRST_PORT, FIRST_PORT + _PORTS_TO_TRY):
        if processes.is_free(port):
            return port
    raise CannotStart(
        f"ports {FIRST_PORT} to {FIRST_PORT + _PORTS_TO_TRY - 1} are in use:"
        " choose another one with PORT=..."
    )


def answers(port: int) -> bool:
    """Tell whether the portal serves pages: anything but an error of its own."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(terminal: Terminal, folder: State, address: str, *, seconds: float) -> None:
    terminal.say()
    terminal.heading(f"  {address}   ready after {seconds:.1f} s")
    terminal.say()
    terminal.table(
        ("user", "password", "role", "try"),
        [(login.username, login.password, login.role, login.what) for login in demo.LOGINS],
    )
    terminal.say()
    logs = folder.logs.relative_to(ROOT) if folder.logs.is_relative_to(ROOT) else folder.logs
    terminal.say(f"  logs: {logs}   stop: Ctrl-C   start over: make reset")


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let every request to end do what Ctrl-C does, unless we were started to ignore it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM]
    numbers += [n for n in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """From here on nothing interrupts the stopping: it is bounded in time."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
