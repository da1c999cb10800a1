"""What a tenant cannot exceed: ResourceQuota and LimitRange."""

from typing import Final

from reconciler import naming
from reconciler.cluster import Manifest
from reconciler.manifests import devices, quantities
from sessions.spec import SessionSpec

DEFAULT_LIMITS: Final = {"cpu": "500m", "memory": "1Gi"}
DEFAULT_REQUESTS: Final = {"cpu": "100m", "memory": "256Mi"}
OBJECT_COUNTS: Final = {
    "pods": "100",
    "persistentvolumeclaims": "20",
    "services": "50",
    "services.loadbalancers": "0",
    "services.nodeports": "0",
    "count/deployments.apps": "50",
    "count/jobs.batch": "100",
    "secrets": "100",
    "configmaps": "100",
}
# The other way to a device: a claim of a class.  A cluster too old for it keeps these keys and
# counts nothing by them, so nobody may wait for their usage.
CLAIMED_DEVICES: Final = {
    "count/resourceclaims.resource.k8s.io": "0",
    "count/resourceclaimtemplates.resource.k8s.io": "0",
    **{f"{name}.deviceclass.resource.k8s.io/devices": "0" for name in devices.CLASSES},
}


def resource_quota(spec: SessionSpec) -> Manifest:
    """Return the hard ceiling for everything in the namespace: one object, complete from the start.

    A resource that a quota does not name is unlimited.  So every GPU resource of the fleet is
    named, the booked one with its slots and the others with zero, each also under the name it has
    when the device plugin renames shared devices.  One session on the wrong kind of GPU would
    falsify every booking in the calendar.
    """
    forbidden = {name for r in spec.other_gpu_resources for name in (r, f"{r}.shared")}
    gpu = {f"requests.{r}": "0" for r in sorted({*forbidden, f"{spec.gpu_resource}.shared"})}
    gpu[f"requests.{spec.gpu_resource}"] = str(spec.gpu_slots)
    if spec.claimed_devices:
        gpu |= devices.quota(spec)
    cpu, memory = quantities.cpu(spec.cpu_millicores), quantities.memory(spec.memory_mib)
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": naming.metadata(spec, naming.QUOTA),
        "spec": {
            "hard": {
                **CLAIMED_DEVICES,
                **gpu,
                "requests.cpu": cpu,
                "limits.cpu": cpu,
                "requests.memory": memory,
                "limits.memory": memory,
                "requests.storage": quantities.storage(spec.storage_gib),
                **OBJECT_COUNTS,
            }
        },
    }


def is_counting(quota: Manifest, wanted: Manifest) -> bool:
    """Return whether the API counts against ``wanted``: admission reads a quota's status."""
    status, hard = quota.get("status", {}), wanted["spec"]["hard"]
    counted = {key for key in hard if key not in CLAIMED_DEVICES or hard[key] != "0"}
    return bool(status.get("hard") == hard and counted <= status.get("used", {}).keys())


def limit_range(spec: SessionSpec) -> Manifest:
    """Return the defaults for containers that state none: some CPU and memory, and no device.

    With a quota on ``limits.*`` the API rejects a container without limits, so without these a
    bare ``kubectl run`` would fail.  Two slots of one time-sliced device are refused here, where
    the reason can be read: the node would admit the container and fail it.  A maximum needs a
    default beside it, or the API would give every container the maximum.
    """
    none = {spec.gpu_resource: "0"}
    container: Manifest = {
        "type": "Container",
        "default": {**DEFAULT_LIMITS, **none},
        "defaultRequest": {**DEFAULT_REQUESTS, **none},
    }
    if spec.slots_per_device > 1:
        container["max"] = {spec.gpu_resource: "1"}
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": naming.metadata(spec, naming.LIMITS),
        "spec": {"limits": [container]},
    }
