"""When to look besides the tick: as windows open, so that nobody waits for the next tick."""

from datetime import UTC, datetime, timedelta
from typing import Final

from reservations import selectors

# Windows that open within so long of each other are opened by one pass, at the end of it.
TOGETHER: Final = timedelta(seconds=5)


def due_between(after: datetime, until: datetime) -> list[datetime]:
    """Return the moments beyond ``after`` and before ``until`` at which a pass should begin.

    However many windows open, there are no more of them than `TOGETHER` fits in between.
    """
    opening = selectors.starts_between(after, until)
    return sorted(each for each in {_rounded_up(at) for at in opening} if after < each < until)


def _rounded_up(moment: datetime) -> datetime:
    seconds = TOGETHER.total_seconds()
    return datetime.fromtimestamp(-(-moment.timestamp() // seconds) * seconds, UTC)
