"""An embedded PostgreSQL: one server per folder, on a loopback port, behind a random password.

    server = postgres.start(Path(".local/postgres"))
    server.ensure_database("gpuaas")
    server.url_for("gpuaas")
    server.stop()

The folder keeps `data/`, `password` and `server.log`.  A server left over by a crash is stopped
and started afresh, its data kept.  As root the server runs as `postgres` or `nobody`; where that
account cannot enter the folder, `data` lives outside it and the folder has a link to it.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from onebox import binaries, processes
from onebox.accounts import account_for_postgres, can_reach, folder_for_all
from onebox.errors import CannotStart
from onebox.processes import LOOPBACK, Account

USER = "postgres"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_READY_TIMEOUT_SECONDS = 60  # crash recovery included
# More than one: the port may be taken meanwhile, the backends of a killed postmaster may linger.
_ATTEMPTS = 10
_ATTEMPT_PAUSE_SECONDS = 0.3
_STATUS_LINE = 7  # of postmaster.pid, as pg_ctl reads it

# SIGINT disconnects the clients and writes a checkpoint, SIGQUIT leaves that to crash recovery.
STOPPING: Final = ((signal.SIGINT, 2.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))

_SETTINGS = {
    "max_connections": "100",
    "unix_socket_directories": "",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
}
_FORGETFUL_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where one server's things are, and who runs it."""

    programs: Path
    data: Path
    password_file: Path
    log: Path
    account: Account | None


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    url: str
    process: "subprocess.Popen[bytes]"
    _discard: Path | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def identity(self) -> str:
        """Return what changes when, and only when, the data is made anew."""
        return hashlib.sha256((urlsplit(self.url).password or "").encode()).hexdigest()

    def url_for(self, database: str) -> str:
        """Return the address of one database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def ensure_database(self, name: str) -> "Postgres":
        """Make the database unless it exists; return this server with `url` naming it."""
        import psycopg  # noqa: PLC0415 -- the rest of the module works without any package
        from psycopg import sql  # noqa: PLC0415

        with psycopg.connect(self.url_for("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if not found.fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return replace(self, url=self.url_for(name))

    def stop(self) -> None:
        """Stop the server; a server that was not `durable` leaves nothing behind."""
        processes.stop_child(self.process, escalation=STOPPING)
        if self._discard:
            _remove_data(self._discard)


def start(directory: Path, *, durable: bool = True, port: int | None = None) -> Postgres:
    """Start the server of `directory`, making it on the first call; return when it is ready.

    Not `durable` is for tests: no fsync, killed with its parent, and gone after `stop()`.
    Without a `port` it takes one that is free.
    """
    layout = _layout(directory, durable=durable)
    _initialise(layout)
    _stop_left_over(layout)
    process, port = _launch(layout, durable=durable, port=port)
    password = layout.password_file.read_text()
    return Postgres(
        url=f"postgresql://{USER}:{password}@{LOOPBACK}:{port}/postgres",
        process=process,
        _discard=None if durable else directory / "data",
    )


def forget(directory: Path) -> None:
    """Stop a left-over server of `directory` and remove its data, wherever they are."""
    data = directory / "data"
    if (data / "postmaster.pid").exists():
        _stop_pid(data)
    _remove_data(data)
    shutil.rmtree(directory, ignore_errors=True)


def _remove_data(data: Path) -> None:
    shutil.rmtree(data.resolve(), ignore_errors=True)
    if data.is_symlink():
        data.unlink()


def _layout(directory: Path, *, durable: bool) -> _Layout:
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    account = account_for_postgres()
    programs = binaries.postgres_programs()
    if account:
        programs = binaries.reachable_by(account, programs)
    return _Layout(
        programs=programs,
        data=_data_folder(directory, account, durable=durable),
        password_file=directory / "password",
        log=directory / "server.log",
        account=account,
    )


def _data_folder(directory: Path, account: Account | None, *, durable: bool) -> Path:
    link = directory / "data"
    if link.is_symlink() and link.exists():
        return link.resolve()
    if account is None or can_reach(directory, account):
        data = link
    else:
        if durable:
            name = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
            data = folder_for_all("gpuaas-onebox") / f"data-{name}"
        else:
            data = Path(tempfile.mkdtemp(prefix="gpuaas-postgres-"))
        link.unlink(missing_ok=True)
        link.symlink_to(data)
    data.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(data, account.uid, account.gid)
    return data


def _initialise(layout: _Layout) -> None:
    # The password is written last: data without it is a first start that was interrupted.
    if (layout.data / "PG_VERSION").exists() and layout.password_file.exists():
        return
    for entry in layout.data.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    password = secrets.token_urlsafe(24)
    handover = Path(tempfile.mkdtemp(prefix="gpuaas-postgres-"))  # 0700, ours
    try:
        secret = handover / "password"
        secret.write_text(password)
        if layout.account:
            for path in (handover, secret):
                os.chown(path, layout.account.uid, layout.account.gid)
        _run_initdb(layout, secret)
    finally:
        shutil.rmtree(handover, ignore_errors=True)
    with os.fdopen(os.open(layout.password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(password)


def _run_initdb(layout: _Layout, secret: Path) -> None:
    account = layout.account
    answer = subprocess.run(
        [
            layout.programs / "initdb",
            f"--pgdata={layout.data}",
            f"--username={USER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-sync",
            *_locale_options(layout),
        ],
        env=_ENVIRONMENT,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if answer.returncode:
        detail = " | ".join(answer.stderr.strip().splitlines()[-3:])
        raise CannotStart(f"PostgreSQL could not make its data folder: {detail}")


def _locale_options(layout: _Layout) -> list[str]:
    """Unicode case mapping without the system's locales where the version can."""
    options = ["--no-locale"]
    version = subprocess.run(
        [layout.programs / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    if int(version.split(".")[0]) >= 17:  # noqa: PLR2004 -- the first with this provider
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return options


def _stop_left_over(layout: _Layout) -> None:
    pid_file = layout.data / "postmaster.pid"
    if pid_file.exists():
        _stop_pid(layout.data)
        # Whoever has that pid now is not this server; PostgreSQL itself would refuse to start.
        pid_file.unlink(missing_ok=True)


def _stop_pid(data: Path) -> None:
    lines = _postmaster_lines(data)
    if lines and lines[0].isdigit():
        processes.stop_left_over(int(lines[0]), mentioning=str(data.resolve()), escalation=STOPPING)


def _postmaster_lines(data: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (data / "postmaster.pid").read_text().splitlines()
    return []


def _launch(
    layout: _Layout, *, durable: bool, port: int | None
) -> "tuple[subprocess.Popen[bytes], int]":
    settings = _SETTINGS if durable else _SETTINGS | _FORGETFUL_SETTINGS
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    for _ in range(_ATTEMPTS):
        listen_at = port or processes.free_port()
        process = processes.spawn(
            [
                layout.programs / "postgres",
                *("-D", layout.data, "-h", LOOPBACK, "-p", str(listen_at)),
                *options,
            ],
            log=layout.log,
            env=_ENVIRONMENT,
            cwd=Path("/"),
            on_parent_death=signal.SIGINT if durable else signal.SIGQUIT,
            account=layout.account,
        )
        if _wait_until_ready(layout, process):
            return process, listen_at
        processes.stop_child(process, escalation=((signal.SIGKILL, 1.0),))
        time.sleep(_ATTEMPT_PAUSE_SECONDS)
    raise CannotStart(f"PostgreSQL does not start: {processes.last_lines(layout.log)}")


def _wait_until_ready(layout: _Layout, process: "subprocess.Popen[bytes]") -> bool:
    processes.wait_until(
        lambda: process.poll() is not None or _is_ready(layout, process.pid),
        timeout_seconds=_READY_TIMEOUT_SECONDS,
    )
    return process.poll() is None and _is_ready(layout, process.pid)


def _is_ready(layout: _Layout, pid: int) -> bool:
    lines = _postmaster_lines(layout.data)
    return (
        len(lines) > _STATUS_LINE
        and lines[0] == str(pid)
        and lines[_STATUS_LINE].strip() == "ready"
    )
