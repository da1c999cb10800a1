"""What the API server fills in when it stores an object, and how it spells quantities.

Filling in is idempotent: what has been stored once is not changed by being stored again.
"""

import base64
import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from simcluster.objects import Object, name_of, pods, quantities

RBAC_GROUP: Final = "rbac.authorization.k8s.io"


def completed(obj: Object) -> Object:
    """Return a copy of ``obj`` as the API server would store it."""
    result = copy.deepcopy(obj)
    complete = _BY_KIND.get(result["kind"])
    if complete is not None:
        complete(result)
    return result


def canonicalize(resources: Object | None) -> None:
    """Spell every quantity of a resource list in the API server's own way."""
    for name, amount in (resources or {}).items():
        if resources is not None:
            resources[name] = quantities.canonical(amount)


def _namespace(obj: Object) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(obj)
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _node(obj: Object) -> None:
    for part in ("capacity", "allocatable"):
        canonicalize(obj.get("status", {}).get(part))
    obj.setdefault("spec", {})


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pods.complete_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    else:
        strategy.pop("rollingUpdate", None)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    spec.setdefault(
        "persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}
    )
    _template(spec)
    for claim in spec.get("volumeClaimTemplates") or []:
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        _claim(claim)


def _template(spec: Object) -> None:
    pods.complete_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def _claim(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    for part in ("requests", "limits"):
        canonicalize(spec.get("resources", {}).get(part))
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _volume(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    canonicalize(spec.get("capacity"))
    obj.setdefault("status", {}).setdefault("phase", "Available")


def _quota(obj: Object) -> None:
    canonicalize(obj.setdefault("spec", {}).get("hard"))
    obj.setdefault("status", {})


def _limit_range(obj: Object) -> None:
    for item in obj.setdefault("spec", {}).get("limits") or []:
        if item.get("type") == "Container":
            # The order matters, and the trap with it: a maximum alone becomes everyone's default.
            _inherit(item, "default", "max")
            _inherit(item, "defaultRequest", "default")
            _inherit(item, "defaultRequest", "min")
        for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            canonicalize(item.get(part))


def _inherit(item: Object, part: str, source: str) -> None:
    for name, amount in (item.get(source) or {}).items():
        item.setdefault(part, {}).setdefault(name, amount)


def _secret(obj: Object) -> None:
    obj.setdefault("type", "Opaque")
    for key, text in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _network_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    directions = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    spec.setdefault("policyTypes", directions)
    for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
        for port in rule.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _binding(obj: Object) -> None:
    obj.setdefault("roleRef", {}).setdefault("apiGroup", RBAC_GROUP)
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in {"User", "Group"}:
            subject.setdefault("apiGroup", RBAC_GROUP)


def _storage_class(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


_BY_KIND: Final[Mapping[str, Callable[[Any], None]]] = {
    "ClusterRoleBinding": _binding,
    "Deployment": _deployment,
    "LimitRange": _limit_range,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "Node": _node,
    "PersistentVolume": _volume,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "ResourceQuota": _quota,
    "RoleBinding": _binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": _storage_class,
}
