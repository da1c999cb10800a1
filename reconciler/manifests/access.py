"""Who may do what in the session's namespace.  Applied last: first the limits, then the grants."""

from typing import Final

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import SessionSpec

RBAC: Final = "rbac.authorization.k8s.io"


def build(spec: SessionSpec) -> tuple[Manifest, ...]:
    """Return the bindings of the session's owner, and of the account kubectl in the workspace uses.

    ``admin`` reads quotas and limits and changes neither.
    """
    owner = {"kind": "User", "name": spec.owner, "apiGroup": RBAC}
    workspace = {
        "kind": "ServiceAccount",
        "name": naming.WORKSPACE,
        "namespace": spec.namespace,
    }
    return (
        _binding(spec, naming.WORKSPACE_BINDING, workspace),
        _binding(spec, naming.TENANT_BINDING, owner),
    )


def _binding(spec: SessionSpec, name: str, subject: dict[str, str]) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": naming.metadata(spec, name),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
        "subjects": [subject],
    }
