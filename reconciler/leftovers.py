"""What is left of sessions outside their namespaces: bindings, security contexts, volumes.

None of it is ours to make; tenants' operators and hands leave it.  A namespace counts as gone only
when a row says that its session has ended *and* the cluster has nothing of that name.  Names of
sessions are never used again, so what names them can never mean anybody else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Cluster, ClusterRefused, Manifest, Ref, ref_to
from sessions import selectors

BINDINGS: Final = ("ClusterRoleBinding", "RoleBinding")
RBAC: Final = "rbac.authorization.k8s.io/v1"
DELETE: Final = "Delete"
_ACCOUNT: Final = re.compile(r"system:serviceaccount:(s-[0-9a-f]{16}):.+")
_GROUP: Final = re.compile(r"system:serviceaccounts:(s-[0-9a-f]{16})")
NOT_SERVED: Final = 404


@dataclass(frozen=True, slots=True)
class Change:
    """Fields to merge into an object that others made, and what is removed by it."""

    seen: Manifest
    fields: Manifest
    removes: str


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Bindings that grant to nobody any more, what to take out of others' objects, and the rest.

    Of the rest people are ``told``: only they can decide about it.
    """

    bindings: tuple[Manifest, ...]
    changes: tuple[Change, ...]
    told: Mapping[str, str]


def look(kube: Cluster, *, ended_before: datetime | None) -> Leftovers:
    """Return what is left over in the cluster of ``kube``: three listings, four on OpenShift.

    Released volumes are deleted of sessions that ended before ``ended_before``; None: of none.

    Raises:
        ClusterError: some listing failed; nothing is known.
    """
    bindings = [each for kind in BINDINGS for each in kube.find(RBAC, kind)]
    volumes = [each for each in kube.find("v1", "PersistentVolume") if _is_released(each)]
    contexts = _security_contexts(kube)
    named = {
        namespace
        for each in (*bindings, *volumes, *contexts)
        for namespace in _namespaces_named(each)
    }
    gone = {
        name: ended_at
        for name, ended_at in selectors.ended_namespaces(named).items()
        if kube.get(Ref("v1", "Namespace", name)) is None
    }
    return sort(
        bindings=bindings, volumes=volumes, contexts=contexts, gone=gone, ended_before=ended_before
    )


def sort(
    *,
    bindings: Iterable[Manifest],
    volumes: Iterable[Manifest],
    contexts: Iterable[Manifest],
    gone: Mapping[str, datetime],
    ended_before: datetime | None,
) -> Leftovers:
    """Return what to remove, what to change, and what to tell of everything else; pure.

    ``gone`` are the namespaces of sessions that are no more, and when these ended.  A binding that
    grants to somebody else too is told: whoever changes one has to be allowed to grant its role.
    """
    to_remove, told = [], {}
    for binding in bindings:
        subjects = [_namespace_of(subject) for subject in binding.get("subjects") or ()]
        left = [name for name in subjects if name in gone]
        if left and len(left) == len(subjects):
            to_remove.append(binding)
        elif left:
            told[str(ref_to(binding))] = f"grants to {', '.join(left)}, which are gone, and others"
    changes = [each for context in contexts for each in _without(context, gone)]
    for volume in volumes:
        namespace = volume["spec"]["claimRef"]["namespace"]
        if namespace not in gone or naming.KEPT_LABEL in volume["metadata"].get("labels", {}):
            continue
        if volume["spec"].get("persistentVolumeReclaimPolicy") == DELETE:
            told[str(ref_to(volume))] = f"of {namespace}, which is gone: its driver is to delete it"
        elif ended_before is None or gone[namespace] >= ended_before:
            told[str(ref_to(volume))] = (
                f"kept from {namespace}, which is gone: its data is still there"
            )
        else:
            # Without the object nobody would know of the disk any more: its driver removes both.
            fields = {"spec": {"persistentVolumeReclaimPolicy": DELETE}}
            changes.append(Change(volume, fields, str(ref_to(volume))))
    return Leftovers(tuple(to_remove), tuple(changes), told)


def _security_contexts(kube: Cluster) -> list[Manifest]:
    """Return OpenShift's security contexts; none where the cluster is another Kubernetes."""
    try:
        return kube.find("security.openshift.io/v1", "SecurityContextConstraints")
    except ClusterRefused as refused:
        if refused.status_code == NOT_SERVED:
            return []
        raise


def _without(context: Manifest, gone: Mapping[str, datetime]) -> Iterator[Change]:
    """Yield how a security context looks without accounts of sessions that are gone."""
    left = [user for _, user, namespace in _let_in([context]) if namespace in gone]
    if left:
        users = [user for user in context["users"] if user not in left]
        yield Change(context, {"users": users}, f"{ref_to(context)}: {', '.join(left)}")


def _let_in(contexts: Iterable[Manifest]) -> Iterator[tuple[Manifest, str, str]]:
    """Yield the accounts of sessions that security contexts name: context, account, namespace."""
    for context in contexts:
        for user in context.get("users") or ():
            if match := _ACCOUNT.fullmatch(user):
                yield context, user, match[1]


def _is_released(volume: Manifest) -> bool:
    return bool(
        volume.get("status", {}).get("phase") == "Released" and volume["spec"].get("claimRef")
    )


def _namespaces_named(manifest: Manifest) -> set[str]:
    found = {_namespace_of(subject) for subject in manifest.get("subjects") or ()}
    found |= {namespace for _, _, namespace in _let_in([manifest])}
    claim = manifest.get("spec", {}).get("claimRef") or {}
    return (found | {claim.get("namespace", "")}) - {""}


def _namespace_of(subject: Mapping[str, Any]) -> str:
    """Return the session's namespace whose accounts a binding's subject means; "" for others."""
    name = str(subject.get("name", ""))
    if subject.get("kind") == "ServiceAccount":
        name = f"system:serviceaccount:{subject.get('namespace', '')}:{name}"
    match = _ACCOUNT.fullmatch(name) or _GROUP.fullmatch(name)
    return match[1] if match else ""
