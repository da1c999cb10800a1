"""Faults on request: what a test posts to ``/_sim/faults`` happens to the next matching requests.

``path`` is a regular expression searched in the path with its query, ``method`` an HTTP method or
empty for any, ``times`` how often it happens (0: until cleared).  The kinds:

* ``error``: answered with ``code``, ``reason`` and ``message``, and ``retry_after`` if given
* ``slow``: answered ``seconds`` later
* ``crash-before``: the connection ends without an answer, nothing was done
* ``crash-after``: the connection ends without an answer, and it was done
* ``drop``: it was done, and the connection ends in the middle of the answer
* ``garbage``: it was done, and the answer is a page of HTML
"""

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from simcluster import errors
from simcluster.errors import ApiError

KINDS: Final = frozenset({"error", "slow", "crash-before", "crash-after", "drop", "garbage"})
TOO_MANY: Final = 429
REASONS: Final = {
    403: ("Forbidden", "forbidden by a fault"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: (
        "Conflict",
        "the object has been modified; please apply your changes to the latest version",
    ),
    410: ("Expired", "the provided continue parameter is too old"),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: injected"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


@dataclass(slots=True)
class Fault:
    """One fault and how often it is still to happen."""

    kind: str = "error"
    path: str = ""
    method: str = ""
    times: int = 1
    code: int = 500
    reason: str = ""
    message: str = ""
    retry_after: int | None = None
    seconds: float = 1.0

    def error(self) -> ApiError:
        """Return the error of a fault of the kind ``error``."""
        reason, message = REASONS.get(self.code, ("Unknown", "injected"))
        details = {} if self.retry_after is None else {"retryAfterSeconds": self.retry_after}
        return ApiError(self.code, self.reason or reason, self.message or message, details=details)


class Faults:
    """The faults that are in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, **settings: Any) -> None:
        """Put a fault in force, or raise 400 when it is none."""
        known = {field.name for field in fields(Fault)}
        if unknown := settings.keys() - known:
            raise errors.bad_request(f"a fault has no {sorted(unknown)}; it has {sorted(known)}")
        fault = Fault(**settings)
        if fault.kind not in KINDS:
            raise errors.bad_request(
                f"{fault.kind} is no kind of fault; it is one of {sorted(KINDS)}"
            )
        self._faults.append(fault)

    def clear(self) -> None:
        """Let everything work again."""
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults that are still in force."""
        return [asdict(fault) for fault in self._faults]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this request, and count it."""
        for fault in self._faults:
            if fault.method in {"", method} and re.search(fault.path, path):
                if fault.times == 1:
                    self._faults.remove(fault)
                elif fault.times > 1:
                    fault.times -= 1
                return fault
        return None
