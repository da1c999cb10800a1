"""Keeps a set of processes alive: what dies is started again, and everything ends in order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onebox import processes, state
from onebox.errors import CannotStart
from onebox.processes import Escalation
from onebox.state import write_private

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
# Who has lived that long has recovered: the next death is a new story.
STABLE_AFTER_SECONDS: Final = 60.0
_LEFT_OVER_PATIENCE_SECONDS: Final = 4.0

Process = subprocess.Popen  # a child


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep alive.

    `tier` says when it ends: all of the highest tier are asked together, then the next lower.
    """

    name: str
    start: Callable[[], "Process[bytes]"]
    tier: int
    stopping: Escalation = processes.POLITELY


@dataclass(slots=True)
class _Charge:
    """A program and how it has fared."""

    program: Program
    process: "Process[bytes]"
    started_at: float
    deaths: int = 0
    due_at: float | None = None


class Supervisor:
    """Starts programs, restarts the ones that die, stops them all.

    Every process is written down in `record`, so that the next runner finds what this one, killed,
    could not stop.
    """

    def __init__(self, *, record: Path, say: Callable[[str], None]) -> None:
        self._record = record
        self._say = say
        self._charges: dict[str, _Charge] = {}

    def start(self, program: Program, *, now: float) -> None:
        """Start a program and keep it from now on."""
        self._charges[program.name] = _Charge(program, program.start(), started_at=now)
        self._write_record()

    def ended(self) -> dict[str, int]:
        """Return the exit status of every program that is not running now."""
        statuses = {name: charge.process.poll() for name, charge in self._charges.items()}
        return {name: status for name, status in statuses.items() if status is not None}

    def require_all_alive(self, *, logs: Path) -> None:
        """Refuse to go on when one has ended while the others are still being started."""
        for name, status in self.ended().items():
            log = logs / f"{name}.log"
            raise CannotStart(
                f"{name} ended ({_describe(status)}): {processes.last_lines(log)};"
                f" the rest is in {log}"
            )

    def tend(self, *, now: float) -> None:
        """Look once at every process; start again what died, later each time it dies again."""
        for charge in self._charges.values():
            if charge.due_at is not None:
                if now >= charge.due_at:
                    self._restart(charge, now=now)
            elif (status := charge.process.poll()) is not None:
                self._put_off(charge, reason=f"ended ({_describe(status)})", now=now)

    def stop_all(self) -> None:
        """Stop every program, the highest tier first; never raise, never leave one running."""
        for tier in sorted(
            {charge.program.tier for charge in self._charges.values()}, reverse=True
        ):
            _stop_together(
                [charge for charge in self._charges.values() if charge.program.tier == tier]
            )
        self._charges.clear()
        with contextlib.suppress(OSError):  # a full disk must not keep anything running
            self._record.unlink(missing_ok=True)

    def _put_off(self, charge: _Charge, *, reason: str, now: float) -> None:
        if now - charge.started_at > STABLE_AFTER_SECONDS:
            charge.deaths = 0
        pause = min(FIRST_PAUSE_SECONDS * 2**charge.deaths, LONGEST_PAUSE_SECONDS)
        charge.deaths += 1
        charge.due_at = now + pause
        self._say(f"{charge.program.name} {reason}: starting it again in {pause:.1f} s")

    def _restart(self, charge: _Charge, *, now: float) -> None:
        try:
            charge.process = charge.program.start()
        except (CannotStart, OSError) as error:
            self._put_off(charge, reason=f"did not start ({error})", now=now)
            return
        charge.started_at, charge.due_at = now, None
        self._write_record()

    def _write_record(self) -> None:
        pids = {name: charge.process.pid for name, charge in self._charges.items()}
        write_private(
            self._record,
            state.as_json(
                {name: {"pid": pid, "birth": processes.birth(pid)} for name, pid in pids.items()}
            ),
        )


def stop_left_overs(record: Path) -> list[str]:
    """Stop what a killed runner left behind; return the names of what there was."""
    left = {
        name: entry["pid"]
        for name, entry in state.read_json(record).items()
        if entry["birth"] and processes.birth(entry["pid"]) == entry["birth"]
    }
    births = {pid: processes.birth(pid) for pid in left.values()}

    def living() -> list[int]:
        return [pid for pid, birth in births.items() if processes.birth(pid) == birth]

    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in living():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal_number)
        processes.wait_until(lambda: not living(), timeout_seconds=_LEFT_OVER_PATIENCE_SECONDS)
    record.unlink(missing_ok=True)
    return sorted(left)


def _stop_together(charges: Sequence[_Charge]) -> None:
    # A tier is of one kind: the first one's way of stopping is everyone's.
    for signal_number, patience_seconds in charges[0].program.stopping:
        living = [charge for charge in charges if charge.process.poll() is None]
        for charge in living:
            _send(charge, signal_number)
        deadline = time.monotonic() + patience_seconds
        for charge in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                charge.process.wait(max(0.0, deadline - time.monotonic()))


def _send(charge: _Charge, signal_number: signal.Signals) -> None:
    # Asked politely a process tells its own children; killed, it cannot.
    with contextlib.suppress(ProcessLookupError):
        if signal_number is signal.SIGKILL:
            os.killpg(charge.process.pid, signal_number)
        else:
            charge.process.send_signal(signal_number)


def _describe(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
