"""The ledger beside a real Prometheus that scrapes the same engines: how far increase() is off."""

import json
import os
import shutil
import signal
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from django.utils import timezone

from onebox import processes
from tokenomics.core import engines
from tokenomics.core.deltas import Known, growth

pytestmark = [pytest.mark.product, pytest.mark.timeout(180)]
SECONDS: Final = 24.0
EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What an engine shows at a moment: its counter, and the age of its process."""

    counter: int
    born_after: float


# What each engine shows so many seconds after the start; None: it is not there.
Engine = Callable[[float], Shown | None]


def steady(at: float) -> Shown:
    return Shown(int(at * 100), 0.0)


def before_the_first_scrape(at: float) -> Shown:
    return Shown(8000, 0.0)


def restart_between_two_scrapes(at: float) -> Shown:
    return Shown(5000, 0.0) if at < 12.3 else Shown(6000, 12.3)


def restart_that_shows(at: float) -> Shown:
    return Shown(5000, 0.0) if at < 12.3 else Shown(40, 12.3)


def burst_at_the_end(at: float) -> Shown:
    return Shown(100 if at < SECONDS else 5100, 0.0)


CASES: Final[Mapping[str, tuple[Engine, int]]] = {
    "8000 tokens before the first scrape": (before_the_first_scrape, 8000),
    "a restart between two scrapes, 5000 to 6000": (restart_between_two_scrapes, 11_000),
    "a restart, 5000 to 40": (restart_that_shows, 5040),
    "5000 tokens after the last scrape": (burst_at_the_end, 5100),
}


@contextmanager
def served(name_of: Mapping[str, Engine], began: float) -> Iterator[int]:
    """Serve every engine at its own path, on a port of this machine alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = name_of[self.path.strip("/")](time.time() - began)
            self.send_response(404 if shown is None else 200)
            self.end_headers()
            if shown is not None:
                self.wfile.write(exposition(shown, began).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def exposition(shown: Shown, began: float) -> str:
    return (
        "# TYPE vllm:generation_tokens_total counter\n"
        f'vllm:generation_tokens_total{{model_name="m"}} {shown.counter}\n'
        f"process_start_time_seconds {began + shown.born_after:.3f}\n"
    )


@contextmanager
def prometheus(folder: Path, port_of_engines: int, names: list[str]) -> Iterator[str]:
    program = shutil.which("prometheus")
    if program is None:
        reason = "no Prometheus on this machine: install the package prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    config = {
        "global": {"scrape_interval": f"{EVERY:g}s"},
        "scrape_configs": [
            {
                "job_name": name,
                "metrics_path": f"/{name}",
                "static_configs": [{"targets": [f"127.0.0.1:{port_of_engines}"]}],
            }
            for name in names
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = processes.free_port()
    log = folder / "prometheus.log"
    arguments = [
        *(program, f"--config.file={folder / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    child = processes.spawn(
        arguments, log=log, env=os.environ, cwd=folder, on_parent_death=signal.SIGKILL
    )
    try:
        assert processes.wait_until(
            lambda: processes.accepts_connections(port), timeout_seconds=60
        ), processes.last_lines(log)
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop_child(child)


def increase(address: str, job: str, *, at: float) -> float | None:
    query = f'increase({{__name__="vllm:generation_tokens_total",job="{job}"}}[{SECONDS:.0f}s])'
    asked = urllib.parse.urlencode({"query": query, "time": f"{at:.3f}"})
    with urllib.request.urlopen(f"{address}/api/v1/query?{asked}") as answer:  # noqa: S310
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


class Ledger:
    """Reads one engine as the reconciler does, and adds up what it would book."""

    def __init__(self, began: float) -> None:
        self._born_since = datetime.fromtimestamp(began, UTC)
        self._known: Known | None = None
        self.tokens = 0

    def read(self, address: str) -> None:
        with urllib.request.urlopen(address) as answer:  # noqa: S310 -- our own server
            (reading,) = engines.read(answer.read().decode())
        step = growth(
            self._known,
            reading,
            read_at=timezone.now(),
            born_since=self._born_since,
        )
        self._known = step.known
        self.tokens += step.figures["generated"] or 0


def test_the_ledger_has_every_token_and_increase_has_not(tmp_path: Path) -> None:
    began = time.time()
    named = {f"case{number}": engine for number, (engine, _) in enumerate(CASES.values())}
    named["steady"] = steady
    ledgers = {name: Ledger(began) for name in named}
    with served(named, began) as port, prometheus(tmp_path, port, list(named)) as address:
        while time.time() < began + SECONDS - 0.6:
            for name, ledger in ledgers.items():
                ledger.read(f"http://127.0.0.1:{port}/{name}")
            time.sleep(EVERY)
        ends = began + SECONDS
        time.sleep(max(0.0, ends + 0.1 - time.time()))
        for name, ledger in ledgers.items():
            ledger.read(f"http://127.0.0.1:{port}/{name}")  # the final reading
        told = {name: increase(address, name, at=ends) for name in named}

    print(f"\n{'case':46} {'true':>7} {'ledger':>7} {'increase()':>11}")  # noqa: T201
    for (case, (_, true)), name in zip(CASES.items(), named, strict=False):
        prom = told[name]
        shown = "nothing" if prom is None else f"{prom:.1f}"
        print(f"{case:46} {true:7} {ledgers[name].tokens:7} {shown:>11}")  # noqa: T201
        assert ledgers[name].tokens == true, case
        assert prom is None or abs(prom - true) > 0.01 * true, case
    # Where nothing happens it is right, but for what it makes up at the edges.
    assert told["steady"] == pytest.approx(SECONDS * 100, rel=0.25)
    assert ledgers["steady"].tokens == pytest.approx(SECONDS * 100, abs=200)
