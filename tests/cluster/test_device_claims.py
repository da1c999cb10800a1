"""Sessions claim their devices by UUID: shown with the real scheduler and published slices."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import yaml
from django.utils import timezone
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException
from pytest_django.fixtures import Settings

from gpuaas.inventory.models import Device, DeviceState, Node
from onebox.state import ROOT
from reconciler import naming
from reconciler.cluster import Cluster, Manifest, Ref, ref_to
from reservations import services
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests.cluster import conftest, objects
from tests.cluster.test_least_privilege import _is_let_in, reconcilers_cluster
from tests.cluster.test_whole_life import INSTALLATION, Product
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE

__all__ = ["reconcilers_cluster"]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session"),
    pytest.mark.django_db(transaction=True),
]

ROLE = ROOT / "deploy" / "kubernetes" / "reconciler-dra.yaml"
API = "resource.k8s.io/v1"
DRIVER = "gpu.nvidia.com"
NODE = "gpu-node-1"
WHOLE_UUID = "GPU-00000000-0000-0000-0000-000000000001"
SLICE_UUIDS = [f"MIG-00000000-0000-0000-0000-00000000000{n}" for n in range(4)]


def device_class(kind: str) -> Manifest:
    chosen = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == '{kind}'"
    selectors = [{"cel": {"expression": chosen}}]
    name = f"{kind}.nvidia.com"
    return objects.manifest(API, "DeviceClass", "", name, spec={"selectors": selectors})


def published(*, generation: int = 1, slices: int = 4) -> Manifest:
    """Return the slice that NVIDIA's driver would publish for the reference node."""

    def device(name: str, kind: str, uuid: str) -> dict[str, Any]:
        named = {"type": kind, "uuid": uuid, "profile": "1g.24gb"}
        return {"name": name, "attributes": {k: {"string": v} for k, v in named.items()}}

    devices = [device("gpu-1", "gpu", WHOLE_UUID)]
    devices += [
        device(f"gpu-0-mig-1g24gb-{n}", "mig", uuid) for n, uuid in enumerate(SLICE_UUIDS[:slices])
    ]
    return objects.manifest(
        API,
        "ResourceSlice",
        "",
        "gpu-node-1-gpus",
        spec={
            "driver": DRIVER,
            "nodeName": NODE,
            "pool": {"name": NODE, "generation": generation, "resourceSliceCount": 1},
            "devices": devices,
        },
    )


@pytest.fixture
def driver(cluster: Cluster) -> Iterator[None]:
    """Publish the devices, and let the reconciler claim them."""
    made = [device_class("gpu"), device_class("mig"), published()]
    made += list(yaml.safe_load_all(ROLE.read_text()))
    for manifest in made:
        cluster.apply(manifest)
    yield
    for ref in map(ref_to, reversed(made)):
        if found := cluster.get(ref):
            cluster.delete(ref, uid=found["metadata"]["uid"])


@pytest.fixture
def product(
    driver: None, cluster: Cluster, reconcilers_cluster: Cluster, settings: Settings
) -> Iterator[Product]:
    settings.INSTALLATION = INSTALLATION
    eventually(lambda: _is_let_in(reconcilers_cluster))
    product = Product(reconcilers_cluster)
    product.row.gpu_backend = "dra"
    product.row.save()
    Device.objects.filter(resource_name=GPU).update(uuid=WHOLE_UUID)
    for ordinal, uuid in enumerate(SLICE_UUIDS):
        Device.objects.filter(resource_name=SLICE, ordinal=ordinal).update(uuid=uuid)
    yield product
    for ref in product.objects():
        if ref.kind == "Namespace" and (left := cluster.get(ref)) is not None:
            cluster.delete(ref, uid=left["metadata"]["uid"])


def pod(name: str, **changes: Any) -> Manifest:
    """Return a tenant's pod that uses the session's claim."""
    made = objects.pod("", name, cpu="100m", memory="64Mi")
    made["spec"]["resourceClaims"] = [{"name": "d", "resourceClaimName": naming.DEVICE_CLAIM}]
    made["spec"]["containers"][0]["resources"]["claims"] = [{"name": "d"}]
    made["spec"] |= changes
    return made


def is_running(core: Any, namespace: str, name: str) -> bool:
    return bool(core.read_namespaced_pod(name, namespace).status.phase == "Running")


def taken(cluster: Cluster, session: WorkspaceSession) -> tuple[set[str], set[str]]:
    """Return the devices of the session's claim, and the names of the pods that use it."""
    found = cluster.get(Ref(API, "ResourceClaim", naming.DEVICE_CLAIM, session.namespace))
    assert found is not None
    status = found["status"]
    results = status.get("allocation", {}).get("devices", {}).get("results", [])
    return {each["device"] for each in results}, {u["name"] for u in status.get("reservedFor", [])}


def uuids_of(reservation: Reservation) -> set[str]:
    return {hold.device.uuid or "" for hold in reservation.holds.select_related("device")}


def test_two_tenants_with_several_pods_each_never_share_a_device(
    product: Product, cluster: Cluster, official_client: Callable[..., Any]
) -> None:
    bookings = [product.book(), product.book()]
    sessions = [product.reconcile_until(each, SessionState.READY) for each in bookings]
    names = {f"gpu-0-mig-1g24gb-{n}": uuid for n, uuid in enumerate(SLICE_UUIDS)}

    for booking, session in zip(bookings, sessions, strict=True):
        core = official.CoreV1Api(official_client(user=booking.requested_by.get_username()))
        for name in ("one", "two", "three"):
            core.create_namespaced_pod(session.namespace, pod(name))
        for name in ("one", "two", "three"):
            eventually(partial(is_running, core, session.namespace, name))

    devices = []
    for booking, session in zip(bookings, sessions, strict=True):
        found, pods = taken(cluster, session)
        assert {names[each] for each in found} == uuids_of(booking)
        assert {"one", "two", "three"} <= pods
        assert len(pods) == 5  # and the workspace, and the holder
        devices.append(found)
    assert devices[0].isdisjoint(devices[1])
    assert product.reconcile().changes == []


def test_the_holder_keeps_the_device_while_nobody_uses_it(
    product: Product, cluster: Cluster, official_client: Callable[..., Any]
) -> None:
    booking = product.book()
    session = product.reconcile_until(booking, SessionState.READY)
    before, _ = taken(cluster, session)
    core = official.CoreV1Api(official_client(user=booking.requested_by.get_username()))

    deleted = {each.metadata.name for each in core.list_namespaced_pod(session.namespace).items}
    for name in deleted:
        core.delete_namespaced_pod(name, session.namespace)

    def is_held_again() -> bool:
        devices, pods = taken(cluster, session)
        return devices == before and bool(pods) and not pods & deleted

    eventually(is_held_again)


TRICKS: dict[str, Callable[[Any, str], object]] = {
    "template": lambda core, at: core.create_namespaced_pod(
        at, pod("t", resourceClaims=[{"name": "d", "resourceClaimTemplateName": "mine"}])
    ),
    "other-claim": lambda core, at: core.create_namespaced_pod(
        at, pod("o", resourceClaims=[{"name": "d", "resourceClaimName": "mine"}])
    ),
    "plugin": lambda core, at: core.create_namespaced_pod(at, objects.gpu_pod(at, SLICE)),
    "whole": lambda core, at: core.create_namespaced_pod(at, objects.gpu_pod(at, GPU)),
    "bridge": lambda core, at: core.create_namespaced_pod(
        at, objects.gpu_pod(at, "deviceclass.resource.kubernetes.io/mig.nvidia.com")
    ),
}


def test_a_tenant_gets_no_other_device(
    product: Product, official_client: Callable[..., Any]
) -> None:
    booking = product.book()
    session = product.reconcile_until(booking, SessionState.READY)
    api = official_client(user=booking.requested_by.get_username())
    core, claims = official.CoreV1Api(api), official.ResourceV1Api(api)
    at = session.namespace

    for name, trick in TRICKS.items():
        with pytest.raises(ApiException) as refused:
            trick(core, at)
        assert isinstance(refused.value, ApiException)
        assert refused.value.status in {403, 422}, name
    mine = {"metadata": {"name": "mine"}, "spec": {"devices": {"requests": []}}}
    changes: list[Callable[[], Any]] = [
        lambda: claims.create_namespaced_resource_claim(at, mine),
        lambda: claims.delete_namespaced_resource_claim(naming.DEVICE_CLAIM, at),
    ]
    for change in changes:
        with pytest.raises(ApiException) as refused:
            change()
        assert isinstance(refused.value, ApiException)
        assert refused.value.status == 403


def test_a_device_that_the_session_before_still_holds_is_waited_for(
    product: Product, cluster: Cluster
) -> None:
    first = product.book(units=4)
    before = product.reconcile_until(first, SessionState.READY)
    first.refresh_from_db()
    services.give_back(reservation=first, actor=first.requested_by, now=timezone.now())

    second = product.book(units=4)
    after = product.reconcile_until(second, SessionState.READY)

    assert taken(cluster, after)[0] == {f"gpu-0-mig-1g24gb-{n}" for n in range(4)}
    assert cluster.get(Ref("v1", "Namespace", before.namespace)) is None


def test_what_the_driver_publishes_is_what_can_be_booked_and_a_lost_device_is_noticed(
    product: Product, cluster: Cluster
) -> None:
    product.reconcile()
    whole = Node.objects.get().reported_devices
    # Namespaces of sessions before may still be going: then warnings are listed, too.
    going = cluster.find("v1", "Namespace", labels=naming.ours(INSTALLATION))
    report = product.reconcile()
    cluster.apply(published(generation=2, slices=3))
    product.reconcile()
    now = timezone.now()
    lost = product.reconcile(clock=lambda: now + timedelta(minutes=6))

    assert whole == {GPU: 1, SLICE: 4}
    assert report.changes == []
    assert report.api_calls["list"] in ({13, 14} if going else {13})
    assert set(report.api_calls) == {"list"}
    assert Node.objects.get().reported_devices == {GPU: 1, SLICE: 3}
    device = Device.objects.get(uuid=SLICE_UUIDS[3])
    assert device.state == DeviceState.FAILED
    assert any("has not shown it since" in change for change in lost.changes)
