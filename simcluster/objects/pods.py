"""Pods as the rules see them: defaults of the pod spec, what a pod asks for, where it stands."""

from collections.abc import Iterator
from typing import Final

from simcluster.objects import Object, quantities
from simcluster.objects.quantities import ZERO, Quantity

FINISHED_PHASES: Final = frozenset({"Succeeded", "Failed"})
NATIVE_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
DEFAULT_GRACE_SECONDS: Final = 30


def containers(pod: Object) -> Iterator[tuple[str, Object]]:
    """Yield every container with the field it stands in, init containers first."""
    spec = pod.get("spec") or {}
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or []:
            yield field, container


def amounts(container: Object, part: str) -> dict[str, Quantity]:
    """Return a container's ``requests`` or ``limits``."""
    resources = (container.get("resources") or {}).get(part) or {}
    return {name: quantities.parse(amount) for name, amount in resources.items()}


def asked(pod: Object, part: str) -> dict[str, Quantity]:
    """Return what a pod asks for: its containers together, or its largest init container."""
    together: dict[str, Quantity] = {}
    largest: dict[str, Quantity] = {}
    for field, container in containers(pod):
        for name, amount in amounts(container, part).items():
            if field == "containers":
                together[name] = together.get(name, ZERO) + amount
            elif amount.amount >= largest.get(name, ZERO).amount:
                largest[name] = amount
    for name, amount in largest.items():
        if amount.amount > together.get(name, ZERO).amount:
            together[name] = amount
    return together


def is_finished(pod: Object) -> bool:
    """Return whether all its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in FINISHED_PHASES


def is_ready(pod: Object) -> bool:
    """Return whether the pod says it can serve."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def claim_names(pod: Object) -> list[str]:
    """Return the PersistentVolumeClaims the pod mounts."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    claims = (volume.get("persistentVolumeClaim") for volume in volumes)
    return [claim["claimName"] for claim in claims if claim]


def quality_of_service(pod: Object) -> str:
    """Return the pod's QoS class."""
    given = [
        (amounts(container, "requests"), amounts(container, "limits"))
        for _, container in containers(pod)
    ]
    if not any(requests or limits for requests, limits in given):
        return "BestEffort"
    if all({"cpu", "memory"} <= limits.keys() and requests == limits for requests, limits in given):
        return "Guaranteed"
    return "Burstable"


def complete_spec(spec: Object) -> None:
    """Fill in the defaults of a pod spec, in place."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]
    for _, container in containers({"spec": spec}):
        _complete_container(container)
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if source in volume:
                volume[source].setdefault("defaultMode", 0o644)


def _complete_container(container: Object) -> None:
    tag = str(container.get("image", "")).rpartition("/")[2]
    is_latest = "@" not in tag and (":" not in tag or tag.endswith(":latest"))
    container.setdefault("imagePullPolicy", "Always" if is_latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.setdefault("resources", {})
    for part in ("limits", "requests"):
        for name, amount in (resources.get(part) or {}).items():
            resources[part][name] = quantities.canonical(amount)
    for name, amount in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, amount)
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _complete_probe(container[probe])


def _complete_probe(probe: Object) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
