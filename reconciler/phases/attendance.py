"""See who uses what they booked: give back what nobody came for, tell of what is idle."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeAlias

from gpuaas.inventory.models import Cluster
from reconciler import naming
from reconciler.cluster import Ref
from reconciler.observe import Picture
from reconciler.provision import Done, Outcome
from reconciler.world import World
from reservations import facts
from reservations.facts import Attendance
from sessions import selectors, services
from sessions.attendance import Verdict
from sessions.models import ClusterWatch, WorkspaceSession

_CHANGES: Final = {
    Verdict.NO_SHOW: "give back {}: nobody came",
    Verdict.RELEASE: "give back {}: nobody uses it any more",
    Verdict.PAUSE: "pause {}: nobody uses it",
}
Item: TypeAlias = tuple[WorkspaceSession, Attendance, ClusterWatch]


def due(cluster: Cluster, now: datetime) -> Iterable[Item]:
    """Return the sessions that can be used, with what their pools say of not using them."""
    watch = selectors.watch_of(cluster)
    if watch is None:
        return
    rules = facts.attendance_rules(cluster)
    for session, pool in selectors.in_use_by_pool(cluster, now=now):
        yield session, rules.get(pool, Attendance()), watch


def act(item: Item, world: World, now: datetime) -> Outcome:
    """Note whether it is used, and do what follows from that."""
    session, rules, watch = item
    services.record_use(session=session, is_used=has_own_pods(world.picture, session), now=now)
    verdict = services.attend(session=session, rules=rules, watch=watch, now=now)
    if verdict in _CHANGES:
        world.changes.append(_CHANGES[verdict].format(session))
    return Done()


def has_own_pods(picture: Picture, session: WorkspaceSession) -> bool | None:
    """Return whether pods run in it besides the workspace's own; None: it cannot be told.

    The quota counts them for us: its status is in the listing that each look makes anyway.
    """
    quota = picture.get(Ref("v1", "ResourceQuota", naming.QUOTA, session.namespace))
    deployment = picture.get(Ref("apps/v1", "Deployment", naming.WORKSPACE, session.namespace))
    if quota is None or deployment is None:
        return None
    pods = quota.get("status", {}).get("used", {}).get("pods")
    if pods is None:
        return None
    own: int = deployment.get("status", {}).get("replicas", 0)
    holder = picture.get(Ref("apps/v1", "Deployment", naming.DEVICE_HOLDER, session.namespace))
    return int(pods) > max(1, own) + (holder is not None)
