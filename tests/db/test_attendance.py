"""Who uses what they booked: what is noted, what is given back, what is told."""

from datetime import datetime, timedelta

import pytest

from gpuaas.notifications.models import OutboxMessage
from reservations import facts
from reservations.facts import Attendance
from reservations.lifecycle import State
from reservations.models import DeviceHold
from sessions import selectors, services
from sessions.attendance import Verdict
from sessions.models import ClusterWatch, SessionState, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
RULES = Attendance(no_show=30 * MINUTE, idle=60 * MINUTE)


@pytest.fixture
def session() -> WorkspaceSession:
    """A workspace for four hours from noon on, ready at once."""
    made = make.session(state=SessionState.READY)
    WorkspaceSession.objects.filter(pk=made.pk).update(ready_at=make.NOON)
    return stored(made)


def stored(session: WorkspaceSession) -> WorkspaceSession:
    return WorkspaceSession.objects.select_related("reservation__team").get(pk=session.pk)


def attend(session: WorkspaceSession, minutes: float, *, since: float = -60) -> Verdict:
    """Judge it ``minutes`` after noon; it was watched ``since`` then."""
    now = after(minutes)
    watch = ClusterWatch(since=after(since), until=now)
    return services.attend(session=stored(session), rules=RULES, watch=watch, now=now)


def after(minutes: float) -> datetime:
    return make.NOON + minutes * MINUTE


def told(session: WorkspaceSession) -> list[str]:
    subject = session.reservation.subject
    return list(
        OutboxMessage.objects.filter(subject=subject).order_by("pk").values_list("event", flat=True)
    )


def test_what_nobody_came_for_is_given_back_told_and_counted(session: WorkspaceSession) -> None:
    assert attend(session, 29) == Verdict.NOTHING

    assert attend(session, 31) == Verdict.NO_SHOW

    given_back = stored(session).reservation
    assert (given_back.state, given_back.released_at) == (State.COMPLETED, after(31))
    assert given_back.is_no_show
    assert DeviceHold.objects.get(reservation=given_back).during.upper == after(31)
    assert told(session) == ["reservation.no_show"]
    assert facts.used_by(given_back.team, now=after(31)).no_shows == 1
    assert facts.used_by(make.team(), now=after(31)).no_shows == 0


@pytest.mark.parametrize("way", ["opened", "pods"])
def test_whoever_came_keeps_it_and_is_told_once_each_time_it_falls_idle(
    session: WorkspaceSession, way: str
) -> None:
    def use(minutes: float) -> None:
        if way == "pods":
            services.record_use(session=stored(session), is_used=True, now=after(minutes))
        else:
            actor = session.reservation.requested_by
            services.record_visit(session=session, actor=actor, now=after(minutes))

    use(20)

    assert attend(session, 79) == Verdict.NOTHING
    assert attend(session, 80) == Verdict.IDLE
    assert [attend(session, each) for each in (81, 200)] == [Verdict.NOTHING] * 2
    use(210)
    assert attend(session, 220) == Verdict.NOTHING
    assert attend(session, 230) == Verdict.NOTHING
    use(215)
    assert told(session) == ["reservation.idle"]
    assert stored(session).reservation.state == State.ACTIVE


def test_an_outage_of_the_platform_is_no_absence(session: WorkspaceSession) -> None:
    assert attend(session, 120, since=100) == Verdict.NOTHING
    services.record_use(session=stored(session), is_used=None, now=after(125))
    assert attend(session, 140, since=100) == Verdict.NOTHING
    assert attend(session, 155, since=100) == Verdict.NO_SHOW


def test_what_is_not_ready_is_not_judged(session: WorkspaceSession) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(ready_at=None)

    assert attend(session, 120) == Verdict.NOTHING


def test_who_opens_it_at_the_last_moment_keeps_it(session: WorkspaceSession) -> None:
    judged_before = stored(session)
    actor = session.reservation.requested_by
    services.record_visit(session=session, actor=actor, now=after(40))

    found = services.attend(
        session=judged_before,
        rules=RULES,
        watch=ClusterWatch(since=make.NOON, until=after(40)),
        now=after(40),
    )

    assert found == Verdict.NOTHING
    assert stored(session).reservation.state == State.ACTIVE


def test_opening_is_noted_the_first_time_in_its_story(session: WorkspaceSession) -> None:
    actor = session.reservation.requested_by
    for minutes in (5, 6):
        services.record_visit(session=session, actor=actor, now=after(minutes))

    kept = stored(session)
    assert (kept.visited_at, kept.active_at) == (after(5), after(6))
    assert [each.message for each in kept.events.all()] == [f"Opened by {actor}"]


@pytest.mark.parametrize("state", [SessionState.PROVISIONING, SessionState.STOPPING])
def test_what_cannot_be_opened_is_not_noted(state: SessionState) -> None:
    session = make.session(state=state)

    with pytest.raises(services.StaleSession):
        services.record_visit(
            session=session, actor=session.reservation.requested_by, now=make.NOON
        )
    assert stored(session).active_at is None


def test_looks_that_come_one_soon_after_the_other_are_one_stretch() -> None:
    cluster = make.cluster()

    def look(minutes: float) -> tuple[datetime, datetime]:
        services.record_look(cluster=cluster, now=after(minutes))
        watch = selectors.watch_of(cluster)
        assert watch is not None
        return watch.since, watch.until

    assert selectors.watch_of(cluster) is None
    assert look(0) == (after(0), after(0))
    assert look(0.1) == (after(0), after(0))  # too soon to be worth a write
    assert look(0.5) == (after(0), after(0.5))
    assert look(2.5) == (after(0), after(2.5))
    assert look(4.6) == (after(4.6), after(4.6))
    assert str(selectors.watch_of(cluster)).startswith(str(cluster))


def test_a_moment_that_moves_on_is_not_written_at_every_look(session: WorkspaceSession) -> None:
    for minutes, kept in ((1, 1), (1.2, 1), (1.5, 1.5)):
        services.record_use(session=stored(session), is_used=True, now=after(minutes))
        assert stored(session).active_at == after(kept)
    services.record_use(session=stored(session), is_used=False, now=after(9))
    assert stored(session).active_at == after(1.5)
