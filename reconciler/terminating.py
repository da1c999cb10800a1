"""The ladder of what to do about a namespace that stays Terminating; told, and one rung done.

Done by itself is only what an operator has said is safe: finalizers of a list are taken off what
is left, after half an hour.  The namespace's own, `/finalize`, is never touched: what it protects
would stay in etcd, and come back with the next namespace of that name.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from reconciler import leftovers
from reconciler.cluster import Cluster, ClusterRefused, Manifest, is_terminating, ref_to

STUCK_AFTER: Final = timedelta(minutes=10)
RELEASED_AFTER: Final = timedelta(minutes=30)
NAMED_AT_MOST: Final = 10

# Rung by rung: while one is in the way, those below say nothing of use.
LADDER: Final = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "an aggregated API does not answer: repair or remove its APIService",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "an API has a malformed version: repair or remove its APIService",
    ),
    (
        "NamespaceDeletionContentFailure",
        "something refuses the deletion: look for a webhook or an admission policy",
    ),
    (
        "NamespaceFinalizersRemaining",
        "somebody has to finish what these finalizers protect: is their controller running?",
    ),
    (
        "NamespaceContentRemaining",
        "wait for what is left; pods stay as long as their node does not answer",
    ),
)
# What may be left in a namespace and can be looked at; more is named by kind in the conditions.
LOOKED_AT: Final = (
    ("v1", "Pod"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
)
# These protect a disk or a device that is in use: who takes them off corrupts or leaks it.
NEVER: Final = ("kubernetes.io", "k8s.io")


def held_in(kube: Cluster, namespace: str) -> list[Manifest]:
    """Return what is left in ``namespace`` and waits for finalizers or, a pod, for its node."""
    return [each for kind in LOOKED_AT for each in _left(kube, *kind, namespace)]


def _left(kube: Cluster, api_version: str, kind: str, namespace: str) -> Iterator[Manifest]:
    try:
        found = kube.find(api_version, kind, namespace=namespace)
    except ClusterRefused:  # not served, or not ours to see: the conditions have it
        return
    for each in found:
        if is_terminating(each) and (each["metadata"].get("finalizers") or kind == "Pod"):
            yield each


def releases(held: Iterable[Manifest], releasable: Collection[str]) -> Iterator[leftovers.Change]:
    """Yield what takes the ``releasable`` finalizers off what is held; pure."""
    for each in held:
        finalizers = each["metadata"].get("finalizers") or []
        off = [name for name in finalizers if name in releasable and not is_kubernetes_own(name)]
        if off:
            fields = {"metadata": {"finalizers": [name for name in finalizers if name not in off]}}
            yield leftovers.Change(each, fields, f"{ref_to(each)}: {', '.join(off)}")


def is_kubernetes_own(finalizer: str) -> bool:
    """Return whether a part of Kubernetes itself put it there, and will take it off."""
    domain = finalizer.partition("/")[0]
    return "/" not in finalizer or any(
        domain == each or domain.endswith(f".{each}") for each in NEVER
    )


def why(namespace: Manifest, held: Sequence[Manifest] = ()) -> str:
    """Return what keeps a namespace Terminating, in the cluster's words, and what to do; pure.

    The reason that has to be cleared first decides what to do.
    """
    said = {
        condition["type"]: condition.get("message", "")
        for condition in namespace.get("status", {}).get("conditions", [])
        if condition["status"] == "True"
    }
    reasons = "; ".join(f"{kind}: {message}" for kind, message in said.items())
    first = next((advice for kind, advice in LADDER if kind in said), "")
    found = f"{reasons} -- {first}" if first else reasons or "no reason given"
    return f"{found} ({_named(held)})" if held else found


def _named(held: Sequence[Manifest]) -> str:
    """Return what is left, by name, each with what it waits for."""
    lines = [f"{ref_to(each)} waits for {_awaited(each)}" for each in held[:NAMED_AT_MOST]]
    more = [f"and {len(held) - NAMED_AT_MOST} more"] if len(held) > NAMED_AT_MOST else []
    return ", ".join([*lines, *more])


def _awaited(manifest: Manifest) -> str:
    finalizers = manifest["metadata"].get("finalizers")
    if finalizers:
        return " and ".join(finalizers)
    return f"node {manifest['spec'].get('nodeName') or 'none'}"
