"""A node of the real control plane loses power in the middle of a session and at its end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from onebox import controlplane
from reconciler.cluster import Cluster, Ref, client
from reconciler.provision import is_available
from reservations import services
from sessions.models import SessionState
from tests.cluster import conftest
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.django_db(transaction=True),
]
NODE: Final = Ref("v1", "Node", "gpu-node-1")
# Sooner than the 50 s of Kubernetes, later than the 8 s in which a kubelet reports.
NOTICED_SOON: Final = ["--node-monitor-grace-period=16s", "--node-monitor-period=2s"]


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[controlplane.ControlPlane]:
    conftest.skip_without_control_plane()
    flags = {"kube-controller-manager": NOTICED_SOON}
    with controlplane.start(tmp_path, extra_flags=flags) as plane:
        yield plane


def _is_ready(kube: Cluster) -> bool:
    node = kube.get(NODE)
    assert node is not None
    return any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in node["status"]["conditions"]
    )


def test_a_session_outlives_an_outage_of_its_node_and_ends_after_one(
    plane: controlplane.ControlPlane, settings: Settings
) -> None:
    settings.INSTALLATION = INSTALLATION
    kube = client.connect(plane.kubeconfig)
    product = Product(kube)
    reservation = product.book()
    session = product.reconcile_until(reservation, SessionState.READY)
    workspace = Ref("apps/v1", "Deployment", "workspace", session.namespace)

    plane.lose_power(NODE.name)
    eventually(lambda: not _is_ready(kube))
    eventually(lambda: not is_available(kube.get(workspace) or {}))
    report = product.reconcile()
    session.refresh_from_db()
    reservation.refresh_from_db()
    assert list(report.waiting) == [f"repair:{session}"]
    assert report.put_off == {}
    assert (reservation.state, session.state) == ("ACTIVE", SessionState.READY)

    plane.restore_power(NODE.name)
    eventually(lambda: not product.reconcile().waiting)
    assert is_available(kube.get(workspace) or {})
    session.refresh_from_db()
    assert (session.state, session.waiting_for) == (SessionState.READY, "")
    story = list(session.events.values_list("message", flat=True))
    assert story[-1] == "Your workspace is complete again"

    plane.lose_power(NODE.name)
    services.give_back(reservation=reservation, actor=reservation.requested_by, now=timezone.now())
    product.reconcile()
    session.refresh_from_db()
    assert session.state == SessionState.STOPPING, "its pod cannot be seen to be gone"

    plane.restore_power(NODE.name)
    product.reconcile_until(reservation, SessionState.ENDED)
    assert product.objects() == set()
    kube.close()
