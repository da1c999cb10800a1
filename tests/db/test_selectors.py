"""The work lists at their boundaries, and who sees what."""

from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.inventory.models import Cluster, Node, Pool
from reservations import availability, lifecycle, selectors, services
from reservations.availability import Availability
from reservations.capacity import Demand
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import selectors as sessions
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool()


# --- what the reconciler has to do -------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "due", "missed"),
    [
        pytest.param(0.999, False, False, id="just-before-the-start"),
        pytest.param(1, True, False, id="at-the-start"),
        pytest.param(4.999, True, False, id="just-before-the-end"),
        pytest.param(5, False, True, id="at-the-end"),
        pytest.param(99, False, True, id="long-after"),
    ],
)
def test_when_a_reservation_is_due_and_when_it_is_missed(
    pool: Pool, hour: float, due: bool, missed: bool
) -> None:
    reservation = make.reservation(of=pool, at=make.window(1, 5))
    now = make.at(hour)

    assert list(selectors.due_to_start(pool.cluster, now=now)) == ([reservation] if due else [])
    assert list(selectors.missed(pool.cluster, now=now)) == ([reservation] if missed else [])


@pytest.mark.parametrize("state", sorted(set(State) - {State.APPROVED}))
def test_only_what_is_approved_starts_or_is_missed(pool: Pool, state: State) -> None:
    make.reservation(of=pool, at=make.window(1, 5), state=state)

    assert not selectors.due_to_start(pool.cluster, now=make.at(2))
    assert not selectors.missed(pool.cluster, now=make.at(9))


def test_an_hour_without_ticks_loses_nothing(pool: Pool) -> None:
    started = make.reservation(of=pool, at=make.window(0.1, 5))
    over = make.reservation(of=pool, at=make.window(0.2, 0.8))
    running = make.session(
        of=make.reservation(of=pool, at=make.window(-1, 0.5), state=State.ACTIVE)
    )

    now = make.at(1)

    assert list(selectors.due_to_start(pool.cluster, now=now)) == [started]
    assert list(selectors.missed(pool.cluster, now=now)) == [over]
    assert list(sessions.due_to_stop(pool.cluster, now=now)) == [running]


def test_the_earliest_starts_first(pool: Pool) -> None:
    late = make.reservation(of=pool, at=make.window(2, 5))
    early = make.reservation(of=pool, at=make.window(1, 5))

    assert list(selectors.due_to_start(pool.cluster, now=make.at(3))) == [early, late]


def test_another_clusters_work_is_not_ours(pool: Pool) -> None:
    make.session(of=make.reservation(at=make.window(0, 1), state=State.ACTIVE))
    make.reservation(at=make.window(0, 1))

    for now in (make.at(0.5), make.at(2)):
        assert not selectors.due_to_start(pool.cluster, now=now)
        assert not selectors.missed(pool.cluster, now=now)
        assert not sessions.due_to_stop(pool.cluster, now=now)
        assert not sessions.meant_to_run(pool.cluster, now=now)


@pytest.mark.parametrize("state", [SessionState.PROVISIONING, SessionState.READY])
@pytest.mark.parametrize(
    ("hour", "runs"), [(3.999, True), (4, False)], ids=["before-the-end", "at-the-end"]
)
def test_a_session_runs_until_its_window_ends(
    pool: Pool, state: SessionState, hour: float, runs: bool
) -> None:
    reservation = make.reservation(of=pool, at=make.window(0, 4), state=State.ACTIVE)
    session = make.session(of=reservation, state=state)
    now = make.at(hour)

    assert list(sessions.meant_to_run(pool.cluster, now=now)) == ([session] if runs else [])
    assert list(sessions.due_to_stop(pool.cluster, now=now)) == ([] if runs else [session])


@pytest.mark.parametrize("session_state", sorted(SessionState))
@pytest.mark.parametrize("state", sorted(State))
def test_a_session_either_runs_or_stops_until_it_has_ended(
    pool: Pool, state: State, session_state: SessionState
) -> None:
    reservation = make.reservation(of=pool, at=make.window(0, 4), state=state)
    make.session(of=reservation, state=session_state)

    runs = sessions.meant_to_run(pool.cluster, now=make.at(1)).count()
    stops = sessions.due_to_stop(pool.cluster, now=make.at(1)).count()

    if session_state == SessionState.ENDED:
        assert (runs, stops) == (0, 0)
    elif state in lifecycle.TERMINAL or session_state == SessionState.STOPPING:
        assert (runs, stops) == (0, 1)
    elif state == State.ACTIVE:
        assert (runs, stops) == (1, 0)


def test_a_session_that_was_put_off_waits(pool: Pool) -> None:
    session = make.session()
    WorkspaceSession.objects.update(retry_at=make.at(1))

    def ready(hour: float) -> list[WorkspaceSession]:
        return list(WorkspaceSession.objects.all().not_put_off(make.at(hour)))

    assert (ready(0.999), ready(1)) == ([], [session])
    WorkspaceSession.objects.update(retry_at=None)
    assert ready(0) == [session]


def test_a_namespace_is_owned_until_its_session_has_ended() -> None:
    session = make.session(state=SessionState.STOPPING)

    assert sessions.has_namespace(session.namespace)
    assert not sessions.has_namespace("s-of-nobody")
    WorkspaceSession.objects.update(state=SessionState.ENDED.value)
    assert not sessions.has_namespace(session.namespace)


# --- who sees what -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "sees", "changes"),
    [
        ("member", True, True),
        ("manager", True, True),
        ("viewer", True, False),
        ("member whose time is over", False, False),
        ("member switched off", False, False),
        ("member of another team", False, False),
        ("finance", True, False),
        ("platform administrator", True, True),
        ("platform administrator switched off", False, False),
    ],
)
def test_who_sees_and_who_changes_a_teams_bookings(who: str, sees: bool, changes: bool) -> None:
    team, other = make.team(), make.team()
    admin = OrganisationRole.PLATFORM_ADMIN
    people: dict[str, Callable[[], User]] = {
        "member": lambda: make.user(teams=[team]),
        "manager": lambda: make.user(teams=[team], role=MembershipRole.MANAGER),
        "viewer": lambda: make.user(teams=[team], role=MembershipRole.VIEWER),
        "member whose time is over": make.user,
        "member switched off": lambda: make.user(teams=[team], is_active=False),
        "member of another team": lambda: make.user(teams=[other]),
        "finance": lambda: make.user(organisation_role=OrganisationRole.FINANCE),
        "platform administrator": lambda: make.user(organisation_role=admin),
        "platform administrator switched off": lambda: make.user(
            organisation_role=admin, is_active=False
        ),
    }
    user = people[who]()
    if who == "member whose time is over":
        make.membership(of=team, whose=user, expires_at=make.NOON)
    reservation = make.reservation(by=team, at=make.window(0, 4), state=State.ACTIVE)
    session = make.session(of=reservation)
    now = make.NOON

    expected = [reservation] if sees else []
    assert list(selectors.reservations_visible_to(user, now=now)) == expected
    assert list(sessions.sessions_visible_to(user, now=now)) == ([session] if sees else [])
    expected = [reservation] if changes else []
    assert list(selectors.reservations_changeable_by(user, now=now)) == expected


def test_an_archived_team_ends_its_bookings_and_gets_no_more() -> None:
    team = make.team()
    member = make.user(teams=[team])
    booked = make.admitted(by=team, wish=make.wish(at=make.window(1, 5)))
    Team.objects.filter(pk=team.pk).update(is_active=False)

    (found,) = selectors.reservations_changeable_by(member, now=make.NOON)
    with pytest.raises(services.NotYourTeam, match="is archived"):
        services.extend(reservation=found, ends_at=make.at(6), actor=member, now=make.NOON)
    services.cancel(reservation=found, actor=member, now=make.NOON)

    booked.refresh_from_db()
    assert booked.state == State.CANCELED


def test_own_bookings_are_seen_as_long_as_the_team_is() -> None:
    team, person = make.team(), make.user()
    make.membership(of=team, whose=person, expires_at=make.at(1))
    own = make.reservation(by=team, requested_by=person)
    make.reservation(by=team)

    assert list(selectors.booked_by(person, now=make.at(0.5))) == [own]
    assert list(selectors.booked_by(person, now=make.at(1))) == []


def test_a_list_of_reservations_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    team = make.team()
    user = make.user(teams=[team])
    pool = make.pool()
    for _ in range(3):
        make.reservation(of=pool, by=team)

    with django_assert_num_queries(1):
        rows = [
            (r.team.name, r.pool.name, r.placed_on.name, r.requested_by.username)
            for r in selectors.reservations_visible_to(user, now=make.NOON)
        ]

    assert len(rows) == 3


# --- what is free ------------------------------------------------------------------------------


def free(pool: Pool, resource_name: str = SLICE) -> Availability:
    return next(
        each
        for each in availability.of(pool, now=make.NOON)
        if each.type.resource_name == resource_name
    )


def test_an_empty_pool_is_free_with_no_end_in_sight(pool: Pool) -> None:
    found = free(pool)

    assert (found.free_now, found.largest_free_now) == (4, 4)
    assert (found.free_until, found.more_free_at) == (None, None)


def test_less_is_free_later_and_more_after_that(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(-1, 3), units=2, state=State.ACTIVE)
    make.reservation(of=pool, at=make.window(1, 2), units=1)

    found = free(pool)

    assert (found.free_now, found.free_until, found.more_free_at) == (2, make.at(1), make.at(3))


def test_a_booking_that_starts_right_now_counts_and_one_that_ends_does_not(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(0, 2))
    make.reservation(of=pool, at=make.window(-2, 0), units=2, state=State.ACTIVE)

    assert free(pool).free_now == 3


def test_other_types_are_counted_apart(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(0, 2), resource_name=GPU)

    assert (free(pool, GPU).free_now, free(pool, SLICE).free_now) == (0, 4)


def test_what_lies_beyond_two_weeks_is_not_looked_at(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(14 * 24 + 1, 14 * 24 + 2))

    assert free(pool).free_until is None


def test_the_largest_single_booking_is_that_of_one_node() -> None:
    pool = make.pool(devices={SLICE: 2}, nodes=2)
    make.reservation(of=pool, at=make.window(0, 2))

    found = free(pool)

    assert (found.free_now, found.largest_free_now) == (3, 2)


def test_a_pool_without_nodes_has_nothing() -> None:
    assert availability.of(make.pool(nodes=0), now=make.NOON) == []


def test_availability_costs_the_same_however_much_is_booked(
    pool: Pool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for hour in range(10):
        make.reservation(of=pool, at=make.window(hour, hour + 1))

    with django_assert_num_queries(4):
        availability.of(pool, now=make.NOON)


# --- hardware that went away -------------------------------------------------------------------


def test_what_fits_is_not_overbooked(pool: Pool) -> None:
    make.reservation(of=pool, units=4)
    make.reservation(of=pool, resource_name=GPU)

    assert selectors.overbooked(pool, now=make.NOON) == []


def test_a_node_that_shrank_is_found(pool: Pool) -> None:
    make.reservation(of=pool, units=2)
    Node.objects.update(memory_mib=10_000)

    (found,) = selectors.overbooked(pool, now=make.NOON)

    assert found.excess == Demand(memory_mib=16 * 1024 - 10_000)
    assert "exceed the hardware by 6384 memory_mib" in str(found)


def test_what_is_over_is_not_overbooked(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(-5, 0))
    Node.objects.update(is_schedulable=False)

    assert selectors.overbooked(pool, now=make.NOON) == []


def test_names() -> None:
    reservation = make.reservation(units=2)

    assert str(reservation) == f"#{reservation.pk} 2 x {SLICE}"
    assert reservation.subject == f"reservation:{reservation.public_id}"
    hold = reservation.holds.earliest("pk")
    assert str(hold) == f"{hold.device} for {reservation}"
    assert reservation.is_live
    assert str(Cluster.objects.get()) == Cluster.objects.get().display_name
    assert str(WorkspaceSession(namespace="s-1")) == "s-1"
    assert Reservation.objects.all().overlapping(make.window(4, 9)).count() == 1
    assert Reservation.objects.all().overlapping(make.window(5, 9)).count() == 0
