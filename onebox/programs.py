"""The processes of the product: what is run, how it is stopped, and in which order."""

import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onebox import environment, postgres, processes, valkey
from onebox.processes import LOOPBACK, Escalation
from onebox.state import ROOT, State
from onebox.supervisor import Process, Program

SIMULATED: Final = "simulated"
CONTROLPLANE: Final = "controlplane"

# What ends first has the highest number: nobody loses a server that it still needs.
_POSTGRES, _BROKER, _CLUSTER, _WEB, _WORKERS, _BEAT = range(1, 7)
# Ten seconds are enough for all of them, even if one does not listen.
_STOPPING: Final = ((signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0))
# SIGTERM lets a worker finish its task, SIGQUIT drops it: the queue delivers it again.
_WORKER_STOPPING: Final = ((signal.SIGTERM, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))
_CELERY: Final = ("-m", "celery", "--app", "gpuaas")
# What two workers of one machine have to tell each other takes a second at every start.
_WORKER_OPTIONS: Final = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")


@dataclass(frozen=True, slots=True)
class Product:
    """Everything that is needed to start one process of the product."""

    state: State
    told: Mapping[str, str]

    def _program(
        self,
        name: str,
        arguments: Sequence[str | Path],
        *,
        tier: int,
        stopping: Escalation = _STOPPING,
    ) -> Program:
        def start() -> "Process[bytes]":
            return processes.spawn(
                [sys.executable, *arguments],
                log=self.state.log(name),
                env=environment.for_children(self.told),
                cwd=ROOT,
                on_parent_death=signal.SIGTERM,
            )

        return Program(name, start, tier, stopping)

    def web(self, port: int) -> Program:
        # Preloaded: Django is imported once, for both workers.
        arguments = (
            *("-m", "gunicorn", "gpuaas.wsgi", "--bind", f"{LOOPBACK}:{port}", "--preload"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
            *("--graceful-timeout", "2", "--no-control-socket"),
        )
        return self._program("web", arguments, tier=_WEB)

    def worker(self, queue: str, *, concurrency: int) -> Program:
        arguments = (
            *(*_CELERY, "worker", "--queues", queue, "--concurrency", str(concurrency)),
            *("--hostname", f"{queue}@%h", *_WORKER_OPTIONS),
        )
        return self._program(f"worker-{queue}", arguments, tier=_WORKERS, stopping=_WORKER_STOPPING)

    def beat(self) -> Program:
        # No pid file: the one a killed beat leaves behind would keep the next from starting.
        schedule = ("--schedule", self.state.schedule, "--pidfile", "", "--loglevel", "INFO")
        return self._program("beat", (*_CELERY, "beat", *schedule), tier=_BEAT)


def cluster(state: State, kind: str) -> Program:
    """Return the cluster that comes with the product, simulated or the real control plane."""
    if kind == CONTROLPLANE:
        command: Sequence[str | Path] = ("onebox.controlplane", "run", "--dir", state.folder / kind)
    else:
        # A port of ours: started again after a crash it must answer where it did before.
        port = str(processes.free_port())
        command = ("simcluster", "--port", port, "--state", state.folder / "simcluster.json")

    def start() -> "Process[bytes]":
        return processes.spawn(
            [sys.executable, "-m", *command, "--kubeconfig", state.kubeconfig],
            log=state.log("cluster"),
            env=environment.for_children({}),
            cwd=ROOT,
            on_parent_death=signal.SIGTERM,
        )

    return Program("cluster", start, _CLUSTER, _STOPPING)


def router(state: State, port: int) -> Program:
    """Return what answers behind the workspaces' links, where the cluster's pods are played."""

    def start() -> "Process[bytes]":
        return processes.spawn(
            [
                *(sys.executable, "-m", "onebox.router"),
                *("--kubeconfig", state.kubeconfig, "--port", str(port)),
            ],
            log=state.log("router"),
            env=environment.for_children({}),
            cwd=ROOT,
            on_parent_death=signal.SIGTERM,
        )

    return Program("router", start, _WEB, _STOPPING)


class Servers:
    """The embedded database and broker; started again they keep their ports: children know them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._database_port: int | None = None
        self._broker_port: int | None = None
        self.database: postgres.Postgres | None = None
        self.broker: valkey.Valkey | None = None

    def database_program(self) -> Program:
        def start() -> "Process[bytes]":
            self.database = postgres.start(self._state.postgres, port=self._database_port)
            self._database_port = self.database.port
            return self.database.process

        return Program("postgres", start, _POSTGRES, postgres.STOPPING)

    def broker_program(self) -> Program:
        def start() -> "Process[bytes]":
            self.broker = valkey.start(self._state.valkey, port=self._broker_port)
            self._broker_port = self.broker.port
            return self.broker.process

        return Program("valkey", start, _BROKER, _STOPPING)
