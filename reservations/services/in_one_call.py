"""Admission in one call of the database: nothing but PostgreSQL's own work is done under the lock.

The function is in migration 0018; docs/design/locking.md says what it does and what it costs.
"""

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from gpuaas.core import locks
from reservations.models import Reservation
from reservations.services.booking import Answer, Booking, Outcome, exclusion_as_busy

_CALL: Final = """
SELECT outcome, reservation_id, on_node FROM reservations_admit_booking(
    %s::uuid, %s::bigint, %s::bigint, %s::bigint, %s::text, %s::integer, %s::text, %s::integer,
    %s::integer, %s::integer, %s::text, %s::timestamptz, %s::timestamptz, %s::timestamptz,
    %s::bigint, %s::text, %s::jsonb, %s::bigint, %s::bigint, %s::integer, %s::jsonb,
    %s::text, %s::text, %s::integer, %s::timestamptz)
"""


def admit(booking: Booking, *, wait_at_most: timedelta) -> Answer:
    """Book it, or say why not.  The statement is a transaction of its own.

    Raises:
        LockBusy: somebody else held the pool's lock for ``wait_at_most``.
    """
    # Within a test's transaction a refusal must not spoil what follows.
    own = transaction.atomic() if connection.in_atomic_block else nullcontext()
    with locks.timeout_as_busy(), exclusion_as_busy(), own, connection.cursor() as cursor:
        cursor.execute(_CALL, _arguments(booking, wait_at_most))
        outcome, pk, node_id = cursor.fetchone()
    if outcome == Outcome.ALREADY:
        return Answer(Outcome.ALREADY, Reservation.objects.get(pk=pk))
    if outcome != Outcome.BOOKED:
        return Answer(Outcome(outcome))
    reservation = booking.on(node_id)
    reservation.pk, reservation._state.adding = pk, False  # noqa: SLF001 -- documented by Django
    return Answer(Outcome.BOOKED, reservation)


def _arguments(booking: Booking, wait_at_most: timedelta) -> list[Any]:
    wish, terms, hold = booking.wish, booking.terms, booking.terms.hold
    return [
        wish.public_id,
        booking.pool.pk,
        booking.team.pk,
        booking.requested_by.pk,
        wish.resource_name,
        wish.units,
        wish.mode.value,
        wish.cpu_millicores,
        wish.memory_mib,
        wish.storage_gib,
        wish.purpose,
        wish.window.starts_at,
        wish.window.ends_at,
        booking.now,
        terms.cost_minor,
        terms.currency,
        json.dumps(terms.overridden),
        terms.approved_by.pk if terms.approved_by else None,
        terms.ledger_version,
        int(wait_at_most.total_seconds() * 1000),
        json.dumps(booking.data),
        booking.state.value,
        hold.pending_on.value if hold else "",
        hold.approver if hold else None,
        hold.until if hold else None,
    ]
