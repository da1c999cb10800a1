"""The cluster roles a cluster comes with, as far as a tenant or the reconciler meets them."""

from collections.abc import Sequence
from typing import Final

from simcluster.objects import Object
from simcluster.rules import rbac
from simcluster.rules.rbac import Rule

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
RBAC_GROUP: Final = "rbac.authorization.k8s.io"


def _rule(group: str, resources: str, verbs: Sequence[str]) -> Rule:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}


_VIEW: Final = (
    _rule(
        "",
        "bindings configmaps endpoints events limitranges namespaces namespaces/status"
        " persistentvolumeclaims persistentvolumeclaims/status pods pods/log pods/status"
        " replicationcontrollers resourcequotas resourcequotas/status serviceaccounts services"
        " services/status",
        READ,
    ),
    _rule(
        "apps",
        "controllerrevisions daemonsets deployments deployments/scale deployments/status"
        " replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale"
        " statefulsets/status",
        READ,
    ),
    _rule("batch", "cronjobs jobs", READ),
    _rule("autoscaling", "horizontalpodautoscalers", READ),
    _rule("policy", "poddisruptionbudgets", READ),
    _rule("discovery.k8s.io", "endpointslices", READ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
    _rule("resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates", READ),
)
_EDIT: Final = (
    *_VIEW,
    _rule("", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
    _rule("", "serviceaccounts", ["impersonate"]),
    _rule("", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
    _rule("", "pods/eviction serviceaccounts/token", ["create"]),
    _rule(
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers secrets serviceaccounts"
        " services services/proxy",
        WRITE,
    ),
    _rule(
        "apps",
        "daemonsets deployments deployments/rollback deployments/scale replicasets"
        " replicasets/scale statefulsets statefulsets/scale",
        WRITE,
    ),
    _rule("batch", "cronjobs jobs", WRITE),
    _rule("autoscaling", "horizontalpodautoscalers", WRITE),
    _rule("policy", "poddisruptionbudgets", WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", WRITE),
    _rule("coordination.k8s.io", "leases", (*READ, *WRITE)),
    _rule("resource.k8s.io", "resourceclaims resourceclaimtemplates", WRITE),
)
_ADMIN: Final = (
    *_EDIT,
    _rule("authorization.k8s.io", "localsubjectaccessreviews", ["create"]),
    _rule(RBAC_GROUP, "rolebindings roles", (*READ, *WRITE)),
)
_CLUSTER_ADMIN: Final = (
    _rule("*", "*", ["*"]),
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
)
_BASIC_USER: Final = (
    _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ["create"]),
    _rule("authentication.k8s.io", "selfsubjectreviews", ["create"]),
)
_PUBLIC_PATHS: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY: Final = (
    {
        "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"],
        "verbs": ["get"],
    },
    {"nonResourceURLs": list(_PUBLIC_PATHS), "verbs": ["get"]},
)
_PUBLIC_INFO: Final = ({"nonResourceURLs": list(_PUBLIC_PATHS), "verbs": ["get"]},)

_ROLES: Final[dict[str, tuple[Rule, ...]]] = {
    "admin": _ADMIN,
    "cluster-admin": _CLUSTER_ADMIN,
    "edit": _EDIT,
    "system:basic-user": _BASIC_USER,
    "system:discovery": _DISCOVERY,
    "system:public-info-viewer": _PUBLIC_INFO,
    "view": _VIEW,
}
_BINDINGS: Final = {
    "cluster-admin": (rbac.MASTERS,),
    "system:basic-user": (rbac.AUTHENTICATED,),
    "system:discovery": (rbac.AUTHENTICATED,),
    "system:public-info-viewer": (rbac.AUTHENTICATED, rbac.UNAUTHENTICATED),
}


def bootstrap() -> list[Object]:
    """Return the cluster roles and bindings that exist from the start."""
    return [_role(name) for name in _ROLES] + [_binding(name) for name in _BINDINGS]


def _role(name: str) -> Object:
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "rules": list(_ROLES[name]),
    }


def _binding(name: str) -> Object:
    return {
        "apiVersion": f"{RBAC_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [
            {"apiGroup": RBAC_GROUP, "kind": "Group", "name": group} for group in _BINDINGS[name]
        ],
    }
