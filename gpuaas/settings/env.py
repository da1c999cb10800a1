"""The only reader of the environment: typed, and loud when a value is missing or wrong.

A secret ``NAME`` may also come from the file that ``NAME_FILE`` points to, as mounted
Kubernetes Secrets do.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def env_str(name: str, default: str | None = None) -> str:
    """Return the text of ``name``; without a default it must be set."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set")
    return value


def env_secret(name: str, default: str | None = None) -> str:
    """Return ``name``, or the content of the file that ``NAME_FILE`` points to."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return env_str(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path} cannot be read: {error}") from error


def env_bool(name: str, *, default: bool) -> bool:
    """Return a yes or no; anything that is neither is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no")


def env_int(name: str, default: int) -> int:
    """Return a whole number."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number") from error


def env_list(name: str, default: str = "") -> list[str]:
    """Return the parts of a comma-separated list, without empty ones."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def env_choice(name: str, default: str, choices: Collection[str]) -> str:
    """Return one of ``choices``."""
    value = os.environ.get(name, default)
    if value in choices:
        return value
    raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(sorted(choices))}")


def origin_of(address: str) -> list[str]:
    """Return scheme, host and port of an address as a list of one; of none, none."""
    url = urlsplit(address)
    return [f"{url.scheme}://{url.netloc}"] if url.netloc else []


def env_database(name: str) -> dict[str, Any]:
    """Return Django's database settings from the address in ``name``; see `parse_database_url`."""
    try:
        return parse_database_url(env_secret(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def parse_database_url(address: str) -> dict[str, Any]:
    """Return Django's settings for ``postgresql://user:password@host:port/name?option=value``.

    PostgreSQL only: advisory locks, ranges and exclusion constraints are the core of the product.

    Raises:
        ValueError: it is no such address.  The message never quotes it: it has a password in it.
    """
    url = urlsplit(address)
    if url.scheme not in {"postgresql", "postgres"}:
        msg = f"must start with postgresql://, not with {url.scheme}://"
        raise ValueError(msg)
    database = unquote(url.path.lstrip("/"))
    if not database:
        msg = "names no database"
        raise ValueError(msg)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database,
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": unquote(url.hostname or ""),
        "PORT": str(url.port or ""),
        "OPTIONS": dict(parse_qsl(url.query)),
    }
