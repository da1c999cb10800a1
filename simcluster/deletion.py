"""Deletion: at once, after a grace period, or when finalizers let go."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simcluster import errors
from simcluster.bodies import is_held
from simcluster.objects import Object, kinds, name_of, pods, uid_of
from simcluster.objects.kinds import Kind
from simcluster.registry import Registry

FOREGROUND: Final = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Options:
    """How an object is to be deleted: DeleteOptions, read."""

    uid: str = ""
    resource_version: str = ""
    grace_seconds: int | None = None
    propagation: str = "Background"
    dry_run: bool = False


def options_from(body: Object, query: dict[str, str]) -> Options:
    """Return the options a DELETE request carries in its body or its query."""
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy")
    if body.get("orphanDependents") or query.get("orphanDependents") == "true":
        propagation = "Orphan"
    return Options(
        uid=preconditions.get("uid", ""),
        resource_version=preconditions.get("resourceVersion", ""),
        grace_seconds=None if grace is None else int(grace),
        propagation=propagation or "Background",
        dry_run=bool(body.get("dryRun") or query.get("dryRun")),
    )


def delete(
    registry: Registry, kind: Kind, obj: Object, options: Options, now: datetime
) -> Object | None:
    """Delete ``obj``; return it while it has to stay, None when it is gone."""
    _check_preconditions(kind, obj, options)
    marked = _marked(kind, obj, options, now)
    if options.dry_run:
        return marked
    if options.propagation == "Orphan":
        _orphan_dependents(registry, obj)
    if not is_held(kind, marked):
        registry.store.remove(kind, obj)
        return None
    if marked != obj:
        return registry.store.put(kind, marked)
    return obj


def _check_preconditions(kind: Kind, obj: Object, options: Options) -> None:
    if options.uid and options.uid != uid_of(obj):
        raise errors.conflict(
            kind.plural,
            kind.group,
            name_of(obj),
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid_of(obj)}). The object might have been deleted and then recreated",
        )
    version = obj["metadata"]["resourceVersion"]
    if options.resource_version and options.resource_version != version:
        raise errors.conflict(
            kind.plural,
            kind.group,
            name_of(obj),
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({version}). The object might have been modified",
        )


def _marked(kind: Kind, obj: Object, options: Options, now: datetime) -> Object:
    """Return the object with its deletion written into it."""
    metadata = dict(obj["metadata"])
    grace = _grace_seconds(kind, obj, options)
    shortened = grace < metadata.get("deletionGracePeriodSeconds", grace + 1)
    if "deletionTimestamp" not in metadata or shortened:
        ends_at = now + timedelta(seconds=grace)
        metadata["deletionTimestamp"] = ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata["deletionGracePeriodSeconds"] = grace
        if kind is kinds.NAMESPACE:
            del metadata["deletionGracePeriodSeconds"]
    if options.propagation == "Foreground" and FOREGROUND not in metadata.get("finalizers", []):
        metadata["finalizers"] = [*metadata.get("finalizers", []), FOREGROUND]
    marked = {**obj, "metadata": metadata}
    if kind is kinds.NAMESPACE:
        marked["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    return marked


def _grace_seconds(kind: Kind, obj: Object, options: Options) -> int:
    if kind is not kinds.POD:
        return 0
    if not obj["spec"].get("nodeName") or pods.is_finished(obj):
        return 0
    if options.grace_seconds is not None:
        return max(options.grace_seconds, 0)
    return int(obj["spec"].get("terminationGracePeriodSeconds", pods.DEFAULT_GRACE_SECONDS))


def _orphan_dependents(registry: Registry, owner: Object) -> None:
    for kind, obj in registry.store.dependents(uid_of(owner)):
        references = [
            reference
            for reference in obj["metadata"]["ownerReferences"]
            if reference["uid"] != uid_of(owner)
        ]
        metadata = {**obj["metadata"], "ownerReferences": references}
        registry.store.put(kind, {**obj, "metadata": metadata})
