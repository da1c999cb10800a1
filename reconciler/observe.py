"""What exists in a cluster: paged lists by label, one frozen picture."""

import gc
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

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


# The UID and resourceVersion of each object in a namespace: equal ones are equal objects.
Versions: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything of ours that a cluster held when we looked.

    ``versions`` are by namespace, that of the namespace itself included.
    """

    objects: Mapping[Ref, Manifest]
    versions: Mapping[str, Versions] = field(default_factory=dict)

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
    # again and again while it grows, would take longer than parsing it.  Nor is it looked through
    # afterwards, until the next picture takes its place.
    gc.disable()
    try:
        return _listed(kube, labels, kinds)
    finally:
        gc.unfreeze()
        gc.freeze()
        gc.enable()


def _listed(
    kube: Cluster, labels: Mapping[str, str | None], kinds: Iterable[tuple[str, str]]
) -> Picture:
    objects: dict[Ref, Manifest] = {}
    versions: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for kind in kinds:
        for each in kube.find(*kind, labels=labels):
            ref = ref_to(each)
            objects[ref] = each
            metadata = each["metadata"]
            version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
            versions[ref.namespace or ref.name].append(version)
    return Picture(objects, versions)
