"""One booking on its way into the database, and what the database answered."""

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import psycopg
from django.db import IntegrityError

from gpuaas.accounts.models import Team, User
from gpuaas.core import locks
from gpuaas.core.money import Money
from gpuaas.inventory.models import Pool
from reservations import lifecycle, policy
from reservations.capacity import Window
from reservations.models import Reservation, default_currency
from reservations.services.wishes import Wish

# Nobody else can have it meanwhile.
APPROVE_WITHIN: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Hold:
    """Held, but not booked: whose word it waits for, and until when.

    ``approver`` is the least who may approve it, where it waits for that.
    """

    pending_on: lifecycle.PendingOn
    until: datetime
    approver: policy.Approver | None = None

    @property
    def data(self) -> dict[str, object]:
        """What the audit trail and the outbox say of it."""
        said: dict[str, object] = {
            "pending_on": self.pending_on.value,
            "held_until": self.until.isoformat(),
        }
        return {**said, "approver": self.approver.name.lower()} if self.approver else said

    @property
    def fields(self) -> dict[str, object]:
        """What the row of the reservation says of it."""
        return {
            "pending_on": self.pending_on.value,
            "held_until": self.until,
            "approver": self.approver,
        }


def hold_until_approved(
    problems: Sequence[policy.Problem], window: Window, *, now: datetime
) -> Hold | None:
    """Return on whom, and for how long, a wish for ``window`` waits; None: nobody can approve it.

    What starts at once nobody can approve in time.
    """
    approvers = [each.overridable_by for each in problems if each.overridable_by is not None]
    if window.starts_at <= now or not approvers or len(approvers) < len(problems):
        return None
    until = min(window.starts_at, now + APPROVE_WITHIN)
    return Hold(lifecycle.PendingOn.APPROVER, until, max(approvers))


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a wish is booked: its price, and who set which rule aside.

    With a ``hold`` it is held and not booked.  ``ledger_version`` is that of the team's ledger when
    its limits were evaluated; None where no limit depends on what else the team books.  With
    ``ledgers_of``, the teams of a cost centre that has a budget, it is the sum of all of theirs.
    """

    cost_minor: int = 0
    currency: str = field(default_factory=default_currency)
    overridden: tuple[str, ...] = ()
    approved_by: User | None = None
    reason: str = ""
    ledger_version: int | None = None
    ledgers_of: tuple[int, ...] = ()
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """Who wants what, where and on which terms."""

    pool: Pool
    team: Team
    requested_by: User
    wish: Wish
    terms: Terms
    now: datetime
    booked_by: User | None = None
    """Who does the booking, where that is somebody else than whose booking it is."""

    @property
    def actor(self) -> User:
        """Who does the booking."""
        return self.booked_by or self.requested_by

    @property
    def state(self) -> lifecycle.State:
        """The state in which it comes to be."""
        return lifecycle.State.PENDING if self.terms.hold else lifecycle.State.APPROVED

    @property
    def event(self) -> str:
        """What the audit trail and the outbox call it."""
        return f"reservation.{self.state.value.lower()}"

    @property
    def data(self) -> dict[str, object]:
        """What the audit trail and the outbox say of it."""
        said: dict[str, object] = {
            "requested_by": self.requested_by.pk,
            "pool": self.pool.slug,
            "resource_name": self.wish.resource_name,
            "units": self.wish.units,
            "starts_at": self.wish.window.starts_at.isoformat(),
            "ends_at": self.wish.window.ends_at.isoformat(),
            "purpose": self.wish.purpose,
            "cost": str(Money(self.terms.cost_minor, self.terms.currency)),
        }
        if self.booked_by is not None:
            said["booked_by"] = self.booked_by.username
        if self.terms.overridden:
            said["overridden"] = list(self.terms.overridden)
            said["override_reason"] = self.terms.reason
        if self.terms.approved_by is not None:
            said["approved_by"] = self.terms.approved_by.username
        if self.terms.hold is not None:
            said |= self.terms.hold.data
        return said

    @property
    def told(self) -> dict[str, object]:
        """What people are told of it: besides, who did it, where that is somebody else."""
        return self.data | ({"actor": self.booked_by.pk} if self.booked_by else {})

    def on(self, node_id: int | None) -> Reservation:
        """Return its row, not saved; with no node it waits in line."""
        wish, terms = self.wish, self.terms
        hold = terms.hold
        return Reservation(
            public_id=wish.public_id,
            pool=self.pool,
            node_id=node_id,
            team=self.team,
            requested_by=self.requested_by,
            resource_name=wish.resource_name,
            units=wish.units,
            mode=wish.mode.value,
            cpu_millicores=wish.cpu_millicores,
            memory_mib=wish.memory_mib,
            storage_gib=wish.storage_gib,
            purpose=wish.purpose,
            starts_at=wish.window.starts_at,
            ends_at=wish.window.ends_at,
            state=(self.state if node_id else lifecycle.State.WAITLISTED).value,
            state_changed_at=self.now,
            created_at=self.now,
            cost_minor=terms.cost_minor,
            currency=terms.currency,
            overridden=list(terms.overridden),
            approved_by=terms.approved_by,
            **(hold.fields if hold and node_id else {}),
        )


class Outcome(enum.StrEnum):
    """What became of it; the values are those of the function in the database."""

    BOOKED = "booked"
    ALREADY = "already"
    FULL = "full"
    FRAGMENTED = "fragmented"
    """There is room, but only if others exchange their devices."""
    LINE = "line"
    """Somebody waits in line for some of the same time: they come first."""
    LEDGER_MOVED = "ledger_moved"
    """Somebody of the team booked since the team's limits were evaluated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome, with the reservation where there is one."""

    outcome: Outcome
    reservation: Reservation | None = None


@contextmanager
def exclusion_as_busy() -> Iterator[None]:
    """Turn the database's own refusal of a double hold into "try again".

    Within one clock it cannot happen.  A device given back a moment after our ``now`` (another
    host's clock, or while we waited for the lock) is free from then on, and not from ``now``.
    """
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.ExclusionViolation):
            raise locks.LockBusy("a device changed hands just now: try again") from error
        raise
