"""Series: the same wish for many windows, each of them booked or refused by itself."""

import contextlib
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors, locks
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Pool
from reservations import lifecycle, policy, recurrence, selectors
from reservations.capacity import Window
from reservations.models import Reservation, Series, SeriesOccurrence
from reservations.services import admission, moves, rules, waitlist
from reservations.services.refusals import PoolFull, WishRefused
from reservations.services.wishes import Wish

logger = logging.getLogger(__name__)

# Who booked it is still at it; after that its process is taken for dead.
LEFT_ALONE_FOR: Final = timedelta(minutes=1)
FINISHED_AT_ONCE: Final = 20
_LONGEST_MESSAGE: Final = 600


@dataclass(frozen=True, slots=True)
class Ways:
    """What is done where an occurrence cannot be booked at once."""

    ask_approval: bool = False
    waitlist: bool = False


def book_series(  # noqa: PLR0913 -- one name for each thing there is to say
    *,
    pool: Pool,
    team: Team,
    requested_by: User,
    wish: Wish,
    repeat: recurrence.Repeat,
    now: datetime,
    ways: Ways = Ways(),
    booked_by: User | None = None,
) -> Series:
    """Book ``wish`` again and again; every occurrence has its own answer, and its own price.

    The series and all its windows are written first, then each is booked as `admit` does.  What a
    process that died has left undecided is decided by who sends the same wish again, or by
    `finish_series`; each has its number before, so nothing is booked twice.

    Raises:
        NotYourTeam: as `admit`.
        WishRefused: it cannot be repeated like that, or no occurrence could ever be booked.
    """
    locks.refuse_enclosing_transaction()
    admission.check_team(team, requested_by, booked_by, None, now)
    already = Series.objects.filter(public_id=wish.public_id, requested_by=requested_by).first()
    if already is None:
        windows = _windows(pool, wish, repeat, now)
        already = _write(
            Series(
                public_id=wish.public_id,
                pool=pool,
                team=team,
                requested_by=requested_by,
                booked_by=booked_by if booked_by != requested_by else None,
                resource_name=wish.resource_name,
                units=wish.units,
                mode=wish.mode.value,
                cpu_millicores=wish.cpu_millicores,
                memory_mib=wish.memory_mib,
                storage_gib=wish.storage_gib,
                purpose=wish.purpose,
                created_at=now,
                every=repeat.every.value,
                on=sorted(repeat.on),
                time_zone=str(repeat.zone),
                ask_approval=ways.ask_approval,
                waitlist=ways.waitlist,
            ),
            windows,
            now,
        )
    _decide(already, now)
    return already


def finish_series(*, now: datetime) -> int:
    """Decide what somebody's dead process has left undecided; return of how many series."""
    left = Series.objects.filter(
        pk__in=SeriesOccurrence.objects.filter(decided_at=None).values("series"),
        created_at__lte=now - LEFT_ALONE_FOR,
    ).select_related("pool", "team", "requested_by", "booked_by")
    found = list(left.order_by("pk")[:FINISHED_AT_ONCE])
    for each in found:
        try:
            _decide(each, now)
        except Exception:
            logger.exception("series not finished", extra={"series": str(each.public_id)})
    return len(found)


def cancel_series(*, series: Series, actor: User, now: datetime) -> list[Reservation]:
    """Cancel what of ``series`` has not started; return what was canceled.

    What runs goes on, what somebody else changed at that instant stays, and a second call cancels
    what is left.
    """
    with transaction.atomic():
        if Series.objects.filter(pk=series.pk, canceled_at=None).update(canceled_at=now):
            audit.record(
                "series.canceled", subject=series.subject, actor=actor, team=series.team, at=now
            )
        SeriesOccurrence.objects.filter(series=series, decided_at=None).update(
            decided_at=now, code="series_canceled", message="the series was canceled before"
        )
    series.canceled_at = series.canceled_at or now
    canceled = []
    for each in selectors.not_started_of(series):
        try:
            moves.cancel(reservation=each, actor=actor, now=now)
        except errors.DomainError as refused:
            logger.info(
                "occurrence not canceled",
                extra={"reservation": str(each.public_id), "error": str(refused)},
            )
        else:
            canceled.append(each)
    return canceled


def _windows(
    pool: Pool, wish: Wish, repeat: recurrence.Repeat, now: datetime
) -> tuple[recurrence.Occurrence, ...]:
    """Return the windows, or refuse what no occurrence could be booked with."""
    against = (
        *policy.problems_with(window=wish.window, units=wish.units, now=now),
        *rules.problems_with_hardware(pool, wish),
        *policy.problems_with_demand(wish.demand),
    )
    if against:
        raise WishRefused(against)
    try:
        return recurrence.occurrences(wish.window, repeat)
    except recurrence.Nonsense as nonsense:
        raise WishRefused([nonsense.problem]) from nonsense


def _write(series: Series, windows: Iterable[recurrence.Occurrence], now: datetime) -> Series:
    """Write them all, or return what the same wish wrote meanwhile."""
    with transaction.atomic(durable=True):
        # One who sends it twice at once waits here for the other.
        User.objects.select_for_update().get(pk=series.requested_by_id)
        already = Series.objects.filter(
            public_id=series.public_id, requested_by=series.requested_by
        ).first()
        if already is not None:
            return already
        series.save(force_insert=True)
        made = SeriesOccurrence.objects.bulk_create(_row(series, each, now) for each in windows)
        audit.record(
            "series.created",
            subject=series.subject,
            actor=series.booked_by or series.requested_by,
            team=series.team,
            at=now,
            requested_by=series.requested_by_id,
            pool=series.pool.slug,
            resource_name=series.resource_name,
            units=series.units,
            every=series.every,
            occurrences=len(made),
        )
    return series


def _row(series: Series, of: recurrence.Occurrence, now: datetime) -> SeriesOccurrence:
    problem = of.problem
    return SeriesOccurrence(
        series=series,
        number=of.number,
        starts_at=of.window.starts_at,
        ends_at=of.window.ends_at,
        decided_at=now if problem else None,
        code=problem.code if problem else "",
        message=problem.message if problem else "",
    )


def _decide(series: Series, now: datetime) -> None:
    """Book, or refuse, what is undecided; what is busy stays so."""
    for each in series.occurrences.filter(decided_at=None).order_by("number"):
        if not SeriesOccurrence.objects.filter(pk=each.pk, decided_at=None).exists():
            continue
        try:
            booked = _book(series, each, now)
        except locks.LockBusy:
            continue  # the next tick tries again
        except errors.DomainError as refused:
            SeriesOccurrence.objects.filter(pk=each.pk, decided_at=None).update(
                decided_at=now, **_said(refused)
            )
        else:
            # Whatever somebody else was answered meanwhile: the booking is there.
            SeriesOccurrence.objects.filter(pk=each.pk).update(
                reservation=booked,
                decided_at=now,
                code="",
                message="",
                nearest_starts_at=None,
                nearest_ends_at=None,
            )
            _undo_if_canceled(series, booked, now)


def _undo_if_canceled(series: Series, booked: Reservation, now: datetime) -> None:
    """Cancel what was booked while somebody canceled the series: they did not see it."""
    if booked.state not in lifecycle.BEFORE_ITS_START:
        return
    if Series.objects.filter(pk=series.pk, canceled_at__isnull=False).exists():
        with contextlib.suppress(errors.DomainError):  # they did see it
            moves.cancel(reservation=booked, actor=series.requested_by, now=now)


def _book(series: Series, occurrence: SeriesOccurrence, now: datetime) -> Reservation:
    wish = Wish(
        resource_name=series.resource_name,
        units=series.units,
        window=occurrence.window,
        mode=AllocationMode(series.mode),
        cpu_millicores=series.cpu_millicores or 0,
        memory_mib=series.memory_mib or 0,
        storage_gib=series.storage_gib or 0,
        purpose=series.purpose,
        public_id=uuid.uuid5(series.public_id, str(occurrence.number)),
    )
    book = waitlist.book_or_wait if series.waitlist else admission.admit
    return book(
        pool=series.pool,
        team=series.team,
        requested_by=series.requested_by,
        wish=wish,
        now=now,
        ask_approval=series.ask_approval,
        booked_by=series.booked_by,
    )


def _said(refused: errors.DomainError) -> dict[str, Any]:
    """Return why not, and the nearest window that would do, as the row keeps it."""
    code, nearest = refused.code, None
    if isinstance(refused, WishRefused):
        code = refused.problems[0].code
        near = refused.problems[0].nearest if len(refused.problems) == 1 else None
        nearest = near if isinstance(near, Window) else None
    elif isinstance(refused, PoolFull):
        nearest = refused.nearest
    return {
        "code": code,
        "message": str(refused)[:_LONGEST_MESSAGE],
        "nearest_starts_at": nearest and nearest.starts_at,
        "nearest_ends_at": nearest and nearest.ends_at,
    }
