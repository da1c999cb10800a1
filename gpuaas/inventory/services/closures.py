"""Planning when nodes and pools cannot be booked, and taking that back."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory import closing
from gpuaas.inventory.models import Closure, ClosureKind, Node, PlannedLayout, Pool
from gpuaas.inventory.services import guards
from gpuaas.inventory.services.refusals import ClosureOver, ClosureRefused, StaleInventory


def plan_closure(
    *,
    target: Pool | Node,
    kind: ClosureKind,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    actor: User,
    now: datetime,
) -> Closure:
    """Close a pool or a node from ``starts_at`` until ``ends_at``, and return the closure.

    Bookings that it meets are not touched: whoever calls this decides about them.

    Raises:
        PlatformAdminsOnly: the actor is not one.
        ClosureRefused: with every reason against.
    """
    guards.check_actor(actor)
    reason = reason.strip()
    problems = closing.problems_with(starts_at=starts_at, ends_at=ends_at, reason=reason, now=now)
    if problems:
        raise ClosureRefused(problems)
    pool = target if isinstance(target, Pool) else None
    node = target if isinstance(target, Node) else None
    with transaction.atomic():
        guards.keep_bookings_out(node.pool_id if node else pool)
        same = Closure.objects.standing().filter(pool=pool, node=node, kind=kind)
        if found := same.overlapping(starts_at, ends_at).first():
            raise ClosureRefused([_overlap(found)])
        closure = Closure.objects.create(
            pool=pool,
            node=node,
            kind=kind,
            starts_at=starts_at,
            ends_at=ends_at,
            reason=reason,
            created_by=actor,
            created_at=now,
        )
        audit.record(
            "closure.planned",
            subject=f"closure:{closure.pk}",
            actor=actor,
            at=now,
            closure=str(closure),
            starts_at=starts_at.isoformat(),
            ends_at=ends_at.isoformat(),
            reason=reason,
        )
    return closure


def cancel_closure(*, closure: Closure, actor: User, now: datetime) -> None:
    """Take a closure back, also one that has begun.

    Raises:
        PlatformAdminsOnly: the actor is not one.
        ClosureOver: it has passed, or was cancelled already.
        ClosureRefused: it belongs to a planned layout, which is what can be cancelled.
        StaleInventory: somebody else cancelled it this very moment.
    """
    guards.check_actor(actor)
    if closure.canceled_at is not None or closure.ends_at <= now:
        word = "over" if closure.canceled_at is None else "cancelled"
        raise ClosureOver(f"{closure} is {word} already")
    if closure.layout is not None:
        raise ClosureRefused([_of_a_layout(closure.layout)])
    with transaction.atomic():
        changed = Closure.objects.filter(pk=closure.pk, canceled_at=None).update(canceled_at=now)
        if not changed:
            raise StaleInventory(f"{closure} was cancelled meanwhile")
        audit.record(
            "closure.canceled",
            subject=f"closure:{closure.pk}",
            actor=actor,
            at=now,
            closure=str(closure),
        )
    closure.refresh_from_db()


def _of_a_layout(layout: PlannedLayout) -> closing.Problem:
    return closing.Problem(
        "closure_of_a_layout", "closure", f"the planned layout needs it: cancel that one, {layout}"
    )


def _overlap(found: Closure) -> closing.Problem:
    return closing.Problem(
        "closure_overlaps",
        "starts_at",
        f"{found} is planned from {found.starts_at:%Y-%m-%d %H:%M} UTC until "
        f"{found.ends_at:%Y-%m-%d %H:%M} UTC: cancel that one, or start when it ends",
    )
