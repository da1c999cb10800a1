"""What can go wrong, and the exit code of each.  docs/cli.md has the table."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final


class Exit(IntEnum):
    """What scripts may rely on."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_LOGGED_IN = 3
    UNREACHABLE = 4


class Trouble(Exception):
    """A reason to stop; ``body`` is what the server said, or the same in its form."""

    exit_code: Exit = Exit.REFUSED

    def __init__(self, message: str, *, code: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message: Final = message
        self.code: Final = code
        self.body: Final = {"code": code, "message": message} if body is None else dict(body)


class Refused(Trouble):
    """The server understood, and says no."""


class NotLoggedIn(Trouble):
    """There is no token, or the server does not take it any more."""

    exit_code = Exit.NOT_LOGGED_IN


class Unreachable(Trouble):
    """No answer, or one that is not the API's."""

    exit_code = Exit.UNREACHABLE
