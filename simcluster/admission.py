"""Admission: what happens to a new or changed object between the request and the store."""

from collections.abc import Iterator
from typing import Final

from simcluster import errors
from simcluster.access import Access
from simcluster.errors import ApiError
from simcluster.objects import Object, is_terminating, kinds, name_of, namespace_of, pods
from simcluster.objects.kinds import Kind
from simcluster.rules import limits, podsecurity, quota, rbac
from simcluster.rules.rbac import Request, Rule, User
from simcluster.store import Store

DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
IN_USE: Final = "kubernetes.io/pvc-protection"


class Admission:
    """The admission plugins that matter here, in the real server's order."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def create(self, kind: Kind, obj: Object, user: User) -> Object:
        """Return the new object with what admission adds to it, or raise 403."""
        if kind.namespaced:
            self._check_namespace(kind, obj)
        if kind is kinds.POD:
            obj = self._pod(obj)
        elif kind is kinds.CLAIM:
            obj = self._claim(obj)
        self._check_escalation(kind, obj, user)
        return obj

    def update(self, kind: Kind, old: Object, new: Object, user: User) -> None:
        """Raise 403 unless the change is admitted."""
        if old.get("rules") != new.get("rules") or old.get("subjects") != new.get("subjects"):
            self._check_escalation(kind, new, user)
        if kind is kinds.CLAIM:
            self._check_claim(new)
        self.check_quota(kind, old, new)

    def check_quota(self, kind: Kind, old: Object | None, new: Object) -> None:
        """Raise 403 when the namespace's quotas have no room for the object or its growth."""
        quotas = [
            found
            for found in self._store.every(kinds.RESOURCE_QUOTA, namespace_of(new))
            if kind.namespaced and quota.counts(found)
        ]
        if not quotas:
            return
        before = quota.charge(kind, old) if old else {}
        more = quota.increase(before, quota.charge(kind, new))
        used = quota.used(self._store.contents(namespace_of(new))) if more else {}
        for found in quotas:
            if kind is kinds.POD and old is None and (missing := quota.unstated(found, new)):
                raise _forbidden(kind, new, missing)
            if why := quota.objection(found, used, more):
                raise _forbidden(kind, new, why)

    def _check_namespace(self, kind: Kind, obj: Object) -> None:
        name = namespace_of(obj)
        namespace = self._store.get(kinds.NAMESPACE, "", name)
        if namespace is None:
            raise errors.not_found("namespaces", "", name)
        if is_terminating(namespace):
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {name} is being terminated",
                "field": "metadata.namespace",
            }
            raise errors.forbidden(
                kind.plural,
                kind.group,
                name_of(obj),
                f"unable to create new content in namespace {name} because it is being terminated",
                [cause],
            )

    def _pod(self, pod: Object) -> Object:
        namespace = namespace_of(pod)
        account = pod["spec"].get("serviceAccountName") or "default"
        if self._store.get(kinds.SERVICE_ACCOUNT, namespace, account) is None:
            raise _forbidden(
                kinds.POD,
                pod,
                f"error looking up service account {namespace}/{account}: "
                f'serviceaccount "{account}" not found',
            )
        spec = {
            "serviceAccountName": account,
            "serviceAccount": account,
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
        } | pod["spec"]
        ranges = self._store.every(kinds.LIMIT_RANGE, namespace)
        pod = limits.with_defaults({**pod, "spec": spec}, ranges)
        if found := limits.objections(pod, ranges):
            raise _forbidden(kinds.POD, pod, _together(found))
        self._check_pod_security(pod)
        quality = pods.quality_of_service(pod)
        return {**pod, "status": {"phase": "Pending", "qosClass": quality}}

    def _check_pod_security(self, pod: Object) -> None:
        found = self._store.get(kinds.NAMESPACE, "", namespace_of(pod)) or {}
        level = (found["metadata"].get("labels") or {}).get(podsecurity.LABEL, "privileged")
        if why := podsecurity.violations(pod, level):
            text = f'violates PodSecurity "{level}:latest": {", ".join(why)}'
            raise _forbidden(kinds.POD, pod, text)

    def _claim(self, claim: Object) -> Object:
        self._check_claim(claim)
        finalizers = claim["metadata"].get("finalizers") or []
        metadata = {**claim["metadata"], "finalizers": [*finalizers, IN_USE]}
        spec = dict(claim["spec"])
        default_class = next(self._default_classes(), None)
        if default_class and "storageClassName" not in spec:
            spec["storageClassName"] = default_class
        return {**claim, "metadata": metadata, "spec": spec}

    def _check_claim(self, claim: Object) -> None:
        ranges = self._store.every(kinds.LIMIT_RANGE, namespace_of(claim))
        if found := limits.claim_objections(claim, ranges):
            raise _forbidden(kinds.CLAIM, claim, _together(found))

    def _default_classes(self) -> Iterator[str]:
        for found in self._store.every(kinds.STORAGE_CLASS):
            if (found["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
                yield name_of(found)

    def _check_escalation(self, kind: Kind, obj: Object, user: User) -> None:
        """Nobody hands out what they do not hold, unless ``bind`` or ``escalate`` lets them."""
        if user.is_master or kind.group != "rbac.authorization.k8s.io":
            return
        namespace = namespace_of(obj)
        if kind in {kinds.ROLE_BINDING, kinds.CLUSTER_ROLE_BINDING}:
            role, wanted = self._bound_role(obj)
            verb = Request("bind", kind.group, role, "", namespace, obj["roleRef"]["name"])
        else:
            wanted = obj.get("rules") or []
            verb = Request("escalate", kind.group, kind.plural, "", namespace, name_of(obj))
        if self._access.allows(user, verb):
            return
        if not rbac.covers(self._access.rules(user, namespace), wanted):
            groups = ",".join(f'"{group}"' for group in sorted(user.groups))
            raise _forbidden(
                kind,
                obj,
                f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
                "not currently held",
            )

    def _bound_role(self, binding: Object) -> tuple[str, list[Rule]]:
        reference = binding["roleRef"]
        if reference["kind"] == "Role":
            found = self._store.get(kinds.ROLE, namespace_of(binding), reference["name"])
            return "roles", (found or {}).get("rules") or []
        found = self._store.get(kinds.CLUSTER_ROLE, "", reference["name"])
        return "clusterroles", (found or {}).get("rules") or []


def _forbidden(kind: Kind, obj: Object, why: str) -> ApiError:
    return errors.forbidden(kind.plural, kind.group, name_of(obj), why)


def _together(found: list[str]) -> str:
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"
