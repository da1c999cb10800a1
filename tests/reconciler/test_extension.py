"""A booking that ends later, in the cluster."""

from reconciler import naming
from reconciler.cluster import Ref
from reservations import services
from reservations.models import Reservation
from sessions.models import WorkspaceSession
from tests import make
from tests.reconciler.conftest import Installation


def states(of: Reservation) -> tuple[str, str]:
    of.refresh_from_db()
    return of.state, WorkspaceSession.objects.get(reservation=of).state


def test_the_running_session_learns_of_the_new_end_and_outlives_the_old(
    installation: Installation,
) -> None:
    mine = make.reservation(of=installation.pool, at=make.window(0, 2))
    installation.reconcile()
    mine.refresh_from_db()
    name = WorkspaceSession.objects.get(reservation=mine).namespace

    services.extend(
        reservation=mine, ends_at=make.at(4), actor=mine.requested_by, now=installation.now
    )
    report = installation.reconcile()

    assert report.changes == [f"apply Namespace {name}"]
    namespace = installation.kube.get(Ref("v1", "Namespace", name))
    assert namespace is not None
    told = namespace["metadata"]["annotations"][naming.ENDS_AT_ANNOTATION]
    assert told == make.at(4).isoformat()

    installation.at(2).reconcile()
    assert states(mine) == ("ACTIVE", "READY")
    installation.at(4).reconcile()
    assert states(mine) == ("COMPLETED", "ENDED")
