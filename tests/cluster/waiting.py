"""Waiting for what a cluster does by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.05

T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """Return what ``look`` returns once that is true; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline, f"it did not happen; last seen: {seen!r}"
        time.sleep(POLL_SECONDS)
    return seen
