"""What `manage.py doctor` looks at: each part is asked, and each finding says what to do.

An examination changes nothing, and one that fails is a finding itself: the others go on.
"""

import enum
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

logger = logging.getLogger(__name__)


class Level(enum.StrEnum):
    """How bad a finding is."""

    WELL = "well"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one part, and what to do about it: empty where nothing is."""

    part: str
    level: Level
    found: str
    advice: str = ""


Examination = Callable[[datetime], Iterable[Finding]]


def well(part: str, found: str) -> Finding:
    """Return that ``part`` is as it should be."""
    return Finding(part, Level.WELL, found)


def warning(part: str, found: str, advice: str) -> Finding:
    """Return that ``part`` works, and what will go wrong with it."""
    return Finding(part, Level.WARNING, found, advice)


def error(part: str, found: str, advice: str) -> Finding:
    """Return that ``part`` does not work."""
    return Finding(part, Level.ERROR, found, advice)


def examine(examinations: Iterable[tuple[str, Examination]], *, now: datetime) -> Iterator[Finding]:
    """Yield what each examination finds, in order; one that breaks is an error of its part."""
    for part, examination in examinations:
        try:
            yield from list(examination(now))
        except Exception as failure:
            logger.debug("an examination failed", extra={"part": part}, exc_info=failure)
            found = f"could not be examined: {failure}"
            yield error(part, found, "Mend this first, then look again.")
