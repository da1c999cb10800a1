"""The kinds this server knows.  Adding one is a line in `KINDS`.

ValidatingAdmissionPolicy and its binding, PriorityClass, Ingress, Route and HTTPRoute are stored
and returned; nothing acts on them.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind, and the resource under which the API serves it."""

    group: str = ""
    version: str = "v1"
    name: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    # Fields a field selector may name, besides metadata.name and metadata.namespace.
    selectable: tuple[str, ...] = ()
    # Whether metadata.generation counts the changes of spec.
    has_generation: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_name(self) -> str:
        return f"{self.name}List"

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


POD_FIELDS: Final = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
)
EVENT_FIELDS: Final = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)


def _kind(name: str, plural: str, *short_names: str, under: str = "status", **more: Any) -> Kind:
    subresources = frozenset(under.split())
    return Kind(
        name=name, plural=plural, short_names=short_names, subresources=subresources, **more
    )


_core = partial(_kind, group="")
_apps = partial(_kind, group="apps", under="status scale", has_generation=True)
_network = partial(_kind, group="networking.k8s.io", has_generation=True)
_rbac = partial(_kind, group="rbac.authorization.k8s.io", under="")
_admission = partial(_kind, group="admissionregistration.k8s.io", under="", namespaced=False)

KINDS: Final = (
    _core(
        "Namespace",
        "namespaces",
        "ns",
        under="status finalize",
        namespaced=False,
        selectable=("status.phase",),
    ),
    _core("Node", "nodes", "no", namespaced=False, selectable=("spec.unschedulable",)),
    _core("Pod", "pods", "po", under="status log eviction proxy", selectable=POD_FIELDS),
    _core("PersistentVolume", "persistentvolumes", "pv", namespaced=False),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc"),
    _core("ResourceQuota", "resourcequotas", "quota"),
    _core("LimitRange", "limitranges", "limits", under=""),
    _core("ConfigMap", "configmaps", "cm", under=""),
    _core("Secret", "secrets", under="", selectable=("type",)),
    _core("Service", "services", "svc"),
    _core("ServiceAccount", "serviceaccounts", "sa", under="token"),
    _core("Event", "events", "ev", under="", selectable=EVENT_FIELDS),
    _apps("Deployment", "deployments", "deploy"),
    _apps("ReplicaSet", "replicasets", "rs"),
    _apps("StatefulSet", "statefulsets", "sts"),
    _network("NetworkPolicy", "networkpolicies", "netpol", under=""),
    _network("Ingress", "ingresses", "ing"),
    _rbac("Role", "roles"),
    _rbac("RoleBinding", "rolebindings"),
    _rbac("ClusterRole", "clusterroles", namespaced=False),
    _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _kind(
        "StorageClass", "storageclasses", "sc", group="storage.k8s.io", under="", namespaced=False
    ),
    _kind(
        "PriorityClass",
        "priorityclasses",
        "pc",
        group="scheduling.k8s.io",
        under="",
        namespaced=False,
    ),
    _kind("Lease", "leases", group="coordination.k8s.io", under=""),
    _admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    _admission("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    _kind("Route", "routes", group="route.openshift.io"),
    _kind("HTTPRoute", "httproutes", group="gateway.networking.k8s.io"),
)

_BY_RESOURCE: Final = {(kind.group, kind.plural): kind for kind in KINDS}
_BY_KIND: Final = {(kind.api_version, kind.name): kind for kind in KINDS}


def by_resource(group: str, plural: str) -> Kind | None:
    """Return the kind served under a path such as ``apps``/``deployments``."""
    return _BY_RESOURCE.get((group, plural))


def by_name(api_version: str, name: str) -> Kind | None:
    """Return the kind that a manifest's ``apiVersion`` and ``kind`` name."""
    return _BY_KIND.get((api_version, name))


def named(name: str) -> Kind:
    """Return the one kind of that name (names are unique across the groups served here)."""
    return next(kind for kind in KINDS if kind.name == name)


NAMESPACE: Final = named("Namespace")
NODE: Final = named("Node")
POD: Final = named("Pod")
RESOURCE_QUOTA: Final = named("ResourceQuota")
LIMIT_RANGE: Final = named("LimitRange")
CONFIG_MAP: Final = named("ConfigMap")
SERVICE_ACCOUNT: Final = named("ServiceAccount")
CLAIM: Final = named("PersistentVolumeClaim")
VOLUME: Final = named("PersistentVolume")
EVENT: Final = named("Event")
DEPLOYMENT: Final = named("Deployment")
REPLICA_SET: Final = named("ReplicaSet")
STATEFUL_SET: Final = named("StatefulSet")
ROLE: Final = named("Role")
ROLE_BINDING: Final = named("RoleBinding")
CLUSTER_ROLE: Final = named("ClusterRole")
CLUSTER_ROLE_BINDING: Final = named("ClusterRoleBinding")
STORAGE_CLASS: Final = named("StorageClass")
