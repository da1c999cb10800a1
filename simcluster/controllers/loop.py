"""The loop that runs controllers: each key once at a time, as soon as it is due."""

import asyncio
import heapq
import itertools
import logging

from simcluster.controllers import Controller, Key
from simcluster.store import Change

logger = logging.getLogger(__name__)

RETRY_AFTER_CRASH_SECONDS = 1.0


class Loop:
    """Hands changes to the controllers that are concerned, until it is cancelled."""

    def __init__(self, controllers: list[Controller]) -> None:
        self._controllers = controllers
        self._due: dict[tuple[int, Key], float] = {}
        self._queue: list[tuple[float, int, int, Key]] = []
        self._serial = itertools.count()
        self._wake = asyncio.Event()

    def tell(self, change: Change) -> None:
        """Note what a change concerns; a listener of the store."""
        for index, controller in enumerate(self._controllers):
            for key in controller.concerns(change):
                self._schedule(index, key, controller.delay())

    async def run(self) -> None:
        """Run until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            wait = self._queue[0][0] - clock() if self._queue else None
            if wait is not None and wait <= 0:
                self._next()
                await asyncio.sleep(0)
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    def _next(self) -> None:
        due, _, index, key = heapq.heappop(self._queue)
        if self._due.get((index, key)) != due:
            return  # it has been moved to an earlier moment, and done
        del self._due[index, key]
        try:
            again = self._controllers[index].sync(key)
        except Exception:  # a bug in one controller must not stop the others
            logger.exception("controller crashed", extra={"key": key})
            again = RETRY_AFTER_CRASH_SECONDS
        if again is not None:
            self._schedule(index, key, again)

    def _schedule(self, index: int, key: Key, delay: float) -> None:
        due = asyncio.get_running_loop().time() + delay
        if self._due.get((index, key), due + 1) <= due:
            return
        self._due[index, key] = due
        heapq.heappush(self._queue, (due, next(self._serial), index, key))
        self._wake.set()
