"""Planning that a GPU is cut otherwise: what can be booked when, and what stands in the way."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import layouts, resource_types, selectors
from gpuaas.inventory import services as hardware
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, PlannedLayout, Pool
from reservations import availability, calendar, lifecycle, services
from reservations import selectors as booked
from reservations.capacity import Window
from reservations.models import DeviceHold
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
HALF = "nvidia.com/mig-2g.48gb"


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


@pytest.fixture
def pool() -> Pool:
    """Return a pool of the reference node, whose operator is told from here; nothing is shared."""
    pool = make.pool()
    Cluster.objects.filter(pk=pool.cluster_id).update(gpu_operator_namespace="gpu-operator")
    Device.objects.filter(node__pool=pool).update(replicas=1)
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    return pool


def node(pool: Pool) -> Node:
    return Node.objects.select_related("pool", "cluster").get(pool=pool)


def plan(
    pool: Pool,
    admin: User,
    *,
    hours: tuple[float, float] = (10, 20),
    cut: Mapping[str, int] | None = None,
    gpu: int = 0,
    reason: str = "a large model",
) -> PlannedLayout:
    return services.plan_layout(
        node=node(pool),
        gpu_index=gpu,
        cut={GPU: 1} if cut is None else cut,
        times=layouts.Times(make.at(hours[0]), make.at(hours[1])),
        reason=reason,
        actor=admin,
        now=make.NOON,
    )


def refusal(pool: Pool, admin: User, **changes: object) -> dict[str, str]:
    with pytest.raises(hardware.LayoutRefused) as refused:
        plan(pool, admin, **changes)  # type: ignore[arg-type]
    assert not PlannedLayout.objects.exclude(state="over").exclude(reason="the first").exists()
    return {problem.code: problem.message for problem in refused.value.problems}


def can_book(pool: Pool, hours: tuple[float, float], *, name: str = SLICE, units: int = 1) -> bool:
    """Return whether it can be booked, with the whole of admission, and take it back."""
    point = transaction.savepoint()
    try:
        make.admitted(
            of=pool,
            wish=make.wish(resource_name=name, units=units, at=make.window(*hours), storage_gib=10),
        )
    except services.PoolFull:
        return False
    except services.WishRefused:
        return False
    finally:
        transaction.savepoint_rollback(point)
    return True


@pytest.mark.parametrize(
    ("hours", "name", "units", "is_free"),
    [
        ((5, 10), SLICE, 4, True),
        ((5, 10.1), SLICE, 1, False),
        ((10, 10.5), SLICE, 1, False),
        ((11, 15), SLICE, 1, False),
        ((20, 21), SLICE, 1, False),
        ((20.25, 22), SLICE, 4, True),
        ((5, 10), GPU, 2, False),
        ((5, 10), GPU, 1, True),
        ((5, 12), GPU, 1, False),  # the node is closed while it is cut
        ((10.25, 20), GPU, 2, True),
        ((10.2, 20), GPU, 1, False),
        ((10.25, 20.1), GPU, 1, False),
        ((20.25, 22), GPU, 1, True),
        ((20.25, 22), GPU, 2, False),
    ],
)
@pytest.mark.parametrize("reported", [None, {SLICE: 4, GPU: 1}])
def test_what_exists_can_be_booked_and_nothing_else(
    pool: Pool,
    admin: User,
    hours: tuple[float, float],
    name: str,
    units: int,
    is_free: bool,
    reported: dict[str, int] | None,
) -> None:
    Node.objects.filter(pool=pool).update(reported_devices=reported)
    plan(pool, admin)

    assert can_book(pool, hours, name=name, units=units) == is_free


def test_a_device_that_the_cluster_does_not_show_is_not_made_up_for(
    pool: Pool, admin: User
) -> None:
    Node.objects.filter(pool=pool).update(reported_devices={SLICE: 4, GPU: 0})
    plan(pool, admin)

    assert not can_book(pool, (5, 9), name=GPU)
    assert can_book(pool, (11, 15), name=GPU)
    assert not can_book(pool, (11, 15), name=GPU, units=2)
    assert not can_book(pool, (21, 25), name=GPU)


def test_the_database_itself_refuses_a_device_that_does_not_exist(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    gone = Device.objects.filter(resource_name=SLICE).first()
    assert gone is not None
    reservation = make.reservation(of=pool, at=make.window(11, 12), devices=[])

    for device, window in ((gone, (11, 12)), (layout.devices.get(), (1, 2))):
        during = TimestamptzRange(make.at(window[0]), make.at(window[1]))
        with (
            pytest.raises(IntegrityError, match="device_held_once_at_a_time"),
            transaction.atomic(),
        ):
            DeviceHold.objects.create(reservation=reservation, device=device, during=during)


def test_free_hours_and_windows_and_the_calendar_know(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    since = make.at(8)

    slices = calendar.free_by_hour(pool, resource_name=SLICE, since=since, hours=15)
    whole = calendar.free_by_hour(pool, resource_name=GPU, since=since, hours=15)

    assert slices == [4, 4, *[0] * 11, 4, 4]
    assert whole == [1, 1, 0, *[2] * 9, 0, 1, 1]
    [free] = [
        each for each in availability.of(pool, now=make.NOON) if each.type.resource_name == SLICE
    ]
    assert (free.free_now, free.free_until) == (4, make.at(10))
    [free] = [
        each for each in availability.of(pool, now=make.NOON) if each.type.resource_name == GPU
    ]
    assert (free.free_now, free.type.devices, free.type.devices_per_node) == (1, 1, 2)
    assert free.more_free_at == make.at(10.25)
    rows = calendar.rows(pool, within=Window(make.at(0), make.at(30)), seen_by=admin, now=make.NOON)
    absent = {
        (row.device.resource_name, row.device.gpu_index): [
            (entry.starts_at, entry.ends_at) for entry in row.entries
        ]
        for row in rows
    }
    assert absent == {
        (SLICE, 0): [(make.at(10), make.at(20.25))],
        (GPU, 1): [],
        (GPU, 0): [(make.at(0), make.at(10.25)), (make.at(20), make.at(30))],
    }
    assert {entry.whose for row in rows for entry in row.entries} == {calendar.ABSENT}
    assert list(selectors.coming_layouts(now=make.NOON)) == [layout]


def test_shares_of_cpu_and_memory_stay_what_they_were(pool: Pool, admin: User) -> None:
    before = resource_types.pool_size(pool), resource_types.called(pool, SLICE)

    plan(pool, admin)

    assert (resource_types.pool_size(pool), resource_types.called(pool, SLICE)) == before
    found = resource_types.called(pool, GPU)
    assert found is not None
    assert found[1] == before[0]


def test_a_bookings_peak_counts_within_its_own_cut(pool: Pool, admin: User) -> None:
    plan(pool, admin)
    for hours in ((8, 10), (20.25, 22)):
        make.admitted(of=pool, wish=make.wish(units=4, at=make.window(*hours), storage_gib=10))
    make.admitted(
        of=pool, wish=make.wish(resource_name=GPU, units=2, at=make.window(11, 12), storage_gib=10)
    )

    assert booked.overbooked(pool, now=make.NOON) == []
    assert services.heal(pool=pool, now=make.NOON) == services.Healing()


def test_one_node_may_be_cut_while_others_are_not(pool: Pool, admin: User) -> None:
    other = make.node(of=pool, devices={SLICE: 1})
    here = Node.objects.exclude(pk=other.pk).select_related("pool", "cluster").get(pool=pool)
    services.plan_layout(
        node=here,
        gpu_index=0,
        cut={HALF: 2},
        times=layouts.Times(make.at(10), make.at(20)),
        reason="halves",
        actor=admin,
        now=make.NOON,
    )

    found = make.admitted(of=pool, wish=make.wish(at=make.window(8, 12), storage_gib=10))

    assert found.node == other
    assert can_book(pool, (11, 12), name=HALF, units=2)
    halves = Device.objects.filter(resource_name=HALF)
    assert {(d.memory_mib, str(d.compute_share), d.ordinal) for d in halves} == {
        (45776, "0.5000", 100),
        (45776, "0.5000", 101),
    }


def test_bookings_in_the_way_are_named_with_the_nearest_time(pool: Pool, admin: User) -> None:
    mine = make.reservation(of=pool, at=make.window(12, 14))
    also = make.reservation(of=pool, at=make.window(8, 11), resource_name=GPU)
    make.reservation(of=pool, at=make.window(30, 31), state=lifecycle.State.CANCELED)
    make.reservation(of=pool, at=make.window(15, 16), resource_name=GPU)  # within is no matter

    said = refusal(pool, admin)

    assert set(said) == {"bookings_in_the_way"}
    message = said["bookings_in_the_way"]
    assert message.startswith("2 bookings would lose what was promised: ")
    assert f"{also.public_id} of {also.team.name} (2026-03-01 20:00 UTC to" in message
    assert str(mine.public_id) in message
    assert message.endswith("it would fit from 2026-03-02 02:00 UTC until 2026-03-02 12:00 UTC")
    plan(pool, admin, hours=(14, 24))


def test_many_in_the_way_are_counted(pool: Pool, admin: User) -> None:
    for hour in range(10, 17):
        make.reservation(of=pool, at=make.window(hour, hour + 1))

    assert " and 2 more" in refusal(pool, admin)["bookings_in_the_way"]


def test_where_nothing_fits_for_two_years_nothing_is_offered(pool: Pool, admin: User) -> None:
    PlannedLayout.objects.create(
        node=node(pool),
        gpu_index=1,
        cut={HALF: 2},
        starts_at=make.at(0),
        ends_at=make.at(24 * 1000),
        reason="the first",
        state_changed_at=make.NOON,
        created_by=admin,
        created_at=make.NOON,
    )

    assert "would fit" not in refusal(pool, admin)["layout_overlaps"]


def test_whoever_was_promised_slots_keeps_them(pool: Pool, admin: User) -> None:
    Device.objects.filter(resource_name=GPU).update(replicas=4)
    make.reservation(of=pool, at=make.window(12, 14), resource_name=GPU)

    # A second whole GPU on the node would leave one slot of the four that were promised.
    assert set(refusal(pool, admin)) == {"bookings_in_the_way"}
    plan(pool, admin, cut={HALF: 2})


def test_two_layouts_of_a_node_do_not_overlap(pool: Pool, admin: User) -> None:
    plan(pool, admin, reason="the first")

    said = refusal(pool, admin, hours=(20, 30), cut={HALF: 2})

    assert set(said) == {"layout_overlaps"}
    assert "it would fit from 2026-03-02 08:15 UTC" in said["layout_overlaps"]
    second = plan(pool, admin, hours=(20.25, 30), cut={HALF: 2})
    assert str(second).endswith("GPU 0 as 2 slices of 2g.48gb")
    third = plan(pool, admin, hours=(40, 50))
    assert [each.ordinal for each in third.devices.all()] == [101]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": " "}, "reason_missing"),
        ({"hours": (10, 10.5)}, "layout_too_short"),
        ({"gpu": 3}, "gpu_unknown"),
        ({"cut": {}}, "cut_empty"),
        ({"cut": {SLICE: 0}}, "cut_empty"),
        ({"cut": {SLICE: 4}}, "cut_unchanged"),
        ({"cut": {"nvidia.com/mig-9g.9gb": 1}}, "cut_unknown"),
        ({"cut": {HALF: 3}}, "cut_impossible"),
        ({"cut": {GPU: 1, SLICE: 1}}, "cut_impossible"),
    ],
)
def test_what_cannot_be_is_refused(
    pool: Pool, admin: User, changes: dict[str, object], code: str
) -> None:
    assert code in refusal(pool, admin, **changes)


def test_a_node_that_nobody_could_cut_is_refused(pool: Pool, admin: User) -> None:
    Cluster.objects.update(gpu_operator_namespace="")
    Node.objects.update(pool=None)
    found = Node.objects.select_related("pool", "cluster").get()
    Device.objects.update(gpu_index=None)

    with pytest.raises(hardware.LayoutRefused) as refused:
        services.plan_layout(
            node=found,
            gpu_index=0,
            cut={GPU: 1},
            times=layouts.Times(make.at(10), make.at(20)),
            reason="why",
            actor=admin,
            now=make.NOON,
        )

    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["operator_not_told", "node_without_pool", "gpu_unknown"]


def test_only_platform_administrators(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    with pytest.raises(hardware.PlatformAdminsOnly):
        plan(pool, make.user())
    with pytest.raises(hardware.PlatformAdminsOnly):
        services.cancel_layout(layout=layout, actor=make.user(), now=make.NOON)


def test_what_is_cancelled_is_as_if_it_had_never_been(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)

    services.cancel_layout(layout=layout, actor=admin, now=make.NOON)

    assert can_book(pool, (5, 25), units=4)
    assert not can_book(pool, (11, 12), name=GPU, units=2)
    assert layout.state == "canceled"
    trail = AuditEvent.objects.filter(subject=f"layout:{layout.pk}").order_by("pk")
    assert [each.action for each in trail] == ["layout.planned", "layout.advanced"]
    with pytest.raises(hardware.LayoutBegun, match="cancelled"):
        services.cancel_layout(layout=layout, actor=admin, now=make.NOON)
    plan(pool, admin)


def test_what_somebody_counts_on_is_not_cancelled(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    held = make.admitted(
        of=pool, wish=make.wish(resource_name=GPU, units=2, at=make.window(11, 12), storage_gib=10)
    )

    with pytest.raises(hardware.LayoutRefused, match=str(held.public_id)):
        services.cancel_layout(layout=layout, actor=admin, now=make.NOON)

    services.cancel(reservation=held, actor=held.requested_by, now=make.NOON)
    services.cancel_layout(layout=layout, actor=admin, now=make.NOON)


def test_what_has_begun_is_not_cancelled(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    step = layouts.Step(layouts.State.CLEARING)
    services.advance_layout(layout=layout, step=step, shown={}, now=make.at(10))

    with pytest.raises(hardware.LayoutBegun, match="goes back at 2026-03-02 08:00 UTC"):
        services.cancel_layout(layout=layout, actor=admin, now=make.at(10))


def test_its_closures_are_not_taken_back_alone(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    [there, _] = layout.closures.all()

    with pytest.raises(hardware.ClosureRefused, match="cancel that one"):
        hardware.cancel_closure(closure=there, actor=admin, now=make.NOON)


def test_a_step_is_made_once(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    stale = PlannedLayout.objects.get(pk=layout.pk)
    step = layouts.Step(layouts.State.CLEARING)
    services.advance_layout(layout=layout, step=step, shown={}, now=make.at(10))

    with pytest.raises(hardware.StaleInventory):
        services.advance_layout(layout=stale, step=step, shown={}, now=make.at(10))
    with pytest.raises(hardware.StaleInventory):
        services.advance_layout(
            layout=layout, step=layouts.Step(layouts.State.OVER), shown={}, now=make.at(10)
        )


def test_it_is_told_once_that_it_is_late(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)

    assert hardware.note_late(layout=layout, reason="stuck", now=make.NOON)
    assert not hardware.note_late(layout=layout, reason="stuck", now=make.NOON)


def test_an_import_neither_sees_nor_retires_what_is_planned(pool: Pool, admin: User) -> None:
    before = selectors.as_file(pool.cluster)
    layout = plan(pool, admin)

    assert selectors.as_file(pool.cluster) == before
    hardware.import_file(content=before.encode(), actor=admin, now=make.NOON)
    assert layout.devices.get().state == DeviceState.IN_SERVICE


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=1)])
def test_nothing_starts_on_a_node_whose_cut_is_due(
    pool: Pool, admin: User, late: timedelta
) -> None:
    plan(pool, admin)
    make.admitted(
        of=pool, wish=make.wish(resource_name=GPU, at=make.window(10.25, 15), storage_gib=10)
    )

    due: datetime = make.at(10.25) + late

    assert list(booked.due_to_start(pool.cluster, now=due)) == []


def test_without_new_numbers_the_old_ones_stay(pool: Pool, admin: User) -> None:
    layout = plan(pool, admin)
    reported = Node.objects.get(pk=layout.node_id).reported_devices

    for to in (layouts.State.CLEARING, layouts.State.CUTTING, layouts.State.STANDS):
        hardware.advance(layout=layout, to=to, reason="", actor=None, now=make.at(10))
        layout.refresh_from_db()

    assert Node.objects.get(pk=layout.node_id).reported_devices == reported
    assert Device.objects.filter(layout=layout, is_present=True).exists()
