"""Bring one session up, and keep it so: a fixed list of steps, each safe to repeat.

A step looks at the world, makes what is missing and says whether the next one may run.  No step
remembers anything.  After a crash, a power cut or a tenant who deleted things, the next cycle
starts at the first step again, finds the early ones already true, and goes on from the first that
is not.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeAlias, TypeVar

from reconciler import plain_words, pod_templates
from reconciler.cluster import Manifest, is_terminating
from reconciler.manifests import (
    access,
    devices,
    door,
    exposure,
    guardrails,
    network,
    storage,
    trusted_ca,
    workspace,
)
from reconciler.manifests import namespace as namespaces
from reconciler.world import World
from sessions import services
from sessions.models import WorkspaceSession
from sessions.spec import SessionSpec

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Done:
    """The step's part of the desired state is true."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cluster needs time; look again.

    ``hopeless_after`` is how long it makes sense to wait at most, None as long as for anything.
    """

    reason: str
    hopeless_after: timedelta | None = None


Outcome: TypeAlias = Done | Waiting


@dataclass(frozen=True, slots=True)
class Job(Generic[R]):
    """What one item needs, in two parts.

    ``work`` asks the cluster and touches no row: jobs of different sessions run side by side.
    ``record`` writes down what came of it, and runs where the pass itself runs, one at a time.
    A process that dies in between has lost nothing: the next look finds what was done.
    """

    work: Callable[[], R]
    record: Callable[[R], Outcome]


Step: TypeAlias = Callable[[SessionSpec, World], Outcome]


def ensure_namespace(spec: SessionSpec, world: World) -> Outcome:
    """Create the namespace.

    One that is being deleted (by a tenant who may, or by hand) rejects new objects: wait.
    """
    found = world.picture.namespace(spec.namespace)
    if found is not None and is_terminating(found):
        return Waiting("the namespace is being deleted; it comes back empty when it is gone")
    world.ensure(namespaces.build(spec))
    return Done()


def ensure_guardrails(spec: SessionSpec, world: World) -> Outcome:
    """Put the limits in place."""
    world.ensure(guardrails.resource_quota(spec))
    world.ensure(guardrails.limit_range(spec))
    return Done()


def ensure_network(spec: SessionSpec, world: World) -> Outcome:
    """Close the namespace to the network, but for what a workspace needs."""
    for policy in network.build(spec):
        world.ensure(policy)
    return Done()


def ensure_counting(spec: SessionSpec, world: World) -> Outcome:
    """Wait until the API counts against the quota.

    Admission reads a quota's *status*, not its spec.  While ``status.hard`` is not the spec's, or
    something is not counted yet, nobody may get in, and what is counted cannot be made.
    """
    wanted = guardrails.resource_quota(spec)
    if world.settles(wanted, lambda quota: guardrails.is_counting(quota, wanted)):
        return Done()
    return Waiting("the cluster is starting to count against the quota")


def ensure_storage(spec: SessionSpec, world: World) -> Outcome:
    """Claim the volumes; they are bound when the workspace's pod uses them."""
    for claim in storage.build(spec):
        world.ensure(claim)
    return Done()


def ensure_devices(spec: SessionSpec, world: World) -> Outcome:
    """Claim the booked devices by their UUIDs, where the cluster ties sessions to devices.

    Whoever still holds one of them keeps it: then the claim waits, and so do we.
    """
    if not spec.claimed_devices:
        return Done()
    if not all(device.uuid for device in spec.claimed_devices):
        return Waiting("the UUID of a booked device is not known to the inventory yet")
    claim = world.ensure(devices.claim(spec))
    world.ensure(devices.holder(spec))
    return Done() if devices.is_allocated(claim) else Waiting("its devices are being claimed")


def ensure_workspace(spec: SessionSpec, world: World) -> Outcome:
    """Start the workspace and wait until its pod is ready."""
    world.ensure(workspace.proxy_config(spec))
    if spec.trusted_ca.is_given:
        world.ensure(trusted_ca.config(spec))
    world.ensure(workspace.service_account(spec))
    world.ensure(workspace.service(spec))
    wanted = workspace.deployment(spec)
    if spec.door and not world.has(wanted):
        world.put(door.secret(spec, spec.door))
    deployment = world.ensure(wanted)
    if spec.is_paused or is_available(deployment):
        return Done()
    pods = world.workspace_pods(spec.namespace)
    if spec.door and plain_words.lacks_configuration(pods):
        world.put(door.secret(spec, spec.door))
    found = plain_words.why_not_available(deployment, pods)
    return Waiting(found.reason, found.hopeless_after)


def ensure_exposure(spec: SessionSpec, world: World) -> Outcome:
    """Lead the router to the workspace's door, which has to stand by now."""
    if spec.door:
        world.ensure(exposure.build(spec, spec.door))
    return Done()


def ensure_access(spec: SessionSpec, world: World) -> Outcome:
    """Let the owner in."""
    for binding in access.build(spec):
        world.ensure(binding)
    return Done()


# The order is part of the design: nothing that grants access comes before what limits it.
STEPS: Final[tuple[Step, ...]] = (
    ensure_namespace,
    ensure_guardrails,
    ensure_network,
    ensure_counting,
    ensure_storage,
    ensure_devices,
    ensure_workspace,
    ensure_exposure,
    ensure_access,
)


def advance(spec: SessionSpec, world: World, *, steps: tuple[Step, ...] = STEPS) -> Outcome:
    """Run the steps in order and stop at the first that has to wait."""
    for step in steps:
        outcome = step(spec, world)
        if isinstance(outcome, Waiting):
            return outcome
    return Done()


def converge(
    session: WorkspaceSession, spec: SessionSpec, world: World, *, now: datetime
) -> Outcome | Job[Outcome]:
    """Advance one session and write down how far it is, by a job where the cluster may be asked.

    Its door, if it has one, is known to the portal before anybody could come to it, and what its
    pods are started with is written down before they are.
    """
    if spec.door is not None:
        services.hang_door(session=session, door=spec.door, now=now)
    templates = pod_templates.of(session, spec, world.picture)
    services.record_pod_templates(session=session, pod_templates=templates)
    spec = dataclasses.replace(spec, pod_templates=templates)
    if world.is_still_complete(spec):
        return _write_down(session, Done(), world, now=now)
    return Job(
        work=lambda: _advance(spec, world),
        record=lambda outcome: _write_down(session, outcome, world, now=now),
    )


def _advance(spec: SessionSpec, world: World) -> Outcome:
    outcome = advance(spec, world)
    if isinstance(outcome, Done):
        world.note_complete(spec)
    return outcome


def _write_down(
    session: WorkspaceSession, outcome: Outcome, world: World, *, now: datetime
) -> Outcome:
    namespace = world.picture.namespace(session.namespace)
    if namespace is not None:
        services.record_namespace(session=session, uid=namespace["metadata"]["uid"])
    if isinstance(outcome, Waiting):
        services.record_waiting(
            session=session, reason=outcome.reason, hopeless_after=outcome.hopeless_after, now=now
        )
    else:
        services.record_ready(session=session, now=now)
    return outcome


def is_available(deployment: Manifest) -> bool:
    """Return whether the Deployment, as it now is, has a ready pod."""
    status: Mapping[str, Any] = deployment.get("status", {})
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
    return bool(current and status.get("availableReplicas", 0) >= 1)
