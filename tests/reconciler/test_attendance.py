"""The reconciler sees who uses what they booked."""

from typing import Any

import pytest

from gpuaas.accounts.models import OrganisationRole
from reconciler.cluster import Ref
from reconciler.observe import Picture
from reconciler.phases import attendance
from reservations import services
from reservations.models import Reservation
from sessions.models import WorkspaceSession
from tests import make
from tests.reconciler.conftest import Installation
from tests.reconciler.test_cycle import booked, state_of

RULES = {"no_show_minutes": 5, "idle_minutes": 8}


@pytest.fixture
def reservation(installation: Installation) -> Reservation:
    """A booking from noon to four, of a pool with rules, its workspace ready."""
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    services.set_pool_rules(pool=installation.pool, changes=RULES, actor=admin, now=make.NOON)
    made = booked(installation, 0, 4)
    installation.reconcile()
    return made


def look_every_minute(installation: Installation, first: int, last: int) -> None:
    for minute in range(first, last + 1):
        installation.at(minute / 60).reconcile()


def run_a_pod(installation: Installation) -> None:
    session = WorkspaceSession.objects.get()
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mine", "namespace": session.namespace},
        "spec": {"containers": [{"name": "mine", "image": "busybox"}]},
    }
    installation.kube.apply(pod)


def test_what_nobody_came_for_goes_and_its_time_is_free(
    installation: Installation, reservation: Reservation
) -> None:
    look_every_minute(installation, 1, 5)
    assert state_of(reservation) == ("ACTIVE", "READY")

    look_every_minute(installation, 6, 8)

    assert state_of(reservation) == ("COMPLETED", "ENDED")
    assert reservation.is_no_show
    assert installation.objects() == set()


def test_whoever_runs_pods_of_their_own_came(
    installation: Installation, reservation: Reservation
) -> None:
    run_a_pod(installation)

    look_every_minute(installation, 1, 12)

    assert state_of(reservation) == ("ACTIVE", "READY")
    assert WorkspaceSession.objects.get().active_at is not None


def test_while_nobody_looked_nobody_was_absent(
    installation: Installation, reservation: Reservation
) -> None:
    look_every_minute(installation, 1, 4)

    look_every_minute(installation, 60, 64)
    assert state_of(reservation) == ("ACTIVE", "READY")
    look_every_minute(installation, 65, 67)
    assert state_of(reservation)[0] == "COMPLETED"


def test_a_dry_run_gives_nothing_back(installation: Installation, reservation: Reservation) -> None:
    look_every_minute(installation, 1, 5)

    installation.at(5.9 / 60).reconcile(dry_run=True)

    assert state_of(reservation) == ("ACTIVE", "READY")


@pytest.mark.parametrize(
    ("quota", "deployment", "found"),
    [
        ({"status": {"used": {"pods": "1"}}}, {"status": {"replicas": 1}}, False),
        ({"status": {"used": {"pods": "2"}}}, {"status": {"replicas": 1}}, True),
        ({"status": {"used": {"pods": "1"}}}, {"status": {}}, False),
        ({"status": {"used": {}}}, {"status": {"replicas": 1}}, None),
        ({}, {"status": {"replicas": 1}}, None),
        (None, {"status": {"replicas": 1}}, None),
        ({"status": {"used": {"pods": "2"}}}, None, None),
    ],
)
def test_the_quota_tells_whose_pods_run(
    quota: dict[str, Any] | None, deployment: dict[str, Any] | None, *, found: bool | None
) -> None:
    session = WorkspaceSession(namespace="s-1")
    refs = {
        Ref("v1", "ResourceQuota", "gpuaas", "s-1"): quota,
        Ref("apps/v1", "Deployment", "workspace", "s-1"): deployment,
    }
    picture = Picture({ref: each for ref, each in refs.items() if each is not None})

    assert attendance.has_own_pods(picture, session) is found
