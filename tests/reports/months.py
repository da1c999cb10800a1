"""A month with lines of every kind and tokens of several models, without a calculation."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Node, Pool
from reservations import lifecycle
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tokenomics.core.ledger import Booking, Usage
from tokenomics.core.lines import NS_PER_HOUR, LineKind
from tokenomics.models import CostLine, CostPeriod, CostPool
from tokenomics.services import sums, usage

MONTH: Final = date(2026, 10, 1)
STARTS: Final = datetime(2026, 10, 1, tzinfo=UTC)
ENDS: Final = datetime(2026, 11, 1, tzinfo=UTC)
_MS_PER_HOUR: Final = 3_600_000


@dataclass
class Month:
    """October: `booked` and `line` put bookings and other lines into it, `tell` tokens."""

    period: CostPeriod = field(
        default_factory=lambda: CostPeriod.objects.create(
            month=MONTH, currency="EUR", time_zone="UTC", starts_at=STARTS, ends_at=ENDS
        )
    )
    pool: Pool = field(default_factory=lambda: make.pool(devices={make.SLICE: 8}))
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def booked(  # noqa: PLR0913 -- a booking has that many sides; each has a default
        self,
        *,
        used: int = 600,
        unused: int = 400,
        hours: int = 10,
        team: Team | None = None,
        user: User | None = None,
        purpose: str = "Evaluation",
        pool: Pool | None = None,
        first_hour: int = 0,
    ) -> Reservation:
        """Return a booking over ``hours``, with a line for what it used and one for what not."""
        team, pool = team or make.team(slug="vision"), pool or self.pool
        since = STARTS + timedelta(hours=first_hour)
        made = make.reservation(
            of=pool,
            by=team,
            requested_by=user,
            at=Window(since, since + timedelta(hours=hours)),
            state=lifecycle.State.COMPLETED,
        )
        Reservation.objects.filter(pk=made.pk).update(purpose=purpose)
        for kind, amount in ((LineKind.BOOKED_USED, used), (LineKind.BOOKED_UNUSED, unused)):
            worked = used * hours // (used + unused)
            self.line(
                kind,
                amount,
                hours=worked if kind is LineKind.BOOKED_USED else hours - worked,
                cost_centre=team.cost_centre,
                team=team,
                user=made.requested_by,
                purpose=purpose,
                pool=pool,
                node=made.node,
                resource_name=made.resource_name,
                reservation=made,
                starts_at=made.starts_at,
                ends_at=made.ends_at,
            )
        return made

    def line(self, kind: LineKind, amount: int, *, hours: int = 0, **more: Any) -> CostLine:
        power = amount // 3
        return CostLine.objects.create(
            period=self.period,
            number=next(self.numbers),
            kind=kind.value,
            currency="EUR",
            amounts={"capital": amount - power, "power": power},
            amount_minor=amount,
            device_ms=hours * _MS_PER_HOUR,
            gpu_ns=hours * NS_PER_HOUR // 4,
            **more,
        )

    def tell(
        self,
        of: Reservation,
        model: str = "qwen",
        *,
        computed: int = 0,
        cached: int = 0,
        generated: int = 0,
        is_reading: bool = True,
    ) -> None:
        """Book tokens of a booking's first hour, as a meter or a gateway would."""
        entry = Usage(
            source="lab",
            event_id=f"event-{next(self.numbers)}",
            booking=Booking(of.pk, of.team_id, of.pool_id, of.starts_at, of.ends_at),
            engine="vllm",
            model=model,
            started_at=of.starts_at,
            ended_at=of.starts_at + timedelta(minutes=30),
            prompt_computed=computed,
            prompt_cached=cached,
            generated=generated,
            requests=1,
            is_reading=is_reading,
        )
        usage.record([entry], now=of.ends_at)

    def summed(self) -> "Month":
        """Add up what reports read, and what there was to pay."""
        sums.refresh(self.period)
        self.period.names = {
            "users": {str(user.pk): user.username for user in User.objects.all()},
            "pools": {str(pool.pk): pool.slug for pool in Pool.objects.all()},
            "nodes": {str(node.pk): node.name for node in Node.objects.all()},
            "teams": {str(team.pk): team.slug for team in Team.objects.all()},
        }
        self.period.save()
        amounts: dict[str, int] = {}
        for line in CostLine.objects.filter(period=self.period):
            for name, amount in line.amounts.items():
                amounts[name] = amounts.get(name, 0) + amount
        for name, amount in amounts.items():
            CostPool.objects.update_or_create(
                period=self.period,
                pool=self.pool,
                category=name,
                defaults={"amount_minor": amount},
            )
        return self


def finance() -> User:
    return make.user(organisation_role=OrganisationRole.FINANCE, username="finn")


def manager(of: Team) -> User:
    return make.user(teams=[of], role=MembershipRole.MANAGER)
