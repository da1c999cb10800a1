"""Where the server's address and the token are kept, for their owner's eyes only."""

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from gpuaas_cli.trouble import NotLoggedIn

URL: Final = "GPUAAS_URL"
TOKEN: Final = "GPUAAS_TOKEN"  # noqa: S105 -- the name of a variable
FOLDER: Final = "GPUAAS_CONFIG_DIR"


@dataclass(frozen=True, slots=True)
class Login:
    """Which server, and as whom."""

    url: str
    token: str = field(repr=False)


def file() -> Path:
    """Return where the login is kept."""
    folder = os.environ.get(FOLDER) or click.get_app_dir("gpuaas")
    return Path(folder) / "login.json"


def current() -> Login:
    """Return the login to use: what the environment says counts before what is kept.

    A kept token is never shown to another server than the one it is from.

    Raises:
        NotLoggedIn: there is none.
    """
    kept = _kept()
    url = os.environ.get(URL, "").rstrip("/") or (kept.url if kept else "")
    token = os.environ.get(TOKEN, "")
    if not token and kept is not None and kept.url == url:
        token = kept.token
    if url and token:
        return Login(url, token)
    missing = f"no token for {url}" if url else "not logged in"
    raise NotLoggedIn(
        f"{missing}: run `gpuaas login`, or set {URL} and {TOKEN}", code="not_logged_in"
    )


def keep(login: Login) -> Path:
    """Keep ``login`` in a file that only its owner can read, in place of any before."""
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A file of mkstemp is its owner's alone from the first moment on.
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump({"url": login.url, "token": login.token}, out)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    return path


def forget() -> bool:
    """Remove what is kept; return whether there was anything."""
    path = file()
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _kept() -> Login | None:
    try:
        read = json.loads(file().read_text(encoding="utf-8"))
        return Login(str(read["url"]), str(read["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotLoggedIn(
            f"{file()} cannot be read ({type(error).__name__}): run `gpuaas login`",
            code="not_logged_in",
        ) from error
