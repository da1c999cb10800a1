"""What is at work, what is quiet, and what is not known; and what follows from it on a cluster."""

import math

import pytest

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory.models import Device
from reconciler import metering, presence
from reconciler.cluster import Ref
from reservations import services as reservation_services
from reservations.models import Reservation
from sessions import services
from sessions.models import WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation
from tests.reconciler.test_cycle import booked, state_of
from tests.reconciler.test_metering import run_exporter, show_gpus, whole_gpu
from tokenomics.core.exposition import BadExposition

RULES = {"idle_minutes": 3, "idle_pause_minutes": 5, "idle_release_minutes": 10}
QUIET = 'workspace_quiet_seconds{source="terminals"} 900\nworkspace_probe_failed 0\n'


@pytest.mark.parametrize(
    ("gpus", "made_tokens", "quiet_for", "found"),
    [
        ([0.0, 0.0], False, 500, False),
        ([0.0, 0.009], False, math.inf, False),
        ([0.0, 0.01], False, 500, True),
        ([0.0, 0.0], True, 500, True),
        ([0.0, 0.0], False, 119, True),
        ([0.0, 0.0], False, None, None),
        ([0.0, None], False, 500, None),
        ([0.0], False, 500, None),  # one of two was not seen
        ([], False, 500, None),
        ([0.5], False, None, True),  # work anywhere is work
        ([None], True, None, True),
        ([], False, 5, True),
    ],
)
def test_quiet_is_what_every_probe_found_quiet(
    gpus: list[float | None], quiet_for: float | None, *, made_tokens: bool, found: bool | None
) -> None:
    at_work = presence.is_at_work(
        gpus=gpus, devices=2, made_tokens=made_tokens, quiet_for=quiet_for
    )

    assert at_work is found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (QUIET, 900),
        (QUIET + 'workspace_quiet_seconds{source="kernels"} 30\n', 30),
        ('workspace_quiet_seconds{source="a"} 9\nworkspace_probe_failed{source="b"} 1\n', None),
        ("workspace_probe_failed 0\n", None),
        ("something_else 1\n", None),
        ("workspace_quiet_seconds -5\n", None),
        ("workspace_quiet_seconds NaN\n", None),
    ],
)
def test_a_probe_that_failed_is_not_known(text: str, seconds: float | None) -> None:
    assert presence.quiet_in(text) == seconds


def test_nonsense_is_no_quiet() -> None:
    with pytest.raises(BadExposition):
        presence.quiet_in("what is this\n")


@pytest.fixture
def reservation(installation: Installation, simulator: Simulator) -> Reservation:
    """A booking from noon to four that was opened, its one device whole, in a pool with rules."""
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    reservation_services.set_pool_rules(
        pool=installation.pool, changes=RULES, actor=admin, now=make.NOON
    )
    made = booked(installation, 0, 4)
    installation.reconcile()
    device = made.holds.get().device
    Device.objects.filter(pk=device.pk).update(uuid="GPU-1", compute_share=1)
    session = WorkspaceSession.objects.get()
    services.record_visit(session=session, actor=made.requested_by, now=installation.now)
    run_exporter(installation, simulator, whole_gpu(1_000, 0.0))
    show(installation, simulator, QUIET)
    return made


def show(installation: Installation, simulator: Simulator, text: str) -> None:
    namespace = WorkspaceSession.objects.get().namespace
    pods = installation.kube.find("v1", "Pod", namespace=namespace)
    pod = presence.workspaces_among(pods)[namespace]
    simulator.show(f"{namespace}/{pod}:{presence.PORT}/metrics", text)


def minutes(installation: Installation, first: int, last: int) -> None:
    """Read the meters and reconcile each minute, as the two tasks do."""
    for minute in range(first, last + 1):
        installation.at(minute / 60)
        metering.read(cluster=installation.row, kube=installation.kube, clock=installation.clock)
        installation.reconcile()


def replicas(installation: Installation) -> int:
    namespace = WorkspaceSession.objects.get().namespace
    found = installation.kube.get(Ref("apps/v1", "Deployment", "workspace", namespace))
    assert found is not None
    count: int = found["spec"]["replicas"]
    return count


def test_what_is_quiet_is_paused_and_then_given_back(
    installation: Installation, reservation: Reservation
) -> None:
    minutes(installation, 1, 5)
    assert replicas(installation) == 1
    assert WorkspaceSession.objects.get().idle_told_at is not None

    minutes(installation, 6, 8)
    assert replicas(installation) == 0
    assert state_of(reservation) == ("ACTIVE", "READY")
    assert reservation.holds.count() == 1

    minutes(installation, 9, 15)
    assert state_of(reservation) == ("COMPLETED", "ENDED")
    reservation.refresh_from_db()
    assert reservation.was_idle


def test_what_is_resumed_runs_again(installation: Installation, reservation: Reservation) -> None:
    minutes(installation, 1, 8)
    assert replicas(installation) == 0

    session = WorkspaceSession.objects.get()
    services.resume(session=session, actor=reservation.requested_by, now=installation.now)
    minutes(installation, 9, 11)

    assert replicas(installation) == 1
    assert state_of(reservation) == ("ACTIVE", "READY")


@pytest.mark.parametrize(
    "activity",
    ["", "nonsense {", QUIET.replace("failed 0", "failed 1"), QUIET.replace(" 900", " 5")],
)
def test_a_probe_that_cannot_tell_or_finds_work_takes_nothing_away(
    installation: Installation, simulator: Simulator, reservation: Reservation, activity: str
) -> None:
    show(installation, simulator, activity)

    minutes(installation, 1, 6)

    assert state_of(reservation) == ("ACTIVE", "READY")
    assert WorkspaceSession.objects.get().idle_told_at is None


@pytest.mark.parametrize("gpus", ["", whole_gpu(1_000, 0.4), whole_gpu(1_000, 0.0, "GPU-2", 5)])
def test_a_gpu_at_work_or_not_seen_takes_nothing_away(
    installation: Installation, simulator: Simulator, reservation: Reservation, gpus: str
) -> None:
    show_gpus(simulator, gpus)

    minutes(installation, 1, 6)

    assert state_of(reservation) == ("ACTIVE", "READY")
    assert WorkspaceSession.objects.get().idle_told_at is None


def test_a_probe_that_crashes_is_not_known(
    installation: Installation, reservation: Reservation
) -> None:
    class Broken:
        def read_pod(self, *_: object, **__: object) -> str:
            raise RuntimeError("broken")

    assert presence.quiet_seconds(Broken(), "n", "pod") is None  # type: ignore[arg-type]
    assert presence.quiet_seconds(installation.kube, "n", None) is None
    assert presence.quiet_seconds(installation.kube, "nowhere", "nobody") is None
