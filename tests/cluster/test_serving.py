"""What `serve` writes, applied with a tenant's rights and with every guard in force."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client as official

from gpuaas_serve import manifests
from gpuaas_serve.engines import ENGINES
from reconciler.cluster import Cluster, Ref
from sessions.models import SessionState
from tests.cluster import conftest, objects
from tests.cluster.test_whole_life import Product
from tests.cluster.test_whole_life import product as product  # noqa: PLC0414 -- a fixture
from tests.cluster.waiting import eventually


@pytest.mark.django_db(transaction=True)
def test_a_tenant_serves_a_model_with_the_slot_that_is_left(
    product: Product, cluster: Cluster, official_client: Callable[..., Any]
) -> None:
    reservation = product.book(units=2)
    session = product.reconcile_until(reservation, SessionState.READY)
    api = official_client(user=reservation.requested_by.get_username())
    with conftest.policies_in_force(cluster):
        for engine in ENGINES:
            _serve(api, session.namespace, engine, slots=1 if engine == "vllm" else 0)

    def is_up() -> bool:
        found = cluster.get(Ref("apps/v1", "Deployment", "vllm", session.namespace))
        return bool(found and found.get("status", {}).get("availableReplicas"))

    eventually(is_up)


def _serve(api: Any, namespace: str, engine: str, *, slots: int) -> None:
    deployment, service = manifests.of_server(
        manifests.Server(
            name=engine,
            engine=engine,
            model="lab/model",
            gpu_resource=objects.SLICE,
            slots=slots,
            cpu=1,
            memory_gib=1,
            recorder_image="registry.example/workspace:1",
        )
    )
    official.AppsV1Api(api).create_namespaced_deployment(namespace, deployment)
    official.CoreV1Api(api).create_namespaced_service(namespace, service)
