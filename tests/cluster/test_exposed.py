"""A workspace that is reached from outside, on the simulated cluster and on the control plane."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.idp.oidc.models import Client
from django.utils import timezone

from gpuaas.inventory.models import Cluster as ClusterRow
from gpuaas.inventory.models import Exposure
from reconciler import naming
from reconciler.cluster import Ref
from reconciler.manifests import exposure
from reservations import services
from sessions.models import SessionState
from tests.cluster import kinds
from tests.cluster.test_whole_life import Product
from tests.cluster.test_whole_life import product as product  # noqa: PLC0414 -- a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def expose(row: ClusterRow, how: Exposure) -> None:
    """Have the workspaces of a cluster exposed from now on."""
    row.exposure = how
    row.workspace_url_template = "https://{namespace}.apps.example.com/"
    row.gateway = "gateways/public" if how == Exposure.GATEWAY else ""
    row.full_clean()
    row.save()


@pytest.mark.parametrize("how", [Exposure.INGRESS, Exposure.ROUTE, Exposure.GATEWAY])
def test_the_way_in_comes_with_the_workspace_and_goes_with_it(
    product: Product, official_client: Callable[..., Any], how: Exposure
) -> None:
    api_version, kind = exposure.KINDS[how.value]
    if how is not Exposure.INGRESS:  # which every cluster has
        kinds.serve(official_client(), api_version, kind)
    expose(product.row, how)
    reservation = product.book()
    session = product.reconcile_until(reservation, SessionState.READY)
    way_in = Ref(*exposure.KINDS[how.value], naming.WORKSPACE, session.namespace)

    found = product.kube.get(way_in)
    assert found is not None
    assert f"{session.namespace}.apps.example.com" in str(found["spec"])
    assert Client.objects.filter(pk=f"workspace-{session.public_id}").exists()
    secret = product.kube.get(Ref("v1", "Secret", naming.DOOR, session.namespace))
    assert secret is not None
    assert secret["data"].keys() == {"client-secret", "cookie-secret"}
    assert product.reconcile().changes == [], "what stands is not written again"

    product.kube.delete(way_in, uid=found["metadata"]["uid"])
    assert product.reconcile().changes == [f"apply {way_in}"]

    reservation.refresh_from_db()
    services.give_back(reservation=reservation, actor=reservation.requested_by, now=timezone.now())
    product.reconcile_until(reservation, SessionState.ENDED)
    assert product.kube.get(way_in) is None
    assert not Client.objects.exists()


def test_a_session_reads_what_is_left_of_its_quota(product: Product) -> None:
    session = product.reconcile_until(product.book(units=2), SessionState.READY)
    product.reconcile()

    session.refresh_from_db()
    kept = session.quota
    assert kept.hard[f"requests.{session.reservation.resource_name}"] == "2"
    assert kept.used[f"requests.{session.reservation.resource_name}"] == "1"
    assert kept.used["requests.storage"] == "320Gi"
    assert kept.hard["requests.storage"] == "600Gi"
