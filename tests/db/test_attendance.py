"""Who uses what they booked: what is noted, what is given back, what is told."""

from datetime import datetime, timedelta

import pytest

from gpuaas.notifications.models import OutboxMessage
from reservations import facts, usage
from reservations import services as reservation_services
from reservations.capacity import Window
from reservations.facts import Attendance
from reservations.lifecycle import State
from reservations.models import DeviceHold, Reservation
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


def probe(session: WorkspaceSession, minutes: float, *, at_work: bool | None = False) -> None:
    services.record_probe(session=stored(session), is_at_work=at_work, now=after(minutes))


def quiet(session: WorkspaceSession, first: int, last: int) -> list[Verdict]:
    """Probe and judge it every minute; return what was done."""
    done: list[Verdict] = []
    for minutes in range(first, last + 1):
        probe(session, minutes)
        verdict = attend(session, minutes)
        if verdict != Verdict.NOTHING:
            done.append(verdict)
    return done


@pytest.fixture
def visited(session: WorkspaceSession) -> WorkspaceSession:
    actor = session.reservation.requested_by
    services.record_visit(session=session, actor=actor, now=after(1))
    return session


@pytest.mark.parametrize("way", ["opened", "pods"])
def test_whoever_came_keeps_it_whatever_happens_then(session: WorkspaceSession, way: str) -> None:
    if way == "pods":
        services.record_use(session=session, is_used=True, now=after(20))
    else:
        actor = session.reservation.requested_by
        services.record_visit(session=session, actor=actor, now=after(20))

    assert [attend(session, each) for each in (79, 80, 200)] == [Verdict.NOTHING] * 3
    assert told(session) == []


def test_idle_is_told_once_each_time_it_falls_idle(visited: WorkspaceSession) -> None:
    assert quiet(visited, 2, 61) == []
    assert quiet(visited, 62, 70) == [Verdict.IDLE]
    probe(visited, 71, at_work=True)
    assert quiet(visited, 72, 131) == []
    assert quiet(visited, 132, 140) == [Verdict.IDLE]
    assert told(visited) == ["reservation.idle"] * 2
    assert stored(visited).reservation.state == State.ACTIVE


@pytest.mark.parametrize("at_work", [True, None])
def test_work_and_what_is_not_known_begin_the_quiet_time_anew(
    visited: WorkspaceSession, *, at_work: bool | None
) -> None:
    assert quiet(visited, 2, 61) == []
    probe(visited, 61.5, at_work=at_work)
    assert quiet(visited, 62, 121) == []
    assert quiet(visited, 122, 123) == [Verdict.IDLE]


def test_a_gap_between_probes_was_not_quiet(visited: WorkspaceSession) -> None:
    assert quiet(visited, 2, 50) == []
    assert quiet(visited, 60, 119) == []
    assert quiet(visited, 120, 121) == [Verdict.IDLE]


def test_opening_it_begins_the_quiet_time_anew(visited: WorkspaceSession) -> None:
    quiet(visited, 2, 50)
    read_before = stored(visited)
    actor = visited.reservation.requested_by
    services.record_visit(session=visited, actor=actor, now=after(50.5))
    services.record_probe(session=read_before, is_at_work=False, now=after(51))

    assert stored(visited).quiet_since is None
    assert quiet(visited, 52, 111) == []
    assert quiet(visited, 112, 113) == [Verdict.IDLE]


def test_after_the_warning_it_is_paused_and_then_given_back(visited: WorkspaceSession) -> None:
    rules = Attendance(idle=60 * MINUTE, pause=75 * MINUTE, release=90 * MINUTE)

    def judged(minutes: float) -> Verdict:
        probe(visited, minutes)
        now = after(minutes)
        watch = ClusterWatch(since=after(-60), until=now)
        return services.attend(session=stored(visited), rules=rules, watch=watch, now=now)

    found = {minutes: judged(minutes) for minutes in range(2, 93)}

    did = {minutes: each for minutes, each in found.items() if each != Verdict.NOTHING}
    assert did == {62: Verdict.IDLE, 77: Verdict.PAUSE, 92: Verdict.RELEASE}
    kept = stored(visited)
    assert kept.paused_at == after(77)
    assert (kept.reservation.state, kept.reservation.released_at) == (State.COMPLETED, after(92))
    assert (kept.reservation.was_idle, kept.reservation.is_no_show) == (True, False)
    assert told(visited) == ["reservation.idle", "reservation.paused", "reservation.idle_released"]
    warning = OutboxMessage.objects.get(event="reservation.idle").data
    assert warning["pauses_at"] == after(77).isoformat()
    assert warning["released_at"] == after(92).isoformat()


def test_hours_that_nobody_used_are_counted_as_given_back_for_that(
    visited: WorkspaceSession,
) -> None:
    reservation = visited.reservation
    reservation_services.release_idle(reservation=reservation, idle_since=after(60), now=after(120))

    [row] = usage.grouped(
        Reservation.objects.all(),
        by=("team",),
        within=Window(make.NOON, after(240)),
        now=after(240),
    )
    assert row.given_back_gpu_hours == row.reclaimed_gpu_hours > 0
    assert row.booked_gpu_hours == row.used_gpu_hours + row.given_back_gpu_hours


@pytest.mark.parametrize("verdict", [Verdict.PAUSE, Verdict.RELEASE])
def test_who_begins_to_work_at_the_last_moment_keeps_it(
    visited: WorkspaceSession, verdict: Verdict
) -> None:
    rules = Attendance(
        idle=60 * MINUTE,
        **{verdict.name.lower(): 90 * MINUTE},
    )
    quiet(visited, 2, 92)
    judged_before = stored(visited)
    probe(visited, 92, at_work=True)
    watch = ClusterWatch(since=after(-60), until=after(92))

    found = services.attend(session=judged_before, rules=rules, watch=watch, now=after(92))

    assert found == Verdict.NOTHING
    assert stored(visited).reservation.state == State.ACTIVE
    assert stored(visited).paused_at is None
    unprobed = services.attend(session=stored(visited), rules=rules, watch=watch, now=after(92))
    assert unprobed == Verdict.NOTHING


def test_what_is_paused_is_resumed_and_not_opened_before(visited: WorkspaceSession) -> None:
    actor = visited.reservation.requested_by
    with pytest.raises(services.StaleSession, match="is not paused"):
        services.resume(session=visited, actor=actor, now=after(5))
    WorkspaceSession.objects.filter(pk=visited.pk).update(paused_at=after(5))
    with pytest.raises(services.StaleSession, match="resume it first"):
        services.record_visit(session=visited, actor=actor, now=after(6))
    assert selectors.open_url(stored(visited)) is None

    services.resume(session=visited, actor=actor, now=after(7))

    services.record_visit(session=visited, actor=actor, now=after(8))
    assert selectors.open_url(stored(visited)) is not None
    assert f"Resumed by {actor}: starting the workspace again" in [
        each.message for each in stored(visited).events.all()
    ]


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
