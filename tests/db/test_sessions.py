"""The life of a session, as its services write it."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Device
from reservations import services as reservations
from reservations.lifecycle import State
from sessions import selectors, services, spec
from sessions.models import TRANSITIONS, SessionState, WorkspaceSession
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


def story(session: WorkspaceSession) -> list[str]:
    return [event.message for event in session.events.all()]


def stored(session: WorkspaceSession) -> WorkspaceSession:
    return WorkspaceSession.objects.select_related("reservation").get(pk=session.pk)


def fail(session: WorkspaceSession, *, hour: float = 0, is_final: bool = False) -> None:
    services.record_failure(session=session, error="no room", is_final=is_final, now=make.at(hour))


# --- the whole life ----------------------------------------------------------------------------


def test_a_whole_life() -> None:
    reservation = make.reservation(at=make.window(0, 4))

    session = services.open_session(reservation=reservation, now=make.at(0))
    services.record_namespace(session=session, uid="11111111-1111-4111-8111-111111111111")
    services.record_waiting(session=session, reason="pulling the image", now=make.at(0.01))
    services.record_ready(session=session, now=make.at(0.02))
    services.begin_stop(session=session, now=make.at(4))
    services.close(session=session, now=make.at(4.01))

    session = stored(session)
    assert (session.state, session.ended_at) == (SessionState.ENDED, make.at(4.01))
    assert session.namespace == spec.namespace_name(session.public_id)
    assert session.namespace_uid == "11111111-1111-4111-8111-111111111111"
    assert session.reservation.state == State.COMPLETED
    assert session.reservation.state_reason == "its window ended"
    assert story(session) == [
        "The window opened: preparing your workspace",
        "Waiting: pulling the image",
        "Your workspace is ready",
        "The session ends: removing the workspace",
        "The workspace and everything in it is gone",
    ]
    assert str(session.events.all()[0]) == f"{session}: The window opened: preparing your workspace"


def test_opening_activates_the_reservation() -> None:
    reservation = make.reservation()

    services.open_session(reservation=reservation, now=make.at(1))

    reservation.refresh_from_db()
    assert reservation.state == State.ACTIVE


def test_a_reservation_that_was_canceled_meanwhile_gets_no_session() -> None:
    reservation = make.reservation()
    copy = type(reservation).objects.get(pk=reservation.pk)
    reservations.cancel(reservation=copy, actor=copy.requested_by, now=make.NOON)

    with pytest.raises(reservations.StaleReservation):
        services.open_session(reservation=reservation, now=make.at(1))

    assert not WorkspaceSession.objects.exists()


def test_what_changed_is_on_the_object_as_well() -> None:
    session = make.session()

    services.record_ready(session=session, now=make.at(1))
    assert session.ready_at == make.at(1)

    services.close(session=session, now=make.at(4))
    assert session.ended_at == make.at(4)


# --- ready and waiting -------------------------------------------------------------------------


def test_ready_a_second_time_writes_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    session = make.session()
    services.record_ready(session=session, now=make.at(0.1))

    with django_assert_num_queries(0):
        services.record_ready(session=session, now=make.at(0.2))

    assert stored(session).ready_at == make.at(0.1)


def test_ready_after_a_repair_forgets_the_failures() -> None:
    session = make.session(state=SessionState.READY)
    fail(session)

    services.record_ready(session=session, now=make.at(1))

    session = stored(session)
    assert (session.failures, session.last_error, session.retry_at) == (0, "", None)
    assert story(session)[-1] == "Your workspace is complete again"


def test_the_same_wait_is_told_once() -> None:
    session = make.session()

    for _ in range(3):
        services.record_waiting(session=session, reason="the volume", now=make.at(0.1))
    services.record_waiting(session=session, reason="the image", now=make.at(0.1))

    assert story(session) == ["Waiting: the volume", "Waiting: the image"]
    assert stored(session).waiting_for == "the image"


def test_a_long_reason_is_told_once_too() -> None:
    session = make.session()

    for _ in range(2):
        services.record_waiting(session=session, reason="x" * 999, now=make.at(0.1))

    assert len(story(session)) == 1
    assert len(stored(session).waiting_for) == 300


def watch(session: WorkspaceSession, minutes: Iterable[float]) -> WorkspaceSession:
    """Look at the waiting session at each of these minutes after noon."""
    for minute in minutes:
        if session.state == SessionState.PROVISIONING:
            services.record_waiting(session=session, reason="the image", now=make.at(minute / 60))
    return stored(session)


def test_what_never_gets_ready_is_given_up() -> None:
    session = watch(make.session(), range(21))
    assert session.state == SessionState.PROVISIONING

    session = watch(session, [21])

    assert session.state == SessionState.STOPPING
    assert session.reservation.state_reason == "not ready after 20 minutes: the image"


def test_what_will_never_be_ready_is_given_up_at_once() -> None:
    session = make.session()

    services.record_waiting(
        session=session, reason="no such image", hopeless_after=timedelta(), now=make.NOON
    )

    assert stored(session).state == SessionState.STOPPING
    assert session.reservation.state_reason == "it will never be ready: no such image"


def test_where_waiting_is_hopeless_it_is_given_up_sooner() -> None:
    session = make.session()
    for minute in range(5):
        services.record_waiting(
            session=session,
            reason="the image",
            hopeless_after=timedelta(minutes=3),
            now=make.at(minute / 60),
        )

    assert stored(session).state == SessionState.STOPPING
    assert session.reservation.state_reason == "not ready after 3 minutes: the image"


def test_an_outage_of_ours_is_no_fault_of_the_session() -> None:
    session = watch(make.session(), [0, 1, 2, 120, 121])

    assert session.state == SessionState.PROVISIONING
    assert session.waited_seconds <= 5 * 60


def test_looking_twice_at_one_instant_counts_once() -> None:
    assert watch(make.session(), [0, 1, 1, 1]).waited_seconds == 60


def test_a_clock_that_goes_back_takes_no_time_away() -> None:
    assert watch(make.session(), [5, 6, 3]).waited_seconds == 60


def test_waiting_after_a_failure_is_a_new_start() -> None:
    session = make.session()
    fail(session)

    services.record_waiting(session=session, reason="the image", now=make.at(0.1))

    assert (stored(session).failures, stored(session).retry_at) == (0, None)


def test_what_was_ready_once_may_wait_for_its_repair() -> None:
    session = make.session(state=SessionState.READY)

    services.record_waiting(session=session, reason="the image", now=make.at(3))

    assert stored(session).state == SessionState.READY


# --- failing -----------------------------------------------------------------------------------


def test_each_failure_doubles_the_wait_up_to_five_minutes() -> None:
    session = make.session(state=SessionState.STOPPING)
    waits = []
    for _ in range(9):
        fail(session, hour=1)
        retry_at = stored(session).retry_at
        assert retry_at is not None
        waits.append((retry_at - make.at(1)).total_seconds())

    least = [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert all(low <= wait < low * 1.2 for low, wait in zip(least, waits, strict=True))


def test_what_fails_together_does_not_come_back_together() -> None:
    together = [make.session() for _ in range(20)]
    for session in together:
        fail(session)

    assert len({stored(session).retry_at for session in together}) > 15


def test_a_failure_is_told_and_kept() -> None:
    session = make.session()

    fail(session)

    event = session.events.get()
    assert (event.message, event.is_problem) == ("Trying again soon: no room", True)
    assert (stored(session).failures, stored(session).last_error) == (1, "no room")


def test_after_the_last_try_the_reservation_fails_and_its_capacity_comes_back() -> None:
    pool = make.pool(devices={SLICE: 1})
    reservation = make.reservation(of=pool, at=make.window(0, 4), state=State.ACTIVE)
    session = make.session(of=reservation)
    for _ in range(services.MAX_FAILURES - 1):
        fail(session, hour=1)
    assert stored(session).reservation.state == State.ACTIVE

    fail(session, hour=1)

    session = stored(session)
    assert session.state == SessionState.STOPPING
    assert (session.reservation.state, session.reservation.state_reason) == (
        State.FAILED,
        "no room",
    )
    assert (session.failures, session.retry_at) == (0, None)
    assert story(session)[-1] == "Given up: no room"
    make.admitted(of=pool, wish=make.wish(at=make.window(1, 4)), now=make.at(1))


def test_a_final_failure_is_given_up_at_once() -> None:
    session = make.session()

    fail(session, is_final=True)

    assert stored(session).reservation.state == State.FAILED


@pytest.mark.parametrize("is_final", [False, True])
def test_what_somebody_works_in_is_never_given_up(is_final: bool) -> None:
    session = make.session(state=SessionState.READY)

    for _ in range(services.MAX_FAILURES * 3):
        fail(session, is_final=is_final)

    assert stored(session).state == SessionState.READY
    assert stored(session).reservation.state == State.ACTIVE


def test_the_same_failure_is_told_once() -> None:
    session = make.session()

    for _ in range(3):
        fail(session)

    assert story(session) == ["Trying again soon: no room"]


@pytest.mark.parametrize(("asked", "waits"), [(60, 60), (1, 5)])
def test_the_cluster_may_ask_for_a_longer_wait(asked: int, waits: int) -> None:
    session = make.session()

    services.record_failure(
        session=session,
        error="too many requests",
        is_final=False,
        now=make.NOON,
        retry_after=timedelta(seconds=asked),
    )

    retry_at = stored(session).retry_at
    assert retry_at is not None
    assert waits <= (retry_at - make.NOON).total_seconds() < waits * 1.2


@pytest.mark.parametrize("is_final", [False, True])
def test_stopping_is_never_given_up(is_final: bool) -> None:
    reservation = make.reservation(at=make.window(0, 4), state=State.FAILED)
    session = make.session(of=reservation, state=SessionState.STOPPING)

    for _ in range(services.MAX_FAILURES * 3):
        fail(session, is_final=is_final)

    assert stored(session).state == SessionState.STOPPING
    assert stored(session).failures == services.MAX_FAILURES * 3


def test_giving_up_what_was_canceled_meanwhile_changes_nothing() -> None:
    session = make.session()
    other = stored(session).reservation
    reservations.cancel(reservation=other, actor=other.requested_by, now=make.at(1))

    with pytest.raises(reservations.StaleReservation):
        services.give_up(session=session, reason="no room", now=make.at(1))

    assert stored(session).state == SessionState.PROVISIONING
    assert story(session) == []


# --- ending ------------------------------------------------------------------------------------


def test_stopping_twice_is_told_once() -> None:
    session = make.session(state=SessionState.READY)

    services.begin_stop(session=session, now=make.at(4))
    services.begin_stop(session=session, now=make.at(4))

    assert story(session) == ["The session ends: removing the workspace"]


@pytest.mark.parametrize("state", [State.CANCELED, State.FAILED, State.COMPLETED])
def test_closing_leaves_a_finished_reservation_as_it_is(state: State) -> None:
    session = make.session(
        of=make.reservation(at=make.window(0, 4), state=state), state=SessionState.STOPPING
    )

    services.close(session=session, now=make.at(2))

    assert stored(session).state == SessionState.ENDED
    assert stored(session).reservation.state == state


def test_an_ended_session_stays_ended() -> None:
    session = make.session(state=SessionState.ENDED)

    with pytest.raises(services.StaleSession, match="cannot go from ENDED"):
        services.close(session=session, now=make.at(4))


def test_of_two_writers_one_wins() -> None:
    session = make.session()
    stale = stored(session)
    services.begin_stop(session=session, now=make.at(1))

    with pytest.raises(services.StaleSession, match="is not PROVISIONING any more"):
        services.record_ready(session=stale, now=make.at(1))

    assert stored(session).state == SessionState.STOPPING


def test_every_state_is_in_the_table_and_leads_to_the_end() -> None:
    assert set(TRANSITIONS) == set(SessionState)
    assert [s for s, targets in TRANSITIONS.items() if not targets] == [SessionState.ENDED]


def test_the_uid_of_a_namespace_is_written_once(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    session = make.session()
    services.record_namespace(session=session, uid="a")

    with django_assert_num_queries(0):
        services.record_namespace(session=session, uid="a")

    assert stored(session).namespace_uid == "a"


# --- what a session should look like -----------------------------------------------------------


def test_the_spec_of_a_session() -> None:
    pool = make.pool(devices={SLICE: 4, GPU: 1})
    team = make.team(slug="vision")
    reservation = make.reservation(
        of=pool,
        by=team,
        requested_by=make.user(username="ada", teams=[team]),
        units=2,
        at=make.window(0, 4),
        state=State.ACTIVE,
        mode=AllocationMode.INFERENCE,
    )
    session = make.session(of=reservation)

    (found,) = selectors.specs_of([session], cluster=pool.cluster)

    assert (found.public_id, found.namespace) == (session.public_id, session.namespace)
    assert (found.team, found.owner, found.mode) == ("vision", "ada", AllocationMode.INFERENCE)
    assert (found.gpu_resource, found.gpu_slots) == (SLICE, 2)
    assert found.other_gpu_resources == {GPU}
    assert (found.cpu_millicores, found.memory_mib, found.storage_gib) == (4_000, 16_384, 600)
    assert (found.node, found.ends_at) == (reservation.placed_on.name, make.at(4))


def test_a_single_device_brings_all_its_slots_and_retired_types_stay_forbidden() -> None:
    pool = make.pool(devices={SLICE: 4, GPU: 1})
    Device.objects.filter(resource_name=SLICE).update(state="retired")
    session = make.session(
        of=make.reservation(of=pool, resource_name=GPU, at=make.window(0, 4), state=State.ACTIVE)
    )

    (found,) = selectors.specs_of([session], cluster=pool.cluster)

    assert (found.gpu_slots, found.other_gpu_resources) == (4, frozenset({SLICE}))


def test_a_device_is_not_free_before_the_session_before_has_left() -> None:
    pool = make.pool(devices={SLICE: 2})
    zero, one = Device.objects.order_by("ordinal")
    leaving = make.session(
        of=make.reservation(of=pool, at=make.window(0, 1), state=State.ACTIVE, devices=[zero]),
        state=SessionState.STOPPING,
    )
    coming, elsewhere = (
        make.session(
            of=make.reservation(of=pool, at=make.window(1, 2), state=State.ACTIVE, devices=[device])
        )
        for device in (zero, one)
    )

    assert selectors.previous_is_leaving(coming)
    assert not selectors.previous_is_leaving(elsewhere)
    services.close(session=leaving, now=make.at(1))
    assert not selectors.previous_is_leaving(coming)


def test_the_address_of_a_workspace() -> None:
    session = make.session()

    assert selectors.workspace_url(session) == f"https://{session.namespace}.apps.example.com/"


def test_specs_cost_no_query_per_session(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    pool = make.pool(devices={SLICE: 12})
    for _ in range(10):
        make.session(of=make.reservation(of=pool, at=make.window(0, 4), state=State.ACTIVE))

    with django_assert_max_num_queries(9):  # one for each kind of row
        specs = selectors.specs_of(
            selectors.meant_to_run(pool.cluster, now=make.at(1)), cluster=pool.cluster
        )

    assert len(specs) == 10


def test_a_complete_session_forgets_when_it_was_to_be_tried_again() -> None:
    session = services.open_session(
        reservation=make.reservation(at=make.window(0, 4)), now=make.at(0)
    )
    services.record_ready(session=session, now=make.at(0.1))
    WorkspaceSession.objects.update(retry_at=make.at(0.3))
    session = stored(session)
    told = story(session)

    services.record_ready(session=session, now=make.at(0.2))

    assert stored(session).retry_at is None
    assert story(session) == told
