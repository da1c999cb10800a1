"""A device that failed before its booking began: nothing is started on it."""

import pytest

from gpuaas.inventory.models import Device, DeviceState
from reconciler import tasks
from reservations import services
from reservations.lifecycle import State
from sessions.models import WorkspaceSession
from tests import make
from tests.make import GPU
from tests.reconciler.conftest import Installation


def test_a_booking_waits_for_its_device_and_fails_with_the_reason(
    installation: Installation,
) -> None:
    booked = make.reservation(of=installation.pool, at=make.window(0, 4), resource_name=GPU)
    Device.objects.filter(resource_name=GPU).update(state=DeviceState.FAILED)
    services.heal(pool=installation.pool, now=make.NOON)
    installation.reconcile()

    report = installation.reconcile()
    booked.refresh_from_db()
    assert (booked.state, report.changes, report.looks) == ("APPROVED", [], 1)
    assert not WorkspaceSession.objects.exists()

    installation.at(4).reconcile()
    booked.refresh_from_db()
    assert booked.state == "FAILED"
    assert "GPU #0" in booked.state_reason


def test_it_starts_as_soon_as_the_device_is_back(installation: Installation) -> None:
    booked = make.reservation(of=installation.pool, at=make.window(0, 4), resource_name=GPU)
    Device.objects.filter(resource_name=GPU).update(state=DeviceState.FAILED)
    installation.reconcile()
    Device.objects.filter(resource_name=GPU).update(state=DeviceState.IN_SERVICE)

    installation.at(1).reconcile()

    booked.refresh_from_db()
    assert booked.state == "ACTIVE"


def test_a_moved_booking_starts_on_its_new_device(installation: Installation) -> None:
    booked = make.reservation(of=installation.pool, at=make.window(0, 4))
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=installation.pool, now=make.NOON)

    installation.reconcile()

    booked.refresh_from_db()
    assert booked.state == "ACTIVE"
    assert booked.holds.get().device.state == DeviceState.IN_SERVICE


@pytest.mark.django_db
def test_the_task_heals_every_pool() -> None:
    tasks.heal()


@pytest.mark.django_db
def test_the_task_tends_what_is_held_and_who_waits() -> None:
    held = make.reservation(state=State.PENDING)

    tasks.tend()

    held.refresh_from_db()
    assert held.state == "CANCELED"
