"""Booking while hardware is closed, out of service or not reported."""

from datetime import datetime

import pytest

from gpuaas.inventory.models import Closure, ClosureKind, Device, DeviceState, Node, Pool
from reservations import availability, services
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 2})


def close(
    *, pool: Pool | None = None, node: Node | None = None, hours: tuple[float, float] = (2, 4)
) -> Closure:
    return Closure.objects.create(
        pool=pool,
        node=node,
        kind=ClosureKind.MAINTENANCE,
        starts_at=make.at(hours[0]),
        ends_at=make.at(hours[1]),
        reason="new firmware",
        created_by=make.user(),
        created_at=make.NOON,
    )


def nearest(pool: Pool, hours: tuple[float, float]) -> datetime | None:
    """Return when the first window starts that is offered, None when the wish is booked."""
    try:
        make.admitted(of=pool, wish=make.wish(at=make.window(*hours)))
    except services.PoolFull as full:
        return full.nearest.starts_at if full.nearest else None
    return None


@pytest.mark.parametrize("target", ["pool", "node"])
def test_what_is_closed_is_offered_from_its_opening_on(pool: Pool, target: str) -> None:
    if target == "pool":
        close(pool=pool)
    else:
        close(node=pool.nodes.get())

    assert nearest(pool, (1, 3)) == make.at(4)
    assert nearest(pool, (0, 2)) is None
    assert nearest(pool, (4, 6)) is None


def test_a_closure_that_was_cancelled_closes_nothing(pool: Pool) -> None:
    Closure.objects.filter(pk=close(pool=pool).pk).update(canceled_at=make.NOON)

    assert nearest(pool, (1, 3)) is None


def test_another_pools_closure_closes_nothing_here(pool: Pool) -> None:
    close(pool=make.pool())

    assert nearest(pool, (1, 3)) is None


@pytest.mark.parametrize("state", [s for s in DeviceState if s != DeviceState.IN_SERVICE])
def test_only_devices_in_service_are_booked(pool: Pool, state: DeviceState) -> None:
    first = Device.objects.filter(resource_name=SLICE).order_by("ordinal")[0]
    Device.objects.filter(pk=first.pk).update(state=state)

    booked = make.admitted(of=pool, wish=make.wish())

    assert first.pk not in booked.holds.values_list("device", flat=True)
    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish())


def test_a_booking_on_a_failed_device_leaves_the_others_free(pool: Pool) -> None:
    booked = make.admitted(of=pool, wish=make.wish())
    Device.objects.filter(pk__in=booked.holds.values("device")).update(state=DeviceState.FAILED)

    assert make.admitted(of=pool, wish=make.wish()).node == booked.node


def test_no_more_is_booked_than_the_cluster_reports(pool: Pool) -> None:
    pool.nodes.update(reported_devices={SLICE: 1})

    make.admitted(of=pool, wish=make.wish())

    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish())


def test_availability_knows_when_a_closure_begins_and_ends(pool: Pool) -> None:
    close(pool=pool)

    (before,) = availability.of(pool, now=make.NOON)
    (during,) = availability.of(pool, now=make.at(3))

    assert (before.free_now, before.free_until) == (2, make.at(2))
    assert (during.free_now, during.more_free_at) == (0, make.at(4))
