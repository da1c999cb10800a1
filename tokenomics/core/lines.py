"""One line of a month's cost: what it is for, who pays, and how much by category.

Hours are kept as whole numbers, so that they add up exactly: ``device_ms`` is milliseconds of a
device, ``gpu_ns`` the same by its weight, in nanoseconds of a whole physical GPU.  A line has all
categories at once; so hours, too, can be added over any lines.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

MS_PER_HOUR: Final = 3_600_000
NS_PER_HOUR: Final = 3_600_000_000_000
WEIGHT_PARTS: Final = 1_000_000
"""A whole GPU weighs so much: milliseconds times weight are nanoseconds of a whole GPU."""


class LineKind(enum.StrEnum):
    """What a line is for."""

    BOOKED_USED = "booked_used"
    """Booked, and the device worked; also where nothing tells whether it did."""
    BOOKED_UNUSED = "booked_unused"
    """Booked, and the device did not work."""
    FAILED = "failed"
    """Booked, and the platform failed it: the platform pays."""
    IDLE = "idle"
    """In service, and nobody had booked it."""
    STRANDED = "stranded"
    """What a GPU's layout leaves that nobody can book."""
    OUTAGE = "outage"
    """Not in service: closed, draining or broken."""
    VARIANCE = "variance"
    """With standard rates: what they did not bring in, or brought in too much."""
    ADJUSTMENT = "adjustment"
    """Entered and approved by people."""
    CORRECTION = "correction"
    """As an adjustment, of a month that is closed."""


ENTERED: Final = frozenset({LineKind.ADJUSTMENT, LineKind.CORRECTION})
"""Kinds that people enter; all others are calculated."""

OF_BOOKINGS: Final = frozenset({LineKind.BOOKED_USED, LineKind.BOOKED_UNUSED, LineKind.FAILED})
HAVE_HOURS: Final = OF_BOOKINGS | {LineKind.IDLE, LineKind.STRANDED, LineKind.OUTAGE}


class Category(enum.StrEnum):
    """The categories that are always there; others have the names that finance gives them."""

    CAPITAL = "capital"
    MAINTENANCE = "maintenance"
    POWER = "power"
    COOLING = "cooling"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line, numbered from 1 in its month.  Amounts are whole minor units of ``currency``.

    ``amounts`` has each category's, ``amount_minor`` is their sum.  People, teams, pools, nodes and
    devices are named, not numbered: a line says the same after one of them was renamed.
    ``reservation`` is the public id.  ``is_measured`` tells whether activity was measured; None
    where there is none to measure.  ``corrects`` is the first of a closed month.
    """

    number: int
    period: date
    currency: str
    kind: LineKind
    amounts: Mapping[str, int]
    amount_minor: int
    cost_centre: str = ""
    team: str = ""
    user: str = ""
    purpose: str = ""
    pool: str = ""
    node: str = ""
    device: str = ""
    resource_name: str = ""
    reservation: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    device_ms: int = 0
    gpu_ns: int = 0
    is_measured: bool | None = None
    corrects: date | None = None
    reason: str = ""
    approved_by: str = ""

    @property
    def hours(self) -> Decimal:
        """Hours of devices, whatever their size."""
        return Decimal(self.device_ms) / MS_PER_HOUR

    @property
    def gpu_hours(self) -> Decimal:
        """Hours of whole physical GPUs."""
        return Decimal(self.gpu_ns) / NS_PER_HOUR


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return JSON that is the same, byte for byte, for the same values."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
    ).encode()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
