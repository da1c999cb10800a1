"""What time asks for, at every tick: what lapsed ends, lines advance, series are finished."""

from datetime import datetime

from reservations.models import Reservation
from reservations.services import series, waitlist


def tend(*, now: datetime) -> list[Reservation]:
    """Do it, and return what is held now for somebody in line.

    Level-triggered: a second call changes nothing, one after an outage misses nothing.
    """
    series.finish_series(now=now)
    return waitlist.tend(now=now)
