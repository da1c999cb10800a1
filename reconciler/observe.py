"""What exists in a cluster: paged lists by label, one frozen picture."""

from collections.abc import Mapping
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
    labels = naming.ours(installation)
    found = [
        _with_type(manifest, api_version, kind)
        for api_version, kind in (*MANAGED_KINDS, *([CLAIM] if with_claims else []), *besides)
        for manifest in kube.find(api_version, kind, labels=labels)
    ]
    return Picture({ref_to(manifest): manifest for manifest in found})


def _with_type(manifest: Manifest, api_version: str, kind: str) -> Manifest:
    """Items of a list leave out what the list itself says."""
    return {**manifest, "apiVersion": api_version, "kind": kind}
