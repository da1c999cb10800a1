"""The namespace: where a session's blast radius ends."""

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import SessionSpec


def build(spec: SessionSpec) -> Manifest:
    """Return the namespace, with what guards inside the cluster need to know of the booking."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": spec.namespace,
            "labels": {
                **naming.labels(spec),
                # Baseline, not restricted: a bare `kubectl run`, and the model servers' own images,
                # state no security context.  OpenShift's SCC restricts them all the same.
                "pod-security.kubernetes.io/enforce": "baseline",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                # OpenShift would otherwise write labels of its own over ours.
                "security.openshift.io/scc.podSecurityLabelSync": "false",
            },
            "annotations": {
                # What the policies of deploy/kubernetes/guardrails.yaml hold every pod to.
                naming.GPU_RESOURCE_ANNOTATION: spec.gpu_resource,
                **_claim(spec),
                naming.STARTS_AT_ANNOTATION: spec.starts_at.isoformat(),
                naming.ENDS_AT_ANNOTATION: spec.ends_at.isoformat(),
                naming.OWNER_ANNOTATION: spec.owner,
                # Keeps the tenant's own pods on the booked node, where the cluster is OpenShift.
                "openshift.io/node-selector": f"kubernetes.io/hostname={spec.node}",
            },
        },
    }


def _claim(spec: SessionSpec) -> dict[str, str]:
    """Name the one claim that pods may use, where the session has one."""
    return {naming.DEVICE_CLAIM_ANNOTATION: naming.DEVICE_CLAIM} if spec.claimed_devices else {}
