"""A simulated cluster inside a test's own process, on a thread and a port of its own.

sim = simcluster.testing.start(tmp_path)
cluster = client.connect(sim.kubeconfig)
sim.fault(kind="error", code=429, retry_after=7, path="namespaces")
sim.stop()
"""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from simcluster.controllers import Timing, nodes
from simcluster.objects import kinds
from simcluster.server import Options, Server

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
CLOSING_SECONDS: Final = 0.05  # connections that were told to close do so meanwhile
QUICK: Final = Timing(reaction=0.005, counting=0.02, pod_start=0.03, pod_stop=0.03, retry=0.1)

T = TypeVar("T")


class Simulator:
    """A running cluster.  Every method may be called from the test's thread."""

    def __init__(
        self, directory: Path, *, state: Path | None, timing: Timing, plain_http: bool
    ) -> None:
        self.kubeconfig = directory / "simcluster.kubeconfig"
        self._options = Options(
            state=state, kubeconfig=self.kubeconfig, timing=timing, plain_http=plain_http
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="simcluster", daemon=True)
        self._ready = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._server: Server | None = None
        self._failure: BaseException | None = None

    @property
    def server(self) -> Server:
        """Return the server; it lives on the other thread."""
        if self._server is None:
            raise RuntimeError("simcluster is not running") from self._failure
        return self._server

    @property
    def url(self) -> str:
        return self.server.url

    def start(self) -> None:
        """Return once requests are answered."""
        self._thread.start()
        self._ready.wait(START_SECONDS)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop it and wait until it has stopped."""
        if self._stopped is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(STOP_SECONDS)

    def fault(self, **settings: Any) -> None:
        """Put a fault in force: see `simcluster.http.faults`."""
        self.call(lambda: self.server.app.faults.add(**settings))

    def clear_faults(self) -> None:
        """Let everything work again."""
        self.call(self.server.app.faults.clear)

    def requests(self) -> dict[str, int]:
        """Return how often each verb was asked of each resource, such as ``list namespaces``."""
        return self.call(lambda: dict(self.server.app.requests))

    def show(self, pod: str, text: str) -> None:
        """Let a pod show ``text``; it is named ``namespace/name:port/path``."""
        self.call(lambda: self.server.app.shown.__setitem__(pod, text))

    def power(self, node: str, *, is_on: bool) -> None:
        """Take a node's power, or give it back."""
        registry = self.server.cluster.registry
        self.call(lambda: nodes.switch(registry, registry.get(kinds.NODE, "", node), is_on=is_on))

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the server's thread, between two requests."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(START_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 -- told to the thread that waits for us
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = Server(self._options)
        await server.start()
        self._server = server
        self._ready.set()
        await self._stopped.wait()
        await server.stop()
        await asyncio.sleep(CLOSING_SECONDS)


def start(
    directory: Path,
    *,
    state: Path | None = None,
    timing: Timing = QUICK,
    plain_http: bool = False,
) -> Simulator:
    """Start a cluster; its kubeconfig is written into ``directory``."""
    simulator = Simulator(directory, state=state, timing=timing, plain_http=plain_http)
    simulator.start()
    return simulator
