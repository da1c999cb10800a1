"""The verbs of the API, without HTTP: each checks, stores and returns, or raises an `ApiError`."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from simcluster import bodies, errors, validation
from simcluster.access import Access
from simcluster.admission import Admission
from simcluster.errors import ApiError
from simcluster.objects import (
    Object,
    apply,
    defaults,
    is_terminating,
    kinds,
    managers,
    name_of,
    namespace_of,
    ownership,
    quantities,
    uid_of,
)
from simcluster.objects.kinds import Kind
from simcluster.objects.managers import Manager
from simcluster.rules.rbac import User
from simcluster.store import Store

# Kinds whose status may come with the object itself: it describes hardware.
STATUS_COMES_ALONG: Final = frozenset({"Node", "PersistentVolume"})


@dataclass(frozen=True, slots=True)
class Call:
    """Who writes, under which field manager's name, and whether for real."""

    user: User
    manager: str
    dry_run: bool = False


class Registry:
    """The write verbs, over one store."""

    def __init__(self, store: Store, access: Access, clock: Callable[[], datetime]) -> None:
        self.store = store
        self._clock = clock
        self._admission = Admission(store, access)

    def now(self) -> str:
        """Return the present instant as the API writes it."""
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return the object, or raise 404."""
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind.plural, kind.group, name)
        return found

    def create(self, kind: Kind, namespace: str, body: Object, call: Call) -> Object:
        """Store a new object."""
        if (body.get("metadata") or {}).get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        obj = self._new(kind, namespace, body, call)
        changed, _ = ownership.differences({"metadata": {}}, obj)
        manager = Manager(call.manager, managers.UPDATE, kind.api_version)
        shares = managers.after_update([], manager, changed, frozenset(), self.now())
        return self._added(kind, _managed(obj, shares), call)

    def update(
        self, kind: Kind, namespace: str, body: Object, call: Call, *, subresource: str = ""
    ) -> Object:
        """Replace an object, or only its ``status``, by what the body says."""
        old = self.get(kind, namespace, name_of(body))
        _check_assumptions(kind, old, body)
        new = self._completed(kind, bodies.composed(kind, old, body, subresource))
        if not subresource:
            validation.check_change(kind, old, new)
            self._admission.update(kind, old, new, call.user)
        changed, removed = ownership.differences(old, new)
        manager = Manager(call.manager, managers.UPDATE, kind.api_version, subresource)
        shares = managers.after_update(managers.of(old), manager, changed, removed, self.now())
        return self._changed(kind, old, _managed(new, shares), call)

    def apply(
        self,
        kind: Kind,
        namespace: str,
        body: Object,
        call: Call,
        *,
        force: bool,
        subresource: str = "",
    ) -> Object:
        """Make the fields of ``body`` true; create the object when there is none."""
        old = self.store.get(kind, namespace, name_of(body))
        body = apply.without_nulls(body)
        paths = frozenset(
            ownership.flattened(body, with_status=bool(subresource) or not kind.has_status)
        )
        manager = Manager(call.manager, managers.APPLY, kind.api_version, subresource)
        if old is None:
            if (body.get("metadata") or {}).get("uid"):
                raise errors.conflict(kind.plural, kind.group, name_of(body), "uid mismatch")
            obj = self._new(kind, namespace, body, call)
            shares = managers.after_apply([], manager, paths, frozenset(), self.now())
            return self._added(kind, _managed(obj, shares), call)
        _check_assumptions(kind, old, body)
        shares = managers.of(old)
        merged = apply.result(old, body, dropped=apply.dropped(shares, manager, paths))
        new = self._completed(kind, bodies.composed(kind, old, merged, subresource))
        if not subresource:
            validation.check_change(kind, old, new)
            self._admission.update(kind, old, new, call.user)
        changed, _ = ownership.differences(old, new)
        found = managers.conflicts(shares, manager, changed & paths)
        if found and not force:
            raise apply.refused(kind.plural, kind.group, name_of(body), found)
        after = managers.after_apply(shares, manager, paths, changed & paths, self.now())
        return self._changed(kind, old, _managed(new, after), call)

    def write_status(self, kind: Kind, obj: Object, status: Object) -> None:
        """Store what a controller of this server found out; nobody owns those fields."""
        if obj.get("status") != status:
            self.store.put(kind, {**obj, "status": status})

    def _new(self, kind: Kind, namespace: str, body: Object, call: Call) -> Object:
        metadata = {
            key: value
            for key, value in (body.get("metadata") or {}).items()
            if key not in bodies.SERVER_METADATA
        }
        metadata["name"] = bodies.chosen_name(kind, body)
        if kind.namespaced:
            metadata["namespace"] = namespace
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.now()}
        if kind.has_generation:
            metadata["generation"] = 1
        obj = {**body, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
        if kind.has_status and kind.name not in STATUS_COMES_ALONG:
            obj.pop("status", None)
        obj = self._completed(kind, obj)
        obj = self._completed(kind, self._admission.create(kind, obj, call.user))
        validation.check(kind, obj)
        self._admission.check_quota(kind, None, obj)
        if kind.name == "Service":
            obj = self._with_address(obj)
        return obj

    def _added(self, kind: Kind, obj: Object, call: Call) -> Object:
        known = self.store.get(kind, namespace_of(obj), name_of(obj))
        if known is not None:
            raise errors.already_exists(
                kind.plural, kind.group, name_of(obj), leaving=is_terminating(known)
            )
        return obj if call.dry_run else self.store.put(kind, obj)

    def _changed(self, kind: Kind, old: Object, new: Object, call: Call) -> Object:
        if new == old:
            return old
        if kind.has_generation and new.get("spec") != old.get("spec"):
            generation = old["metadata"].get("generation", 0) + 1
            new = {**new, "metadata": {**new["metadata"], "generation": generation}}
        if call.dry_run:
            return new
        if is_terminating(new) and not bodies.is_held(kind, new):
            self.store.remove(kind, old)
            return new
        return self.store.put(kind, new)

    def _completed(self, kind: Kind, obj: Object) -> Object:
        validation.check_types(kind, obj)
        try:
            return defaults.completed(obj)
        except (quantities.NotAQuantity, AttributeError, TypeError) as error:
            raise validation.unreadable(kind, str(error)) from error

    def _with_address(self, service: Object) -> Object:
        if service["spec"].get("type") == "ExternalName" or service["spec"].get("clusterIP"):
            return service
        taken = {
            found["spec"].get("clusterIP") for found in self.store.every(kinds.named("Service"))
        }
        free = (f"10.96.{high}.{low}" for high in range(256) for low in range(1, 255))
        address = next(address for address in free if address not in taken)
        return {
            **service,
            "spec": {**service["spec"], "clusterIP": address, "clusterIPs": [address]},
        }


def _check_assumptions(kind: Kind, old: Object, body: Object) -> None:
    metadata = body.get("metadata") or {}
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    if uid and uid != uid_of(old):
        raise _stale(
            kind,
            old,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(old)}",
        )
    if version and version != old["metadata"]["resourceVersion"]:
        raise _stale(
            kind,
            old,
            "the object has been modified; please apply your changes to the latest version "
            "and try again",
        )


def _stale(kind: Kind, obj: Object, why: str) -> ApiError:
    return errors.conflict(kind.plural, kind.group, name_of(obj), why)


def _managed(obj: Object, shares: list[managers.Share]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": managers.written(shares)}}
