"""Servers that are not ours: told by the environment, asked once before anything relies on them."""

from urllib.parse import urlsplit

from onebox.environment import BROKER_VARIABLE, DATABASE_VARIABLE
from onebox.errors import CannotStart

_TIMEOUT_SECONDS = 5


def check_database(url: str) -> str:
    """Return where the database is; refuse what does not answer as one."""
    import psycopg  # noqa: PLC0415 -- a package: not there before the installation

    try:
        with psycopg.connect(url, connect_timeout=_TIMEOUT_SECONDS):
            return _where(url)
    except psycopg.Error as error:
        raise CannotStart(f"{DATABASE_VARIABLE}: {_first_line(error)}") from error


def check_broker(url: str) -> str:
    """Return where the broker is; refuse what does not answer as one."""
    import redis  # noqa: PLC0415 -- a package: not there before the installation

    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_SECONDS) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise CannotStart(f"{BROKER_VARIABLE}: {_first_line(error)}") from error
    return _where(url)


def _where(url: str) -> str:
    """Return host and port alone: the rest may be a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
