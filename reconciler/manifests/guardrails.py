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


def limit_range(spec: SessionSpec) -> Manifest:
    """Return the defaults for containers that state none.

    With a quota on ``limits.*`` the API rejects a container without limits, so without these a
    bare ``kubectl run`` would fail.  There is no ``max``: the API would fill defaults from it.
    """
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": naming.metadata(spec, naming.LIMITS),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": DEFAULT_LIMITS,
                    "defaultRequest": DEFAULT_REQUESTS,
                }
            ]
        },
    }
