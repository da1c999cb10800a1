"""What exists in a cluster: paged lists by label, one frozen picture."""

import gc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler import naming
from reconciler.cluster import Cluster, Manifest, Ref, ref_to

# One listing each, however many sessions run.
MANAGED_KINDS: Final = (
    ("v1", "Namespace"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
)
# One more, where sessions claim their devices.
CLAIM: Final = ("resource.k8s.io/v1", "ResourceClaim")


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything of ours that a cluster held when we looked."""

    objects: Mapping[Ref, Manifest]

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object as it was seen, None when it was not there."""
        return self.objects.get(ref)

    def namespace(self, name: str) -> Manifest | None:
        return self.objects.get(Ref("v1", "Namespace", name))

    def namespaces(self) -> list[Manifest]:
        return [o for ref, o in sorted(self.objects.items()) if ref.kind == "Namespace"]


def look(
    kube: Cluster,
    *,
    installation: str,
    with_claims: bool = False,
    besides: tuple[tuple[str, str], ...] = (),
) -> Picture:
    """Return the picture of ``installation``'s objects, complete.

    ``with_claims`` also of their devices, which not every cluster knows; ``besides`` are further
    kinds of that sort.

    Raises:
        ClusterError: some listing failed; half a picture is none.
    """
    return _of(kube, installation, (*MANAGED_KINDS, *([CLAIM] if with_claims else []), *besides))


def look_at_namespaces(kube: Cluster, *, installation: str) -> Picture:
    """Return the picture of ``installation``'s namespaces alone, complete.

    Raises:
        ClusterError: the listing failed.
    """
    return _of(kube, installation, (("v1", "Namespace"),))


def _of(kube: Cluster, installation: str, kinds: Iterable[tuple[str, str]]) -> Picture:
    labels = naming.ours(installation)
    # What is parsed holds no cycles, and as much as a whole cluster: looking through it for some,
    # again and again while it grows, would take longer than parsing it.
    gc.disable()
    try:
        return _listed(kube, labels, kinds)
    finally:
        gc.enable()


def _listed(
    kube: Cluster, labels: Mapping[str, str | None], kinds: Iterable[tuple[str, str]]
) -> Picture:
    found = (each for kind in kinds for each in kube.find(*kind, labels=labels))
    return Picture({ref_to(each): each for each in found})
