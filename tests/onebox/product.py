"""A whole product of its own for a test: its own state folder, its own port, the tree's code."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis

from onebox import processes
from onebox.state import ROOT, State

START_TIMEOUT_SECONDS = 120
HEALED_TIMEOUT_SECONDS = 30


class Product:
    """One `make run`, without the installation: the tests run in an environment that has it."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder)
        self.port = processes.free_port()
        self.output = folder.with_suffix(".out")
        self._runner: subprocess.Popen[bytes] | None = None

    @property
    def runner(self) -> "subprocess.Popen[bytes]":
        assert self._runner
        return self._runner

    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"}
        }
        return {**inherited, "GPUAAS_STATE_DIR": str(self.state.folder), "PORT": str(self.port)}

    def start(self) -> None:
        with self.output.open("wb") as output:
            self._runner = subprocess.Popen(
                [sys.executable, "-m", "onebox", "run", "--no-setup"],
                cwd=ROOT,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        assert processes.wait_until(
            lambda: "Ctrl-C" in self.printed() or self.runner.poll() is not None,
            timeout_seconds=START_TIMEOUT_SECONDS,
        )
        assert self.runner.poll() is None, self.printed()

    def stop(self) -> float:
        """Ask the runner to end; return how long it took."""
        began = time.monotonic()
        self.runner.send_signal(signal.SIGTERM)
        self.runner.wait(30)
        return time.monotonic() - began

    def kill_runner(self) -> None:
        self.runner.kill()
        self.runner.wait()

    def reset(self) -> "subprocess.CompletedProcess[str]":
        return self.onebox("reset")

    def onebox(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "onebox", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=START_TIMEOUT_SECONDS,
        )

    def printed(self) -> str:
        return self.output.read_text()

    def recorded(self) -> dict[str, dict[str, Any]]:
        content: dict[str, dict[str, Any]] = json.loads(self.state.processes.read_text())
        return content

    def pid(self, name: str) -> int:
        pid: int = self.recorded()[name]["pid"]
        return pid

    def living(self) -> set[str]:
        """Return the names of the recorded processes that are alive."""
        return {
            name
            for name, entry in self.recorded().items()
            if processes.birth(entry["pid"]) == entry["birth"]
        }

    def status(self) -> int:
        """Return the portal's answer to a look at its first page, 0 if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/accounts/login/")
            return connection.getresponse().status
        return 0

    @contextlib.contextmanager
    def database(self) -> "Iterator[psycopg.Connection[Any]]":
        told = json.loads(self.state.environment.read_text())
        with psycopg.connect(told["DATABASE_URL"], autocommit=True) as connection:
            yield connection

    @contextlib.contextmanager
    def broker(self) -> "Iterator[redis.Redis]":
        told = json.loads(self.state.environment.read_text())
        with redis.Redis.from_url(told["CELERY_BROKER_URL"], decode_responses=True) as client:
            yield client

    def write(self, word: str) -> None:
        """Leave a word in the database and one in the broker."""
        with self.database() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS witness (word text)")
            connection.execute("INSERT INTO witness VALUES (%s)", [word])
        with self.broker() as client:
            client.rpush("witness", word)

    def read(self) -> tuple[set[str], set[str]]:
        """Return the words of the database and those of the broker."""
        with self.database() as connection:
            rows = {row[0] for row in connection.execute("SELECT word FROM witness")}
        with self.broker() as client:
            return rows, {str(word) for word in client.lrange("witness", 0, -1)}
