"""Who PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import subprocess
from pathlib import Path

from onebox.errors import CannotStart
from onebox.processes import Account

_CANDIDATES = ("postgres", "nobody")


def account_for_postgres() -> Account | None:
    """Return the account to switch to, or None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise CannotStart(
        "PostgreSQL refuses to run as root and this system has neither a `postgres` nor a `nobody`"
        " user: run as an ordinary user"
    )


def can_reach(path: Path, account: Account) -> bool:
    """Tell whether `account` can enter every folder above `path`, by trying."""
    try:
        return (
            subprocess.run(
                ["test", "-e", str(path)],
                cwd="/",
                check=False,
                user=account.uid,
                group=account.gid,
                extra_groups=[],
            ).returncode
            == 0
        )
    except PermissionError:
        raise CannotStart(
            "PostgreSQL refuses to run as root and this container may not switch to"
            f" `{account.name}`: run as an ordinary user"
        ) from None


def folder_for_all(name: str) -> Path:
    """Return a folder only root can make, which every account can enter.

    Used for what lies below a home nobody else may enter.  /var/lib first: /var/tmp is swept by
    age on many systems.
    """
    for parent in (Path("/var/lib"), Path("/var/tmp")):  # noqa: S108 -- ownership checked below
        folder = parent / name
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        if folder.is_symlink() or folder.stat().st_uid != 0:
            continue  # somebody prepared it for us
        folder.chmod(0o755)
        return folder
    raise CannotStart("neither /var/lib nor /var/tmp can be written")
