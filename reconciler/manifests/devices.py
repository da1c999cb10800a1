"""The booked devices by their UUIDs: one claim that all pods of the session share, and its holder.

A claim is allocated only while some pod uses it, so a small pod of ours always does: it is given
the devices and sees none of them.
"""

from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import SessionSpec

DRIVER: Final = "gpu.nvidia.com"
# Every class of NVIDIA's driver for which a session could ask for a device.
CLASSES: Final = ("gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com")
API_VERSION: Final = "resource.k8s.io/v1"
# What a pod calls the claim within itself.
NAME_IN_POD: Final = "devices"
HOLDER_RESOURCES: Final = {"cpu": "10m", "memory": "32Mi"}


def claim(spec: SessionSpec) -> Manifest:
    """Return the session's claim: these devices and no others."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceClaim",
        "metadata": naming.metadata(spec, naming.DEVICE_CLAIM),
        "spec": {
            "devices": {
                "requests": [
                    {
                        "name": f"device-{number}",
                        "exactly": {
                            "deviceClassName": device.device_class,
                            "allocationMode": "ExactCount",
                            "count": 1,
                            "selectors": [{"cel": {"expression": _is(device.uuid)}}],
                        },
                    }
                    for number, device in enumerate(spec.claimed_devices)
                ]
            }
        },
    }


def holder(spec: SessionSpec) -> Manifest:
    """Return the Deployment of the pod that keeps the claim allocated."""
    labels = {naming.COMPONENT_LABEL: naming.DEVICE_HOLDER}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": naming.metadata(spec, naming.DEVICE_HOLDER),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": spec.pod_templates.get(naming.DEVICE_HOLDER) or template(spec),
        },
    }


def template(spec: SessionSpec) -> dict[str, Any]:
    """Return what a holder that starts now is started with."""
    return {
        "metadata": {"labels": {naming.COMPONENT_LABEL: naming.DEVICE_HOLDER}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "resourceClaims": pod_claims(spec),
            "containers": [
                {
                    "name": naming.DEVICE_HOLDER,
                    # On the node anyway, and any image that can sleep would do.
                    "image": spec.workspace_image,
                    "command": ["sleep", "infinity"],
                    "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}],
                    "resources": {
                        "requests": HOLDER_RESOURCES,
                        "limits": HOLDER_RESOURCES,
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def pod_claims(spec: SessionSpec) -> list[dict[str, Any]]:
    """Return what lets a pod's containers use the claim; nothing where devices are not claimed."""
    if not spec.claimed_devices:
        return []
    return [{"name": NAME_IN_POD, "resourceClaimName": naming.DEVICE_CLAIM}]


def quota(spec: SessionSpec) -> dict[str, str]:
    """Return what a quota has to say of claims: ours, with as many devices as it names."""
    booked = [device.device_class for device in spec.claimed_devices]
    return {
        "count/resourceclaims.resource.k8s.io": "1",
        "count/resourceclaimtemplates.resource.k8s.io": "0",
        **{
            f"{name}.deviceclass.resource.k8s.io/devices": str(booked.count(name))
            for name in CLASSES
        },
    }


def is_allocated(claim: Manifest) -> bool:
    """Return whether every device that ``claim`` asks for is the session's now."""
    wanted = claim["spec"]["devices"]["requests"]
    allocation = claim.get("status", {}).get("allocation", {})
    return len(allocation.get("devices", {}).get("results", [])) == len(wanted)


def _is(uuid: str) -> str:
    return f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].uuid == '{uuid}'"
