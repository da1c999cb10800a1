"""What a session's claim asks for, and that nothing comes before it is allocated."""

import dataclasses
from typing import Any

import pytest

from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Cluster, Device, GpuBackend
from reconciler import naming, pod_templates, provision
from reconciler.cluster import Manifest, Ref, ref_to
from reconciler.manifests import devices, guardrails, namespace, workspace
from reconciler.observe import Picture
from reconciler.phases import attendance
from reconciler.provision import Done, Waiting
from reconciler.world import World
from reservations import lifecycle
from sessions import selectors
from sessions.models import SessionState
from sessions.spec import ClaimedDevice, SessionSpec
from tests import make
from tests.make import SLICE

UUIDS = ("MIG-a", "MIG-b")
SPEC = dataclasses.replace(
    make.spec(gpu_slots=0),
    claimed_devices=tuple(ClaimedDevice("mig.nvidia.com", uuid) for uuid in UUIDS),
)


def world(*seen: Manifest, dry_run: bool = True) -> World:
    """Return a world in which nothing is sent, and ``seen`` was there."""
    # A dry run never touches the cluster: there is none.
    return World(None, Picture({ref_to(each): each for each in seen}), dry_run=dry_run)  # type: ignore[arg-type]


def test_the_claim_names_each_device_by_its_uuid() -> None:
    found = devices.claim(SPEC)

    assert found["metadata"]["name"] == naming.DEVICE_CLAIM
    assert found["metadata"]["labels"] == naming.labels(SPEC)
    assert found["spec"]["devices"]["requests"] == [
        {
            "name": f"device-{number}",
            "exactly": {
                "deviceClassName": "mig.nvidia.com",
                "allocationMode": "ExactCount",
                "count": 1,
                "selectors": [
                    {
                        "cel": {
                            "expression": "device.driver == 'gpu.nvidia.com' && "
                            f"device.attributes['gpu.nvidia.com'].uuid == '{uuid}'"
                        }
                    }
                ],
            },
        }
        for number, uuid in enumerate(UUIDS)
    ]


def test_the_holder_is_given_the_claim_and_sees_no_device() -> None:
    pod = devices.holder(SPEC)["spec"]["template"]["spec"]

    assert pod["resourceClaims"] == [{"name": "devices", "resourceClaimName": naming.DEVICE_CLAIM}]
    (container,) = pod["containers"]
    assert "claims" not in container["resources"]
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in container["env"]


def test_the_quota_allows_the_one_claim_and_no_slot_of_anything() -> None:
    hard = guardrails.resource_quota(SPEC)["spec"]["hard"]

    assert {
        key: value for key, value in hard.items() if "nvidia" in key or "resourceclaim" in key
    } == {
        "requests.nvidia.com/gpu": "0",
        "requests.nvidia.com/gpu.shared": "0",
        "requests.nvidia.com/mig-1g.24gb": "0",
        "requests.nvidia.com/mig-1g.24gb.shared": "0",
        "count/resourceclaims.resource.k8s.io": "1",
        "count/resourceclaimtemplates.resource.k8s.io": "0",
        "gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "0",
        "mig.nvidia.com.deviceclass.resource.k8s.io/devices": "2",
        "vfio.gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "0",
    }


def test_the_namespace_says_which_claim_pods_may_use() -> None:
    annotations = namespace.build(SPEC)["metadata"]["annotations"]

    assert annotations[naming.DEVICE_CLAIM_ANNOTATION] == naming.DEVICE_CLAIM
    plain = namespace.build(make.spec())["metadata"]["annotations"]
    assert naming.DEVICE_CLAIM_ANNOTATION not in plain


@pytest.mark.parametrize(
    ("mode", "uses"), [(AllocationMode.INTERACTIVE, True), (AllocationMode.INFERENCE, False)]
)
def test_the_workspace_uses_the_claim_where_it_has_the_device_itself(
    mode: AllocationMode, *, uses: bool
) -> None:
    pod = workspace.deployment(dataclasses.replace(SPEC, mode=mode))["spec"]["template"]["spec"]

    assert ("resourceClaims" in pod) is uses
    resources = pod["containers"][0]["resources"]
    assert ("claims" in resources) is uses
    assert SLICE not in resources["limits"]


def test_without_claims_there_is_nothing_to_do() -> None:
    empty = world()

    assert provision.ensure_devices(make.spec(), empty) == Done()
    assert empty.changes == []


def test_a_device_whose_uuid_nobody_knows_is_waited_for() -> None:
    unknown = dataclasses.replace(SPEC, claimed_devices=(ClaimedDevice("mig.nvidia.com", ""),))
    empty = world()

    outcome = provision.ensure_devices(unknown, empty)

    assert isinstance(outcome, Waiting)
    assert "UUID" in outcome.reason
    assert empty.changes == []


@pytest.mark.parametrize(("results", "is_done"), [(0, False), (1, False), (2, True)])
def test_what_comes_after_waits_until_every_device_is_allocated(
    results: int, *, is_done: bool
) -> None:
    allocation: dict[str, Any] = {"devices": {"results": [{"device": "x"}] * results}}
    claim = {**devices.claim(SPEC), "status": {"allocation": allocation}}

    outcome = provision.ensure_devices(SPEC, world(claim, devices.holder(SPEC)))

    assert isinstance(outcome, Done) is is_done


def _namespace_with(spec: SessionSpec, *, pods: int, with_holder: bool) -> Picture:
    quota = {**guardrails.resource_quota(spec), "status": {"used": {"pods": str(pods)}}}
    own = {**workspace.deployment(spec), "status": {"replicas": 1}}
    return world(quota, own, *([devices.holder(spec)] if with_holder else [])).picture


@pytest.mark.django_db
@pytest.mark.parametrize(("pods", "is_used"), [(2, False), (3, True)])
def test_the_holder_is_not_mistaken_for_its_people(pods: int, *, is_used: bool) -> None:
    session = make.session()
    session.namespace = SPEC.namespace

    picture = _namespace_with(SPEC, pods=pods, with_holder=True)

    assert attendance.has_own_pods(picture, session) is is_used
    plain = _namespace_with(SPEC, pods=pods, with_holder=False)
    assert attendance.has_own_pods(plain, session) is True
    assert Ref("apps/v1", "Deployment", naming.DEVICE_HOLDER, SPEC.namespace) in picture.objects


@pytest.mark.django_db
def test_a_spec_names_the_devices_that_the_booking_holds() -> None:
    pool = make.pool()
    for device in Device.objects.filter(resource_name=SLICE).exclude(ordinal=1):
        Device.objects.filter(pk=device.pk).update(uuid=f"MIG-{device.ordinal}")
    booked = make.reservation(of=pool, at=make.window(0, 4), units=2, state=lifecycle.State.ACTIVE)
    session = make.session(of=booked)

    (plain,) = selectors.specs_of([session], cluster=pool.cluster)
    Cluster.objects.update(gpu_backend=GpuBackend.DRA)
    (found,) = selectors.specs_of([session], cluster=Cluster.objects.get())

    assert (plain.claimed_devices, plain.gpu_slots) == ((), 2)
    assert found.gpu_slots == 0
    assert found.claimed_devices == (
        ClaimedDevice("mig.nvidia.com", "MIG-0"),
        ClaimedDevice("mig.nvidia.com", ""),
    )


@pytest.mark.django_db
def test_an_upgrade_does_not_let_go_of_the_claim_that_a_session_holds() -> None:
    session = make.session(state=SessionState.READY)
    before = dataclasses.replace(SPEC, namespace=session.namespace)
    picture = world(devices.holder(before), workspace.deployment(before)).picture
    after = dataclasses.replace(before, workspace_image="gpuaas/workspace:next", is_paused=True)

    found = pod_templates.of(session, after, picture)

    assert found[naming.DEVICE_HOLDER] == devices.template(before)
    assert found[naming.WORKSPACE] == workspace.template(after), "nothing runs of a paused one"
