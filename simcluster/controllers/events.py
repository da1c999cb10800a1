"""Events: what controllers tell people about an object, counted rather than repeated."""

import hashlib
from typing import Final

from simcluster.controllers import World, acting_as
from simcluster.errors import ApiError
from simcluster.objects import Object, kinds, name_of, namespace_of, uid_of

NORMAL: Final = "Normal"
WARNING: Final = "Warning"


def record(world: World, about: Object, severity: str, reason: str, message: str) -> None:
    """Write an event about an object, or count one more of the same."""
    registry = world.registry
    namespace = namespace_of(about) or "default"
    digest = hashlib.sha256(f"{uid_of(about)}{reason}{message}".encode()).hexdigest()[:16]
    name = f"{name_of(about)}.{digest}"
    known = registry.store.get(kinds.EVENT, namespace, name)
    if known is not None:
        again = {"count": known["count"] + 1, "lastTimestamp": registry.now()}
        registry.store.put(kinds.EVENT, {**known, **again})
        return
    body = {
        "metadata": {"name": name},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "namespace": namespace_of(about),
            "resourceVersion": about["metadata"]["resourceVersion"],
            "uid": uid_of(about),
        },
        "type": severity,
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": registry.now(),
        "lastTimestamp": registry.now(),
        "source": {"component": "simcluster"},
        "reportingComponent": "simcluster",
        "reportingInstance": "",
    }
    try:
        registry.create(
            kinds.EVENT, namespace, {"kind": "Event", **body}, acting_as("event-recorder")
        )
    except ApiError:  # the namespace is going away: nobody will read it
        return
