"""What time it is, and in which zone people say it."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo


class NoSuchTime(ValueError):
    """The clocks skip that time, or show it twice."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A moment and a zone; ``zone`` is None for the machine's own, with its summer time."""

    now: datetime
    zone: tzinfo | None = None

    def local(self, instant: datetime) -> datetime:
        """Return ``instant`` as the zone's clocks show it."""
        return instant.astimezone(self.zone)

    def instant(self, shown: datetime) -> datetime:
        """Return when the zone's clocks show ``shown``, which has no zone, in UTC.

        Raises:
            NoSuchTime: never, or twice.
        """
        first, second = (self._read(shown.replace(fold=fold)) for fold in (0, 1))
        if self.local(first).replace(tzinfo=None, fold=0) != shown:
            raise NoSuchTime(f"the clocks skip {shown:%Y-%m-%d %H:%M}: choose another time")
        if first != second:
            raise NoSuchTime(
                f"the clocks show {shown:%Y-%m-%d %H:%M} twice: say which, "
                f"{self.local(first).isoformat(timespec='minutes')} or "
                f"{self.local(second).isoformat(timespec='minutes')}"
            )
        return first

    def _read(self, shown: datetime) -> datetime:
        aware = shown if self.zone is None else shown.replace(tzinfo=self.zone)
        return aware.astimezone(UTC)


def machine(*, in_utc: bool) -> Clock:
    """Return this machine's clock."""
    return Clock(now(), UTC if in_utc else None)


def now() -> datetime:
    """Return the moment, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 -- the one place that asks
