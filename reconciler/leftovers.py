"""What is left of sessions outside their namespaces: bindings, security contexts, volumes.

None of it is ours to make; tenants' operators and hands leave it.  A namespace counts as gone only
when a row says that its session has ended *and* the cluster has nothing of that name.  Names of
sessions are never used again, so what names them can never mean anybody else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.cluster import Cluster, ClusterRefused, Manifest, Ref
from sessions import selectors

BINDINGS: Final = ("ClusterRoleBinding", "RoleBinding")
RBAC: Final = "rbac.authorization.k8s.io/v1"
_ACCOUNT: Final = re.compile(r"system:serviceaccount:(s-[0-9a-f]{16}):.+")
_GROUP: Final = re.compile(r"system:serviceaccounts:(s-[0-9a-f]{16})")
NOT_SERVED: Final = 404


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Bindings that grant to nobody any more, and what only people can decide about."""

    bindings: tuple[Manifest, ...]
    told: Mapping[str, str]


def look(kube: Cluster) -> Leftovers:
    """Return what is left over in the cluster of ``kube``: three listings, four on OpenShift.

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
        name
        for name in selectors.ended_namespaces(named)
        if kube.get(Ref("v1", "Namespace", name)) is None
    }
    return sort(bindings=bindings, volumes=volumes, contexts=contexts, is_gone=gone.__contains__)


def sort(
    *,
    bindings: Iterable[Manifest],
    volumes: Iterable[Manifest],
    contexts: Iterable[Manifest],
    is_gone: Callable[[str], bool],
) -> Leftovers:
    """Return the bindings to remove, and what to tell of everything else; pure.

    A binding that grants to somebody else too is told, not removed: it is not ours to rewrite.
    """
    to_remove, told = [], {}
    for binding in bindings:
        subjects = [_namespace_of(subject) for subject in binding.get("subjects") or ()]
        gone = [name for name in subjects if name and is_gone(name)]
        if gone and len(gone) == len(subjects):
            to_remove.append(binding)
        elif gone:
            told[_label(binding)] = f"grants to {', '.join(gone)}, which are gone, and to others"
    for context, user, namespace in _let_in(contexts):
        if is_gone(namespace):
            command = f"oc adm policy remove-scc-from-user {context['metadata']['name']} {user}"
            told[f"{_label(context)}: {user}"] = command
    for volume in volumes:
        namespace = volume["spec"]["claimRef"]["namespace"]
        if is_gone(namespace):
            told[_label(volume)] = f"kept from {namespace}, which is gone: its data is still there"
    return Leftovers(tuple(to_remove), told)


def _security_contexts(kube: Cluster) -> list[Manifest]:
    """Return OpenShift's security contexts; none where the cluster is another Kubernetes."""
    try:
        return kube.find("security.openshift.io/v1", "SecurityContextConstraints")
    except ClusterRefused as refused:
        if refused.status_code == NOT_SERVED:
            return []
        raise


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


def _label(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return str(
        Ref(
            manifest["apiVersion"],
            manifest["kind"],
            metadata["name"],
            metadata.get("namespace", ""),
        )
    )
