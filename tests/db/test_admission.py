"""`reservations.services.admit` on a real PostgreSQL."""

import dataclasses
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts.models import MembershipRole, OrganisationRole
from gpuaas.audit import selectors as audit
from gpuaas.audit.models import AuditEvent
from gpuaas.core import locks
from gpuaas.inventory import resource_types
from gpuaas.inventory.models import Device, Node, Pool
from reservations import lifecycle, policy, services
from reservations.capacity import Demand, Window
from reservations.models import DeviceHold, Reservation
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


def slices(count: int) -> Pool:
    return make.pool(devices={SLICE: count, GPU: 1})


def devices_of(reservation: Reservation) -> set[int]:
    return {hold.device_id for hold in reservation.holds.all()}


# --- what is admitted --------------------------------------------------------------------------


def test_what_was_wished_is_what_is_booked() -> None:
    pool, team = make.pool(), make.team()
    person, wish = make.user(teams=[team]), make.wish(units=2)

    booked = services.admit(pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON)

    booked.refresh_from_db()
    assert (booked.pool, booked.team, booked.requested_by) == (pool, team, person)
    assert (booked.resource_name, booked.units, booked.window) == (SLICE, 2, wish.window)
    assert (booked.cpu_millicores, booked.memory_mib, booked.storage_gib) == (4000, 16384, 600)
    assert (booked.state, booked.mode) == ("APPROVED", "interactive")
    assert booked.placed_on.pool == pool


def test_each_unit_holds_a_device_of_its_own_for_the_window() -> None:
    booked = make.admitted(wish=make.wish(units=3))

    holds = list(booked.holds.select_related("device"))

    assert len({hold.device_id for hold in holds}) == 3
    assert {hold.device.resource_name for hold in holds} == {SLICE}
    assert {hold.device.node_id for hold in holds} == {booked.node_id}
    assert {(hold.during.lower, hold.during.upper) for hold in holds} == {
        (booked.starts_at, booked.ends_at)
    }


def test_the_audit_trail_tells_of_it() -> None:
    booked = make.admitted(wish=make.wish(units=2))

    (event,) = audit.history_of(booked.subject)

    assert (event.action, event.at, event.team) == ("reservation.approved", make.NOON, booked.team)
    assert event.actor == booked.requested_by
    assert event.data["units"] == 2


def test_the_last_free_unit_can_be_booked() -> None:
    pool = slices(2)
    make.reservation(of=pool, units=1)

    make.admitted(of=pool, wish=make.wish(units=1))

    assert DeviceHold.objects.values("device").distinct().count() == 2


def test_one_unit_too_many_is_refused_and_leaves_nothing_behind() -> None:
    pool = slices(2)
    standing = make.reservation(of=pool, units=1)

    with pytest.raises(services.PoolFull) as refused:
        make.admitted(of=pool, wish=make.wish(units=2))

    assert refused.value.free.devices == 1
    assert "2 devices requested, 1 free on one node" in str(refused.value)
    assert list(Reservation.objects.all()) == [standing]
    assert DeviceHold.objects.count() == 1
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("hours", "fits"),
    [
        pytest.param((2, 4), False, id="equal"),
        pytest.param((1, 5), False, id="enclosing"),
        pytest.param((2.5, 3), False, id="enclosed"),
        pytest.param((1, 3), False, id="left"),
        pytest.param((3, 5), False, id="right"),
        pytest.param((1, 2), True, id="touching-before"),
        pytest.param((4, 6), True, id="touching-after"),
    ],
)
def test_a_device_is_shared_over_time_but_never_at_one_time(
    hours: tuple[float, float], fits: bool
) -> None:
    pool = slices(1)
    make.reservation(of=pool, at=make.window(2, 4))
    wish = make.wish(at=make.window(*hours))

    if fits:
        make.admitted(of=pool, wish=wish)
    else:
        with pytest.raises(services.PoolFull):
            make.admitted(of=pool, wish=wish)


def test_peaks_count_not_sums() -> None:
    pool = slices(2)
    make.reservation(of=pool, at=make.window(1, 2))
    make.reservation(of=pool, at=make.window(2, 3))

    # Together they are as many as there are devices, but only one runs at any time.
    make.admitted(of=pool, wish=make.wish(at=make.window(1, 3)))


def test_the_longest_booking_counts_to_its_last_minute() -> None:
    pool = slices(1)
    make.reservation(of=pool, at=Window(make.at(1), make.at(1) + policy.LONGEST))
    last_hour = Window(
        make.at(1) + policy.LONGEST - timedelta(hours=1), make.at(1) + policy.LONGEST
    )

    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish(at=last_hour))


def test_devices_of_another_type_do_not_count() -> None:
    pool = slices(1)
    make.reservation(of=pool, resource_name=GPU)

    make.admitted(of=pool, wish=make.wish())


def test_the_first_booking_of_a_type_works_when_only_others_are_booked() -> None:
    pool = slices(1)
    make.reservation(of=pool, units=1)

    assert devices_of(make.admitted(of=pool, wish=make.wish(resource_name=GPU)))


@pytest.mark.parametrize(
    ("field", "has"),
    [("cpu_millicores", 6_000), ("memory_mib", 24 * 1024), ("storage_gib", 1000)],
)
def test_cpu_memory_and_storage_of_other_types_do_count(field: str, has: int) -> None:
    pool = slices(2)
    Node.objects.update(**{field: has})
    standing = make.reservation(of=pool, resource_name=GPU)
    rest = has - getattr(standing, field)

    with pytest.raises(services.PoolFull, match=f"{rest + 1} .* requested, {rest} free"):
        make.admitted(of=pool, wish=dataclasses.replace(make.wish(), **{field: rest + 1}))

    make.admitted(of=pool, wish=dataclasses.replace(make.wish(), **{field: rest}))


def test_all_units_lie_on_one_node() -> None:
    pool = make.pool(devices={SLICE: 2}, nodes=2)
    for node in Node.objects.all():
        device = node.devices.earliest("pk")
        make.reservation(of=pool, devices=[device]).save()
        Reservation.objects.filter(holds__device=device).update(node=node)

    with pytest.raises(services.PoolFull, match="2 devices requested, 1 free on one node"):
        make.admitted(of=pool, wish=make.wish(units=2))

    make.admitted(of=pool, wish=make.wish(units=1))


def test_another_pools_bookings_do_not_count() -> None:
    one, other = slices(1), slices(1)
    make.reservation(of=other)

    make.admitted(of=one, wish=make.wish())


@pytest.mark.parametrize("away", [{"is_schedulable": False}, {"pool": None}])
def test_a_node_that_is_away_takes_no_booking(away: dict[str, object]) -> None:
    pool = make.pool()
    Node.objects.update(**away)

    with pytest.raises(services.WishRefused) as refused:
        make.admitted(of=pool, wish=make.wish())

    assert "unknown_type" in {problem.code for problem in refused.value.problems}


def test_a_retired_device_is_not_booked() -> None:
    pool = slices(2)
    Device.objects.filter(resource_name=SLICE, ordinal=0).update(state="retired")

    booked = make.admitted(of=pool, wish=make.wish())

    assert devices_of(booked) == {Device.objects.get(resource_name=SLICE, ordinal=1).pk}
    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish())


def test_the_same_wish_sent_twice_is_booked_once() -> None:
    pool, team, wish = make.pool(), make.team(), make.wish(at=make.window(0, 4))
    person = make.user(teams=[team])

    first = services.admit(pool=pool, team=team, requested_by=person, wish=wish, now=make.NOON)
    # Meanwhile the window has begun: too late for a new booking, but this one stands.
    second = services.admit(pool=pool, team=team, requested_by=person, wish=wish, now=make.at(0.1))

    assert first == second
    assert Reservation.objects.count() == 1


# --- fragmentation -----------------------------------------------------------------------------


def fragmented() -> tuple[Pool, Reservation, Reservation]:
    """Two slices, each busy for one half of the hours 1 to 5: one is free, but never the same."""
    pool = slices(2)
    zero, one = Device.objects.filter(node__pool=pool, resource_name=SLICE).order_by("ordinal")
    early = make.reservation(of=pool, at=make.window(1, 3), devices=[zero])
    late = make.reservation(of=pool, at=make.window(3, 5), devices=[one])
    return pool, early, late


def test_bookings_that_have_not_started_exchange_devices_where_that_makes_room() -> None:
    pool, early, late = fragmented()

    booked = make.admitted(of=pool, wish=make.wish(at=make.window(1, 5)))

    assert devices_of(early) == devices_of(late)
    assert not devices_of(booked) & devices_of(early)


def test_the_exchange_is_told_in_the_audit_trail() -> None:
    pool, early, late = fragmented()

    make.admitted(of=pool, wish=make.wish(at=make.window(1, 5)))

    exchanged = AuditEvent.objects.get(action="reservation.devices_exchanged")
    assert exchanged.subject in {early.subject, late.subject}
    assert exchanged.actor is None


def test_a_booking_that_has_started_keeps_its_device() -> None:
    pool, early, late = fragmented()
    services.transition(
        reservation=early,
        target=lifecycle.State.ACTIVE,
        reason="its window opened",
        actor=None,
        now=make.at(1),
    )
    before = devices_of(early)

    make.admitted(of=pool, wish=make.wish(at=make.window(2, 5)), now=make.at(2))

    assert devices_of(early) == before == devices_of(late)


# --- what the database promises ----------------------------------------------------------------


def test_the_database_refuses_a_second_hold_made_by_hand() -> None:
    booked = make.reservation(at=make.window(1, 5))
    device = booked.holds.get().device

    def hold(first_hour: float, last_hour: float) -> None:
        window = make.window(first_hour, last_hour)
        with transaction.atomic():
            DeviceHold.objects.create(
                reservation=booked,
                device=device,
                during=TimestamptzRange(window.starts_at, window.ends_at, "[)"),
            )

    with pytest.raises(IntegrityError, match="device_held_once_at_a_time"):
        hold(4.5, 6)
    with pytest.raises(IntegrityError, match="device_hold_not_empty"):
        hold(9, 9)
    hold(5, 6)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"ends_at": make.at(1)}, "reservation_ends_after_it_starts"),
        (
            {"ends_at": make.at(1) + policy.LONGEST + timedelta(seconds=1)},
            "reservation_at_most_14_days",
        ),
        ({"units": 0}, "reservation_of_something"),
        ({"state": "PAUSED"}, "reservation_state_known"),
    ],
)
def test_the_database_refuses_impossible_rows(changes: dict[str, object], constraint: str) -> None:
    booked = make.reservation(at=make.window(1, 5))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Reservation.objects.filter(pk=booked.pk).update(**changes)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        (make.wish(at=make.window(-1, 1)), "window_in_the_past", "starts_at"),
        (make.wish(at=make.window(3, 1)), "window_ends_before_it_starts", "ends_at"),
        (make.wish(units=0), "too_few_units", "units"),
        (make.wish(units=5), "too_many_units", "units"),
        (make.wish(units=10**30), "too_many_units", "units"),
        (make.wish(resource_name="nvidia.com/mig-7g.80gb"), "unknown_type", "resource_name"),
        (make.wish(cpu_millicores=0), "too_little", "cpu_millicores"),
        (make.wish(memory_mib=-1), "too_little", "memory_mib"),
        (make.wish(storage_gib=0), "too_little", "storage_gib"),
        (make.wish(cpu_millicores=127_001), "too_much", "cpu_millicores"),
        (make.wish(memory_mib=10**30), "too_much", "memory_mib"),
        (make.wish(storage_gib=25_001), "too_much", "storage_gib"),
    ],
)
def test_a_wish_against_the_rules_is_refused_with_its_field(
    wish: services.Wish, code: str, field: str
) -> None:
    with pytest.raises(services.WishRefused) as refused:
        make.admitted(wish=wish)

    assert [(problem.code, problem.field) for problem in refused.value.problems] == [(code, field)]
    assert refused.value.problems[0].message in str(refused.value)
    assert not Reservation.objects.exists()


def test_every_reason_is_given_at_once() -> None:
    with pytest.raises(services.WishRefused) as refused:
        make.admitted(wish=make.wish(units=9, at=make.window(-5, -5), cpu_millicores=0))

    assert [problem.field for problem in refused.value.problems] == [
        "ends_at",
        "starts_at",
        "units",
        "cpu_millicores",
    ]


def test_a_pool_without_devices_says_so() -> None:
    with pytest.raises(services.WishRefused, match="it has no devices"):
        make.admitted(of=make.pool(devices={}), wish=make.wish())


@pytest.mark.parametrize(
    ("role", "may"),
    [(MembershipRole.MEMBER, True), (MembershipRole.MANAGER, True), (MembershipRole.VIEWER, False)],
)
def test_who_of_a_team_may_book(role: MembershipRole, may: bool) -> None:
    team = make.team()
    person = make.user(teams=[team], role=role)

    def book() -> None:
        services.admit(
            pool=make.pool(), team=team, requested_by=person, wish=make.wish(), now=make.NOON
        )

    if may:
        book()
    else:
        with pytest.raises(services.NotYourTeam):
            book()


@pytest.mark.parametrize("organisation_role", list(OrganisationRole))
def test_nobody_books_for_a_team_that_is_not_theirs(organisation_role: OrganisationRole) -> None:
    person = make.user(organisation_role=organisation_role)

    with pytest.raises(services.NotYourTeam):
        services.admit(
            pool=make.pool(), team=make.team(), requested_by=person, wish=make.wish(), now=make.NOON
        )


# --- the nearest yes ---------------------------------------------------------------------------


def test_a_full_pool_offers_the_first_window_that_fits_and_it_is_accepted() -> None:
    pool = slices(1)
    make.reservation(of=pool, at=make.window(0, 6))
    make.reservation(of=pool, at=make.window(8, 9))

    with pytest.raises(services.PoolFull) as refused:
        make.admitted(of=pool, wish=make.wish(at=make.window(1, 5)))

    assert refused.value.nearest == make.window(9, 13)
    assert "starts at 2026-03-01 21:00 UTC" in str(refused.value)
    make.admitted(of=pool, wish=make.wish(at=refused.value.nearest))


def test_a_pool_that_stays_full_offers_nothing() -> None:
    pool = slices(1)
    make.reservation(of=pool, at=Window(make.at(0), make.at(0) + policy.LONGEST))
    make.reservation(
        of=pool, at=Window(make.at(0) + policy.LONGEST, make.at(0) + policy.LONGEST * 2)
    )

    with pytest.raises(services.PoolFull, match="no window of this length has room") as refused:
        make.admitted(of=pool, wish=make.wish(at=make.window(1, 5)))

    assert refused.value.nearest is None


def test_no_window_is_offered_that_the_rules_would_refuse() -> None:
    pool = slices(1)
    horizon = make.NOON + policy.HORIZON
    make.reservation(of=pool, at=Window(horizon - timedelta(days=1), horizon + timedelta(days=1)))

    with pytest.raises(services.PoolFull) as refused:
        make.admitted(
            of=pool,
            wish=make.wish(at=Window(horizon - timedelta(hours=4), horizon)),
        )

    assert refused.value.nearest is None


# --- the default share -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "devices", [{SLICE: 4, GPU: 1}, {SLICE: 3}, {GPU: 7}, {SLICE: 1, GPU: 8}, {"x.com/tiny": 96}]
)
def test_every_device_of_a_node_can_be_booked_with_its_default_share(
    devices: dict[str, int],
) -> None:
    pool = make.pool(devices=devices)
    whole = Node.objects.get(pool=pool)

    size = resource_types.pool_size(pool)
    shares = [
        (services.default_share(each, size=size), each.devices) for each in resource_types.of(pool)
    ]

    assert sum(share.cpu_millicores * count for share, count in shares) <= whole.cpu_millicores
    assert sum(share.memory_mib * count for share, count in shares) <= whole.memory_mib


def test_the_default_share_of_the_reference_installation() -> None:
    pool = make.pool()
    gpu, mig_slice = resource_types.of(pool)
    size = resource_types.pool_size(pool)

    assert services.default_share(gpu, size=size) == Demand(1, 64_000, 380 * 1024, 600)
    assert services.default_share(mig_slice, size=size) == Demand(1, 15_000, 93 * 1024, 600)


def test_bookings_stay_with_a_node_that_changes_pools() -> None:
    old = make.pool(devices={make.GPU: 1})
    moved = old.nodes.get()
    make.reservation(of=old, resource_name=make.GPU, at=make.window(1, 5))
    new = make.pool(of=old.cluster, nodes=0)
    type(moved).objects.filter(pk=moved.pk).update(pool=new)

    with pytest.raises(services.PoolFull):
        make.admitted(of=new, wish=make.wish(resource_name=make.GPU))


@pytest.mark.django_db(transaction=True)
def test_a_device_given_back_after_our_now_is_offered_again_and_is_no_crash() -> None:
    pool = make.pool(devices={make.GPU: 1})
    before = make.reservation(
        of=pool,
        resource_name=make.GPU,
        at=make.window(-1, 5),
        state=lifecycle.State.ACTIVE,
    )
    given_back_at = make.NOON + timedelta(seconds=1)
    services.give_back(reservation=before, actor=before.requested_by, now=given_back_at)
    wish = make.wish(resource_name=make.GPU, at=make.window(0, 4))

    with pytest.raises(locks.LockBusy, match="try again"):
        make.admitted(of=pool, wish=wish, now=make.NOON)
    later = make.wish(resource_name=make.GPU, at=Window(given_back_at, make.at(4)))
    make.admitted(of=pool, wish=later, now=given_back_at)


@pytest.mark.django_db(transaction=True)
def test_another_persons_number_is_no_reason_to_try_again() -> None:
    pool = make.pool()
    first = make.admitted(of=pool, wish=make.wish())
    stolen = dataclasses.replace(make.wish(), public_id=first.public_id)

    with pytest.raises(IntegrityError, match="public_id"):
        make.admitted(of=pool, wish=stolen)
