"""Where one machine's state lies: `.local/`, wiped by `make reset` and by nothing else."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from onebox.errors import CannotStart

ROOT: Final = Path(__file__).resolve().parent.parent
STATE_VARIABLE: Final = "GPUAAS_STATE_DIR"
CLUSTER_NAME: Final = "demo"
_LARGEST_LOG_BYTES: Final = 10_000_000
_GIB: Final = 1024**3
# A first start unpacks the packages and a database; later ones write logs and rows.
FIRST_START_BYTES: Final = int(1.5 * _GIB)
LATER_START_BYTES: Final = int(0.2 * _GIB)


@dataclass(frozen=True, slots=True)
class State:
    """The folder and the names of what is in it."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def valkey(self) -> Path:
        return self.folder / "valkey"

    @property
    def static(self) -> Path:
        return self.folder / "static"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig" / f"{CLUSTER_NAME}.kubeconfig"

    @property
    def router_port(self) -> Path:
        return self.folder / "router-port"

    @property
    def schedule(self) -> Path:
        return self.folder / "celerybeat-schedule"

    @property
    def processes(self) -> Path:
        return self.folder / "processes.json"

    @property
    def prepared(self) -> Path:
        return self.folder / "prepared.json"

    @property
    def environment(self) -> Path:
        return self.folder / "environment.json"

    def log(self, name: str) -> Path:
        """Return the log of one process; one that grew too long becomes the previous one."""
        log = self.logs / f"{name}.log"
        if log.exists() and log.stat().st_size > _LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        return log

    def make_folders(self) -> None:
        for folder in (self.folder, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.parent.mkdir(mode=0o700, exist_ok=True)

    def secret_key(self) -> str:
        """Return Django's key: made once, so that logins outlive a restart."""
        file = self.folder / "secret-key"
        if file.exists() and (key := file.read_text().strip()):
            return key
        key = secrets.token_urlsafe(50)
        write_private(file, key)
        return key

    def signing_key(self) -> Path:
        """Return the file of the key we sign with as an identity provider: made once."""
        file = self.folder / "signing-key.pem"
        if not file.exists():
            from onebox import certificates  # noqa: PLC0415 -- needs more than the standard library

            write_private(file, certificates.signing_key())
        return file

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one runner; the kernel lets go when it dies."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotStart(
                    f"already running at {self.address() or 'an address not known yet'}:"
                    " stop it with Ctrl-C where it runs"
                ) from None
            yield

    def is_locked(self) -> bool:
        """Tell whether a runner holds the folder."""
        if not self.folder.exists():
            return False
        try:
            with self.locked():
                return False
        except CannotStart:
            return True

    def address(self) -> str:
        """Return where the running portal, or the last one, answers."""
        return str(read_json(self.environment).get("GPUAAS_BASE_URL", ""))


def current() -> State:
    """Return the state folder: `.local`, or $GPUAAS_STATE_DIR."""
    return State(Path(os.environ.get(STATE_VARIABLE) or ROOT / ".local").absolute())


def write_private(file: Path, text: str) -> None:
    """Write a file nobody else can read, whole or not at all."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    draft.replace(file)


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in `file`, or an empty one if there is none that can be read."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def require_free_space(folder: Path, *, needed_bytes: int) -> None:
    """Refuse to begin what a full disk would break in the middle."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise CannotStart(
            f"no disk space: {free_bytes / _GIB:.1f} GiB free in {existing},"
            f" {needed_bytes / _GIB:.1f} GiB needed"
        )


def as_json(content: dict[str, Any]) -> str:
    """Return `content` as a person can read it."""
    return json.dumps(content, indent=1, sort_keys=True)
