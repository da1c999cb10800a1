"""Series: each occurrence has its own answer, and a process may die in between."""

from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from reservations import recurrence, selectors, services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation, Series, SeriesOccurrence
from reservations.recurrence import Every, Repeat
from reservations.services import admission, series, waitlist
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
THRICE = Repeat(Every.DAY, ZoneInfo("UTC"), count=3)


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2})


def book(pool: Pool, ada: User, team: Team, **more: Any) -> Series:
    usual: dict[str, Any] = {"wish": make.wish(units=2), "repeat": THRICE, "now": make.NOON}
    return services.book_series(
        pool=pool, team=team, requested_by=ada, **{**usual, **more}
    )  # fmt: skip


def codes(of: Series) -> list[str]:
    return [
        each.code or (each.reservation.state if each.reservation else "undecided")
        for each in selectors.occurrences_of(of)
    ]


def test_every_occurrence_is_a_booking_of_its_own(pool: Pool, ada: User, team: Team) -> None:
    booked = book(pool, ada, team)

    found = list(Reservation.objects.order_by("starts_at"))
    assert [each.starts_at for each in found] == [make.at(1) + n * DAY for n in range(3)]
    assert {(each.requested_by, each.team, each.units) for each in found} == {(ada, team, 2)}
    assert codes(booked) == ["APPROVED"] * 3
    assert selectors.series_of(found[1]) == booked
    assert AuditEvent.objects.filter(subject=booked.subject, action="series.created").count() == 1


def test_what_is_full_is_refused_alone_with_the_nearest_yes(
    pool: Pool, ada: User, team: Team
) -> None:
    make.reservation(of=pool, at=make.window(24, 28))

    booked = book(pool, ada, team)

    assert codes(booked) == ["APPROVED", "pool_full", "APPROVED"]
    refused = selectors.occurrences_of(booked)[1]
    assert refused.nearest_starts_at == make.at(28)
    assert "of 2" in refused.message or "free" in refused.message
    counted = selectors.with_counts(Series.objects.all()).get()
    assert (counted.total, counted.booked, counted.refused) == (3, 2, 1)


def test_in_line_where_one_asks_for_it(pool: Pool, ada: User, team: Team) -> None:
    make.reservation(of=pool, at=make.window(24, 28))

    booked = book(pool, ada, team, ways=services.Ways(waitlist=True))

    assert codes(booked) == ["APPROVED", "WAITLISTED", "APPROVED"]


def test_rules_refuse_each_by_its_own_code(pool: Pool, ada: User, team: Team) -> None:
    repeat = Repeat(Every.WEEK, ZoneInfo("UTC"), until=date(2026, 6, 20))

    booked = book(pool, ada, team, repeat=repeat)

    assert codes(booked)[-3:] == ["beyond_the_horizon"] * 3
    assert codes(booked)[:12] == ["APPROVED"] * 12


def test_a_time_that_does_not_exist_is_refused_alone(pool: Pool, ada: User, team: Team) -> None:
    starts_at = make.NOON.replace(day=28, hour=1, minute=30, tzinfo=UTC)  # 2:30 in Berlin
    wish = make.wish(at=Window(starts_at, starts_at + timedelta(hours=1)))

    booked = book(pool, ada, team, wish=wish, repeat=Repeat(Every.DAY, BERLIN, count=3))

    assert codes(booked) == ["APPROVED", "no_such_time", "APPROVED"]


def test_the_same_wish_again_books_nothing_again(pool: Pool, ada: User, team: Team) -> None:
    wish = make.wish()

    one, other = (book(pool, ada, team, wish=wish) for _ in range(2))

    assert one == other
    assert Reservation.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"resource_name": "nvidia.com/none"}, "unknown_type"),
        ({"units": 3}, "too_many_units"),
        ({"at": make.window(-3, -1)}, "window_in_the_past"),
        ({"at": make.window(1, 30)}, "occurrences_overlap"),
        ({"memory_mib": 1}, "too_little"),
    ],
)
def test_what_could_never_be_booked_is_refused_whole(
    pool: Pool, ada: User, team: Team, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(services.WishRefused) as refused:
        book(pool, ada, team, wish=make.wish(**changes))

    assert code in [each.code for each in refused.value.problems]
    assert not Series.objects.exists()


def test_only_for_who_may_book(pool: Pool, ada: User, team: Team) -> None:
    with pytest.raises(services.NotYourTeam):
        book(pool, make.user(), team)
    with pytest.raises(services.NotYourTeam):
        book(pool, ada, team, booked_by=make.user(teams=[team]))
    assert not Series.objects.exists()


def test_a_manager_books_one_for_a_mate(pool: Pool, ada: User, team: Team) -> None:
    mona = make.user(teams=[team], role=MembershipRole.MANAGER)

    booked = book(pool, ada, team, booked_by=mona)

    assert (booked.requested_by, booked.booked_by) == (ada, mona)
    actions = AuditEvent.objects.filter(action="reservation.approved")
    assert {event.actor for event in actions} == {mona}


# --- a process dies, two at once, busy --------------------------------------------------------


class Died(BaseException):
    """A process that is gone runs no handler."""


def test_what_a_dead_process_left_is_finished_by_the_tick(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = admission.admit, iter([True, False])

    def dies(**asked: Any) -> Reservation:
        if not next(left, False):
            raise Died
        return real(**asked)

    with monkeypatch.context() as patched:
        patched.setattr(admission, "admit", dies)
        with pytest.raises(Died):
            book(pool, ada, team)
    assert sorted(codes(Series.objects.get())) == ["APPROVED", "undecided", "undecided"]

    services.tend(now=make.NOON + timedelta(seconds=30))  # it may be alive
    assert codes(Series.objects.get()).count("undecided") == 2
    services.tend(now=make.NOON + timedelta(seconds=60))
    assert codes(Series.objects.get()) == ["APPROVED"] * 3
    assert services.finish_series(now=make.NOON + timedelta(hours=1)) == 0


def test_died_between_booking_and_noting_it_books_it_once(
    pool: Pool, ada: User, team: Team
) -> None:
    booked = book(pool, ada, team)
    SeriesOccurrence.objects.filter(number=2).update(reservation=None, decided_at=None)

    services.finish_series(now=make.NOON + timedelta(minutes=5))

    assert codes(booked) == ["APPROVED"] * 3
    assert Reservation.objects.count() == 3


def test_busy_is_no_refusal(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: Any) -> Reservation:
        raise locks.LockBusy("try again")

    with monkeypatch.context() as patched:
        patched.setattr(admission, "admit", busy)
        booked = book(pool, ada, team)
    assert codes(booked) == ["undecided"] * 3

    services.finish_series(now=make.NOON + timedelta(minutes=1))
    assert codes(booked) == ["APPROVED"] * 3


def test_one_that_cannot_be_finished_holds_up_no_other(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = book(pool, ada, team)
    SeriesOccurrence.objects.update(reservation=None, decided_at=None)

    def breaks(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(series, "_book", breaks)
    assert services.finish_series(now=make.NOON + timedelta(minutes=1)) == 1
    assert codes(booked) == ["undecided"] * 3


def test_a_wish_that_somebody_sends_twice_at_once_is_written_once(
    pool: Pool, ada: User, team: Team
) -> None:
    booked = book(pool, ada, team)
    windows = recurrence.occurrences(make.window(1, 5), THRICE)
    again = Series(public_id=booked.public_id, requested_by=ada)

    assert series._write(again, windows, make.NOON) == booked  # noqa: SLF001 -- the second of two


def test_what_was_refused_while_another_booked_it_is_booked(
    pool: Pool, ada: User, team: Team
) -> None:
    booked = book(pool, ada, team)
    first = selectors.occurrences_of(booked)[0]
    assert first.decided_at
    # The refusal of one that comes late finds it decided.
    assert not SeriesOccurrence.objects.filter(pk=first.pk, decided_at=None).update(code="x")


# --- canceling ----------------------------------------------------------------------------------


def test_canceling_ends_what_has_not_started(pool: Pool, ada: User, team: Team) -> None:
    booked = book(pool, ada, team, wish=make.wish(units=1))
    Reservation.objects.filter(occurrence__number=1).update(state=State.ACTIVE.value)

    canceled = services.cancel_series(series=booked, actor=ada, now=make.at(2))

    assert codes(booked) == ["ACTIVE", "CANCELED", "CANCELED"]
    assert len(canceled) == 2
    assert services.cancel_series(series=booked, actor=ada, now=make.at(3)) == []
    assert AuditEvent.objects.filter(action="series.canceled").count() == 1


def test_what_is_undecided_is_not_booked_after_it_was_canceled(
    pool: Pool, ada: User, team: Team
) -> None:
    booked = book(pool, ada, team)
    SeriesOccurrence.objects.filter(number=3).update(reservation=None, decided_at=None)

    services.cancel_series(series=booked, actor=ada, now=make.NOON)
    services.finish_series(now=make.NOON + DAY)

    assert codes(booked) == ["CANCELED", "CANCELED", "series_canceled"]


def test_one_that_somebody_else_ended_meanwhile_stays_as_it_is(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = book(pool, ada, team)
    stale = list(selectors.not_started_of(booked))
    services.cancel(reservation=Reservation.objects.get(pk=stale[0].pk), actor=ada, now=make.NOON)
    monkeypatch.setattr(selectors, "not_started_of", lambda _: stale)

    canceled = services.cancel_series(series=booked, actor=ada, now=make.NOON)

    assert [each.pk for each in canceled] == [each.pk for each in stale[1:]]


def test_booked_while_it_was_canceled_is_canceled_too(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = waitlist.book_or_wait
    calls: list[Reservation] = []

    def canceled_meanwhile(**asked: Any) -> Reservation:
        made = real(**asked)
        if not calls:
            calls.append(made)
            services.cancel_series(series=Series.objects.get(), actor=ada, now=make.NOON)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(waitlist, "book_or_wait", canceled_meanwhile)
        booked = book(pool, ada, team, ways=services.Ways(waitlist=True))

    assert codes(booked) == ["CANCELED", "series_canceled", "series_canceled"]


# --- who sees it ---------------------------------------------------------------------------------


def test_what_has_started_meanwhile_goes_on_although_it_was_canceled(
    pool: Pool, ada: User, team: Team
) -> None:
    booked = book(pool, ada, team)
    running = make.reservation(of=pool, by=team, requested_by=ada, state=State.ACTIVE)
    Series.objects.filter(pk=booked.pk).update(canceled_at=make.NOON)

    series._undo_if_canceled(booked, running, make.NOON)  # noqa: SLF001 -- what the loop ends with

    running.refresh_from_db()
    assert running.state == State.ACTIVE


def test_an_occurrence_that_nobody_could_decide_keeps_why(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: object) -> Reservation:
        raise services.StaleReservation("somebody moved it")

    monkeypatch.setattr(admission, "admit", busy)

    booked = book(pool, ada, team)

    first = booked.occurrences.earliest("number")
    assert (first.code, first.message) == ("stale", "somebody moved it")
    assert first.nearest_starts_at is None


def test_series_are_seen_and_changed_as_bookings_are(pool: Pool, ada: User, team: Team) -> None:
    booked = book(pool, ada, team)
    viewer = make.user(teams=[team], role=MembershipRole.VIEWER)
    stranger = make.user(teams=[make.team()])

    def seen(by: User) -> list[Series]:
        return list(selectors.series_visible_to(by, now=make.NOON))

    def changed(by: User) -> list[Series]:
        return list(selectors.series_changeable_by(by, now=make.NOON))

    assert (seen(ada), seen(viewer), seen(stranger)) == ([booked], [booked], [])
    assert (changed(ada), changed(viewer), changed(stranger)) == ([booked], [], [])
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    assert (seen(root), changed(root)) == ([booked], [booked])
    assert str(booked) == f"2 x {SLICE}, every day"
    assert str(selectors.occurrences_of(booked)[0]).endswith(": 1")
