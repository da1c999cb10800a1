"""October 2026 on the reference server: two GPUs, one of them cut into four, and four bookings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import yaml

from gpuaas.accounts.models import OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from reservations import lifecycle
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.unit.costs import sheets
from tokenomics.core.ledger import GpuUsage
from tokenomics.core.lines import StatementLine
from tokenomics.models import CostLine, CostPeriod
from tokenomics.selectors import lines
from tokenomics.services import inputs, periods
from tokenomics.services import usage as metering

MONTH = date(2026, 10, 1)
STARTS, ENDS = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
OVER = datetime(2026, 11, 1, 1, tzinfo=UTC)
SETTLED = datetime(2026, 11, 4, tzinfo=UTC)
LONGEST = timedelta(days=14)
# The pool of the reference month as one category: its shares are published to the cent.
ALL_IN_ONE = {
    "category": "everything",
    "cost_per_month": "1828.28",
    "valid_from": "2026-01-01",
    "source": "example",
}


def finance(name: str = "fin") -> User:
    return make.user(username=name, organisation_role=OrganisationRole.FINANCE)


def enter(by: User, **changes: Any) -> None:
    """Enter the reference sheet, but for what a test changes of it."""
    document = yaml.safe_dump(sheets.plain(**changes))
    inputs.enter_sheet(document=document, reason="for a test", actor=by, now=STARTS)


@dataclass
class October:
    """The month, its pool and people; ``bookings`` by the names of the example, each in pieces."""

    pool: Pool
    by: User
    bookings: dict[str, list[Reservation]] = field(default_factory=dict)

    def book(
        self,
        name: str,
        *,
        team: Team,
        hours: int,
        units: int = 1,
        resource_name: str = make.SLICE,
        state: lifecycle.State = lifecycle.State.ACTIVE,
    ) -> None:
        """Book from the first of the month, in pieces of 14 days at most."""
        made = self.bookings.setdefault(name, [])
        for window in _pieces(hours):
            booked = make.reservation(
                of=self.pool,
                by=team,
                at=window,
                units=units,
                resource_name=resource_name,
                state=lifecycle.State.ACTIVE,
                created_at=STARTS,
            )
            reason = "lost" if state == lifecycle.State.FAILED else ""
            Reservation.objects.filter(pk=booked.pk).update(state=state, state_reason=reason)
            made.append(booked)

    def worked(self, name: str, percent: int) -> None:
        """Let the meter have seen each booking of that name for an hour, active so much of it."""
        metering.record_gpus(
            [
                GpuUsage(
                    source="dcgm",
                    event_id=f"{name}-{each.pk}",
                    cluster_id=self.pool.cluster_id,
                    node=self.pool.nodes.get().name,
                    gpu_uuid="GPU-1",
                    instance=name,
                    reservation_id=each.pk,
                    started_at=each.starts_at,
                    ended_at=each.starts_at + timedelta(seconds=3599),
                    active_ms=3_599_000 * percent // 100,
                    energy_mj=None,
                )
                for each in self.bookings[name]
            ],
            now=each_end(self.bookings[name]),
        )

    def period(self) -> CostPeriod:
        return periods.open_period(month=MONTH, now=OVER)


def lines_of(period: CostPeriod, **narrowed: Any) -> list[StatementLine]:
    """Return the lines of a month as its files have them."""
    chosen = CostLine.objects.filter(**narrowed)
    return [line for piece in lines.in_pieces(period, chosen) for line in piece]


def each_end(bookings: list[Reservation]) -> datetime:
    return max(each.ends_at for each in bookings)


def team(slug: str, cost_centre: str) -> Team:
    made = make.team(slug=slug)
    Team.objects.filter(pk=made.pk).update(cost_centre=cost_centre)
    return made


def october(*, booked: bool = True) -> October:
    """Return the month with the bookings of the example; the sheet is for the test to enter."""
    made = October(make.pool(slug="lab"), finance())
    if booked:
        first, second, third = (team(f"team-{n}", f"CC-{n}00") for n in (1, 2, 3))
        made.book("R1", team=first, hours=744)
        made.book("R2", team=second, hours=200, units=2)
        made.book("R3", team=first, hours=300, resource_name=make.GPU)
        made.book("R4", team=third, hours=100)
    return made


def _pieces(hours: int) -> Iterator[Window]:
    at, end = STARTS, STARTS + timedelta(hours=hours)
    while at < end:
        until = min(at + LONGEST, end)
        yield Window(at, until)
        at = until


def euros(minor: int) -> Decimal:
    return Decimal(minor) / 100
