"""The function in the database against the pure rules it stands for: same wish, same answer."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts.models import Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import layouts
from gpuaas.inventory.models import (
    Closure,
    ClosureKind,
    Device,
    DeviceState,
    Node,
    PlannedLayout,
    Pool,
)
from gpuaas.notifications.models import OutboxMessage
from reservations import placement, policy, selectors, services
from reservations.capacity import Window
from reservations.lifecycle import PendingOn
from reservations.models import DeviceHold, Reservation, TeamLedger
from reservations.services import admission, in_one_call
from reservations.services.booking import Booking, Hold, Outcome, Terms
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
WAIT = timedelta(seconds=3)
HELD = Hold(PendingOn.APPROVER, make.at(1), policy.Approver.MANAGER)
HELD_FOR_ONE = Hold(PendingOn.REQUESTER, make.at(0.5))


@dataclass(frozen=True)
class World:
    pool: Pool
    team: Team
    person: User

    def booking(self, wish: services.Wish, **terms: object) -> Booking:
        return Booking(self.pool, self.team, self.person, wish, Terms(**terms), make.NOON)  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    pool, team = make.pool(devices={SLICE: 3, GPU: 1}, nodes=2), make.team()
    pool.nodes.update(cpu_millicores=12_000, memory_mib=40 * 1024, storage_gib=1_000)
    return World(pool, team, make.user(teams=[team]))


wishes = st.builds(
    lambda name, units, start, hours, cpu, memory, storage: make.wish(
        resource_name=name,
        units=units,
        at=make.window(start, start + hours),
        cpu_millicores=cpu * 1000,
        memory_mib=memory * 1024,
        storage_gib=storage,
    ),
    st.sampled_from([SLICE, SLICE, GPU]),
    st.integers(1, 2),
    st.integers(0, 8),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 20),
    st.integers(10, 500),
)
hardware = st.fixed_dictionaries(
    {
        "states": st.lists(
            st.tuples(st.integers(0, 7), st.sampled_from(DeviceState.values)), max_size=2
        ),
        "reported": st.lists(
            st.tuples(
                st.integers(0, 1),
                st.none() | st.dictionaries(st.sampled_from([SLICE, GPU]), st.integers(0, 4)),
            ),
            max_size=1,
        ),
        "closures": st.lists(
            st.tuples(st.sampled_from(["pool", 0, 1]), st.integers(0, 12), st.integers(1, 3)),
            max_size=1,
        ),
        "layouts": st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(-2, 8),
                st.integers(1, 6),
                st.sampled_from([GPU, SLICE]),
                st.booleans(),
            ),
            max_size=1,
        ),
        "given_back": st.integers(0, 20),
    }
)


def change(world: World, changes: dict[str, list[tuple[int, object]]]) -> None:
    nodes = list(world.pool.nodes.order_by("pk"))
    devices = list(Device.objects.filter(node__pool=world.pool).order_by("pk"))
    for number, state in changes["states"]:
        Device.objects.filter(pk=devices[number].pk).update(state=state)
    for number, reported in changes["reported"]:
        Node.objects.filter(pk=nodes[number].pk).update(reported_devices=reported)


def cut_anew(world: World, number: int, starts: int, hours: int, name: str, stands: bool) -> None:
    """Plan that the node's slices make way for two devices of a type, past the service's rules."""
    node = list(world.pool.nodes.order_by("pk"))[number]
    times = layouts.Times(make.at(starts), make.at(starts + hours))
    gone = list(node.devices.filter(resource_name=SLICE))
    during = TimestamptzRange(times.displaced_are_gone.starts_at, times.displaced_are_gone.ends_at)
    if DeviceHold.objects.filter(device__in=gone, during__overlap=during).exists():
        return
    made = [make.device(of=node, resource_name=name, ordinal=100 + n) for n in range(2)]
    layout = PlannedLayout.objects.create(
        node=node,
        gpu_index=0,
        cut={name: 2},
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        state_changed_at=make.NOON,
        created_by=world.person,
        created_at=make.NOON,
    )
    pks = [each.pk for each in made]
    Device.objects.filter(pk__in=pks).update(layout=layout, is_present=stands)
    Device.objects.filter(pk__in=[each.pk for each in gone]).update(is_present=not stands)
    there = times.planned_exist
    for change in times.changes:
        closure = make.closure(of=node, at=Window(change.starts_at, change.ends_at))
        assert closure.pk
    DeviceHold.objects.bulk_create(
        [
            *(DeviceHold(device=each, during=during) for each in gone),
            *(DeviceHold(device=d, during=TimestamptzRange(None, there.starts_at)) for d in made),
            *(DeviceHold(device=d, during=TimestamptzRange(there.ends_at, None)) for d in made),
        ]
    )


def close(world: World, target: str | int, starts: int, hours: int) -> None:
    nodes = list(world.pool.nodes.order_by("pk"))
    Closure.objects.create(
        pool=world.pool if target == "pool" else None,
        node=None if target == "pool" else nodes[int(target)],
        kind=ClosureKind.BLACKOUT,
        starts_at=make.at(starts),
        ends_at=make.at(starts + hours),
        reason="audit",
        created_by=world.person,
        created_at=make.NOON,
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(wishes, max_size=8), changes=hardware, then=st.lists(wishes, max_size=6))
def test_it_answers_as_the_pure_rules_do(
    world: World,
    before: list[services.Wish],
    changes: dict[str, list[tuple[int, object]]],
    then: list[services.Wish],
) -> None:
    # Not an atomic block: the slow path wants to be outermost, as it is when a request is served.
    example = transaction.savepoint()
    try:
        for wish in before:
            _admit_and_compare(world, wish)
        change(world, changes)
        for target, starts, hours in changes["closures"]:  # type: ignore[misc]
            close(world, target, starts, hours)
        for layout in changes["layouts"]:
            cut_anew(world, *layout)  # type: ignore[arg-type, call-arg]
        for wish in then:
            _admit_and_compare(world, wish)
    finally:
        transaction.savepoint_rollback(example)


def _admit_and_compare(world: World, wish: services.Wish) -> None:
    booking = world.booking(wish)
    expected = placement.place(
        selectors.node_states(world.pool, now=make.NOON),
        resource_name=wish.resource_name,
        demand=wish.demand,
        window=wish.window,
    )

    answer = in_one_call.admit(booking, wait_at_most=WAIT)

    if answer.outcome == Outcome.FRAGMENTED:
        # Python takes over: it moves others, or goes to a node that suits less, or finds nothing.
        answer = admission.admit_by_moving_others(booking)
        assert expected is None or expected.moved or answer.reservation
    assert (answer.reservation is None) == (expected is None)
    if answer.reservation is None or expected is None:
        assert answer.outcome == Outcome.FULL
        return
    assert answer.reservation.node_id == expected.node
    devices = [hold.device for hold in answer.reservation.holds.select_related("device")]
    assert len({device.pk for device in devices}) == wish.units
    assert {(d.node_id, d.resource_name, d.state) for d in devices} == {
        (expected.node, wish.resource_name, DeviceState.IN_SERVICE)
    }


@pytest.mark.parametrize("hold", [None, HELD, HELD_FOR_ONE])
def test_it_writes_what_python_writes(world: World, hold: Hold | None) -> None:
    wish = replace(make.wish(units=2), purpose="fine-tuning")
    terms = {
        "cost_minor": 1234,
        "overridden": ("too_long",),
        "approved_by": world.person,
        "hold": hold,
    }
    fast = in_one_call.admit(world.booking(wish, **terms), wait_at_most=WAIT).reservation
    assert fast is not None
    written = _all_about(fast)
    services.cancel(reservation=fast, actor=world.person, now=make.NOON)

    slow = admission.admit_by_moving_others(
        world.booking(replace(wish, public_id=uuid4()), **terms)
    ).reservation

    assert slow is not None
    assert _all_about(slow) == written


def _all_about(reservation: Reservation) -> list[object]:
    """Return every column written for it, but for what tells one from another."""
    own = {"id", "public_id", "key", "subject", "reservation_id"}
    event = AuditEvent.objects.filter(subject=reservation.subject).order_by("pk")[0]
    message = OutboxMessage.objects.get(subject=reservation.subject)
    assert message.key == f"{message.event}:{reservation.public_id}"
    row = Reservation.objects.filter(pk=reservation.pk).values().get()
    assert {k: getattr(reservation, k) for k in row} == row
    rows = [
        row,
        AuditEvent.objects.filter(pk=event.pk).values().get(),
        OutboxMessage.objects.filter(pk=message.pk).values().get(),
        *DeviceHold.objects.filter(reservation=reservation).order_by("device").values(),
    ]
    return [{k: v for k, v in each.items() if k not in own} for each in rows]


def test_the_same_wish_is_booked_once(world: World) -> None:
    booking = world.booking(make.wish())

    first = in_one_call.admit(booking, wait_at_most=WAIT)
    again = in_one_call.admit(booking, wait_at_most=WAIT)

    assert (first.outcome, again.outcome) == (Outcome.BOOKED, Outcome.ALREADY)
    assert first.reservation == again.reservation


@pytest.mark.parametrize("way", ["fast", "slow"])
def test_a_ledger_that_has_moved_refuses_and_one_that_stands_moves(world: World, way: str) -> None:
    TeamLedger.objects.create(team=world.team, version=7)

    def admit(version: int) -> Outcome:
        booking = world.booking(make.wish(), ledger_version=version)
        if way == "slow":
            return admission.admit_by_moving_others(booking).outcome
        return in_one_call.admit(booking, wait_at_most=WAIT).outcome

    assert admit(6) == Outcome.LEDGER_MOVED
    assert not Reservation.objects.exists()
    assert admit(7) == Outcome.BOOKED
    assert TeamLedger.objects.get().version == 8
    assert admit(7) == Outcome.LEDGER_MOVED


def test_the_bookings_of_a_window_that_only_touches_are_no_hindrance(world: World) -> None:
    for hours in ((0, 2), (4, 6), (2, 4)):
        answer = in_one_call.admit(
            world.booking(make.wish(units=3, at=make.window(*hours), cpu_millicores=12_000)),
            wait_at_most=WAIT,
        )
        assert answer.reservation is not None
        assert answer.reservation.window == Window(make.at(hours[0]), make.at(hours[1]))
    assert Reservation.objects.values("node").distinct().count() == 1  # the gap is filled


@pytest.mark.parametrize("way", ["fast", "slow"])
def test_what_is_pending_holds_its_place(world: World, way: str) -> None:
    admit = (
        admission.admit_by_moving_others
        if way == "slow"
        else lambda booking: in_one_call.admit(booking, wait_at_most=WAIT)
    )
    world.pool.nodes.latest("pk").devices.all().delete()

    held = admit(world.booking(make.wish(units=3), hold=HELD)).reservation
    refused = admit(world.booking(make.wish(units=1)))

    assert held is not None
    assert (held.state, refused.outcome) == ("PENDING", Outcome.FULL)
    services.cancel(reservation=held, actor=world.person, now=make.NOON)
    assert (held.pending_on, held.held_until) == ("", None)
    assert admit(world.booking(make.wish(units=3))).outcome == Outcome.BOOKED
