"""Reading sessions: for their people, and the work lists of the reconciler."""

import base64
import hmac
import logging
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import F, Prefetch, Q, QuerySet, prefetch_related_objects

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core import sealing
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import mig
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Cluster, Exposure, GpuBackend
from reservations import lifecycle, reminders
from reservations import selectors as reservations
from reservations.reminders import Reminder
from sessions import spec
from sessions.models import (
    ClusterToken,
    ClusterWatch,
    Guest,
    SessionEvent,
    SessionQuota,
    SessionState,
    TokenState,
    WorkspaceSession,
    WorkspaceSessionQuerySet,
)
from sessions.spec import ClaimedDevice, Door, Proxy, SessionSpec, TrustedCa

if TYPE_CHECKING:
    from reservations.models import Reservation

logger = logging.getLogger(__name__)

TERMINAL = [state.value for state in lifecycle.TERMINAL]
PHASES: Final = [state.value for state in SessionState]
READY: Final = SessionState.READY.value
TOKEN_STATES: Final = [state.value for state in TokenState]
NO_TOKEN: Final = TokenState.NONE.value
GOING: Final = frozenset({SessionState.STOPPING.value, SessionState.ENDED.value})


def sessions_visible_to(user: User, *, now: datetime) -> QuerySet[WorkspaceSession]:
    """Return the sessions of the reservations ``user`` may see."""
    found = WorkspaceSession.objects.select_related(
        "reservation__pool__cluster", "reservation__team", "reservation__requested_by"
    )
    if accounts.sees_every_team(user):
        return found
    return found.filter(reservation__in=reservations.reservations_visible_to(user, now=now))


def session_of(reservation: "Reservation") -> WorkspaceSession | None:
    """Return the session of a reservation that its asker may see, if it has one already."""
    return WorkspaceSession.objects.filter(reservation=reservation).first()


def may_enter(person: User, *, public_id: uuid.UUID, now: datetime) -> bool:
    """Return whether the door of session ``public_id`` opens to ``person``.

    To who booked it and to its guests, as long as they belong to its team and it runs.
    """
    session = (
        WorkspaceSession.objects.filter(
            public_id=public_id,
            state__in=[SessionState.PROVISIONING.value, SessionState.READY.value],
            reservation__state=lifecycle.State.ACTIVE.value,
        )
        .select_related("reservation")
        .first()
    )
    if session is None or not person.is_active:
        return False
    reservation = session.reservation
    belongs = accounts.memberships_of(person, now=now).filter(team=reservation.team_id)
    invited = (
        reservation.requested_by_id == person.pk
        or guests_of(reservation).filter(person=person).exists()
    )
    return invited and belongs.exists()


def guests_of(reservation: "Reservation") -> QuerySet[Guest]:
    """Return whom the owner shares the workspace with."""
    return Guest.objects.filter(reservation=reservation).select_related("person")


def quota_of(session: WorkspaceSession) -> dict[str, Any] | None:
    """Return what the session may use and does; None until it was counted."""
    kept = SessionQuota.objects.filter(session=session).first()
    if kept is None:
        return None
    return {"hard": kept.hard, "used": kept.used, "changed_at": kept.changed_at}


def team_mates(reservation: "Reservation", *, now: datetime) -> QuerySet[User]:
    """Return who else belongs to the team of a booking: whom its owner can share it with."""
    mates = accounts.members_of(reservation.team).filter(
        Q(expires_at=None) | Q(expires_at__gt=now), user__is_active=True
    )
    people = User.objects.filter(pk__in=mates.values("user"))
    return people.exclude(pk=reservation.requested_by_id).order_by("username")


def due_to_stop(cluster: Cluster, *, now: datetime) -> WorkspaceSessionQuerySet:
    """Return the sessions that should be gone and were not yet seen to be.

    A back-off after a failure to stop is kept; one after a failure to run is over with the window.
    """
    over = Q(reservation__ends_at__lte=now) | Q(reservation__state__in=TERMINAL)
    running = ~Q(state=SessionState.STOPPING.value)
    put_off = Q(retry_at__gt=now)
    return _not_ended(cluster).filter((running & over) | (~running & ~put_off))


def ending(cluster: Cluster, *, now: datetime) -> list[tuple[WorkspaceSession, Reminder]]:
    """Return the sessions that run and end soon, each with the reminder that is right now."""
    near = meant_to_run(cluster, now=now).filter(
        reservation__ends_at__lte=now + reminders.LOOK_AHEAD
    )
    found = []
    warned = SessionEvent.objects.filter(message__startswith=spec.ENDING)
    for session in near.prefetch_related(None).prefetch_related(Prefetch("events", warned)):
        reservation = session.reservation
        reminder = reminders.due(
            state=lifecycle.State(reservation.state),
            window=reservation.window,
            booked_at=reservation.created_at,
            now=now,
        )
        if reminder is not None:
            found.append((session, reminder))
    return found


def meant_to_run(cluster: Cluster, *, now: datetime) -> WorkspaceSessionQuerySet:
    """Return the sessions that should be up: their window is open, nobody ended them."""
    return _not_ended(cluster).filter(
        state__in=[SessionState.PROVISIONING.value, SessionState.READY.value],
        reservation__state=lifecycle.State.ACTIVE.value,
        reservation__ends_at__gt=now,
    )


def in_use(cluster: Cluster, *, now: datetime) -> WorkspaceSessionQuerySet:
    """Return the sessions that somebody may work in, and nothing of their reservations."""
    ready = meant_to_run(cluster, now=now).filter(state=SessionState.READY.value)
    return ready.prefetch_related(None).select_related(None).defer("pod_templates")


def in_use_by_pool(cluster: Cluster, *, now: datetime) -> list[tuple[WorkspaceSession, int]]:
    """Return the same, each with the number of its pool."""
    found = in_use(cluster, now=now).annotate(pool_number=F("reservation__pool_id"))
    return [(each, getattr(each, "pool_number")) for each in found]  # noqa: B009 -- annotated


def to_be_metered(cluster: Cluster, *, now: datetime) -> WorkspaceSessionQuerySet:
    """Return the sessions in which something may run, with what an entry of the ledger names."""
    ready = meant_to_run(cluster, now=now).filter(state=SessionState.READY.value)
    return ready.select_related("reservation__pool__cluster")


def tokens_to_make(cluster: Cluster, *, now: datetime) -> QuerySet[ClusterToken]:
    """Return the tokens that somebody waits for, of sessions that can be worked in."""
    return ClusterToken.objects.filter(
        made_at=None,
        problem="",
        session__state=SessionState.READY.value,
        session__reservation__state=lifecycle.State.ACTIVE.value,
        session__reservation__pool__cluster=cluster,
        session__reservation__ends_at__gt=now,
    ).select_related("session__reservation")


def token_of(session: WorkspaceSession | None) -> ClusterToken | None:
    """Return the token that its owner asked for last, None: they did not."""
    return ClusterToken.objects.filter(session=session).first() if session else None


def exposures_in(cluster: Cluster) -> set[str]:
    """Return how the sessions that are not over are exposed."""
    running = WorkspaceSession.objects.not_ended().filter(reservation__pool__cluster=cluster)
    return set(running.exclude(exposure=Exposure.NONE).values_list("exposure", flat=True))


def watch_of(cluster: Cluster) -> ClusterWatch | None:
    """Return the stretch in which ``cluster`` was looked at; None: never."""
    return ClusterWatch.objects.filter(cluster=cluster).first()


def previous_is_leaving(session: WorkspaceSession) -> bool:
    """Return whether an earlier session on one of this session's devices is not gone yet."""
    devices = session.reservation.holds.values("device")
    return WorkspaceSession.objects.filter(
        state=SessionState.STOPPING.value, reservation__holds__device__in=devices
    ).exists()


def nodes_in_use(cluster: Cluster) -> frozenset[str]:
    """Return the names of the nodes on which a session is that has not ended."""
    names = _not_ended(cluster).order_by().values_list("reservation__node__name", flat=True)
    return frozenset(name for name in names if name)


def has_namespace(namespace: str) -> bool:
    """Return whether a session that has not ended owns the namespace."""
    return WorkspaceSession.objects.not_ended().filter(namespace=namespace).exists()


def ended_namespaces(names: Iterable[str]) -> dict[str, datetime]:
    """Return those of ``names`` that were namespaces of sessions which have ended, and when."""
    ended = WorkspaceSession.objects.filter(
        namespace__in=list(names), state=SessionState.ENDED.value
    )
    return {each.namespace: each.ended_at for each in ended if each.ended_at is not None}


def specs_of(sessions: Iterable[WorkspaceSession], *, cluster: Cluster) -> list[SessionSpec]:
    """Return the desired state of each session, in order."""
    fleet = inventory.gpu_resource_names(cluster)
    sessions = list(sessions)
    if cluster.gpu_backend == GpuBackend.DRA.value:
        prefetch_related_objects(sessions, "reservation__holds__device")
    return [_spec_of(session, cluster, fleet) for session in sessions]


def workspace_url(session: WorkspaceSession) -> str:
    """Return where the workspace answers once the session is ready."""
    template = session.reservation.pool.cluster.workspace_url_template
    return template.replace("{namespace}", session.namespace)


def open_url(session: WorkspaceSession) -> str | None:
    """Return where the workspace is, None unless it is ready to be opened."""
    can_be_opened = session.state == SessionState.READY.value and session.paused_at is None
    return workspace_url(session) if can_be_opened else None


def _spec_of(session: WorkspaceSession, cluster: Cluster, fleet: frozenset[str]) -> SessionSpec:
    reservation = session.reservation
    claimed = _claimed(session) if cluster.gpu_backend == GpuBackend.DRA.value else ()
    slots = inventory.slots_per_unit(reservation.placed_on, reservation.resource_name)
    return SessionSpec(
        installation=settings.INSTALLATION,
        public_id=session.public_id,
        namespace=session.namespace,
        reservation_id=reservation.public_id,
        team=reservation.team.slug,
        owner=reservation.requested_by.get_username(),
        mode=AllocationMode(reservation.mode),
        gpu_resource=reservation.resource_name,
        gpu_slots=0 if claimed else reservation.units * slots,
        other_gpu_resources=fleet - {reservation.resource_name},
        cpu_millicores=reservation.cpu_millicores,
        memory_mib=reservation.memory_mib,
        storage_gib=reservation.storage_gib,
        storage_class=cluster.storage_class,
        node=reservation.placed_on.name,
        starts_at=reservation.starts_at,
        ends_at=reservation.ends_at,
        workspace_image=settings.WORKSPACE_IMAGE,
        proxy=Proxy(settings.HTTP_PROXY, settings.HTTPS_PROXY, settings.NO_PROXY),
        claimed_devices=claimed,
        slots_per_device=slots,
        trusted_ca=TrustedCa(settings.TRUSTED_CA, is_injected=cluster.injects_trusted_ca),
        door=door_of(session, cluster),
        is_paused=session.paused_at is not None,
        pod_templates=session.pod_templates,
    )


def _claimed(session: WorkspaceSession) -> tuple[ClaimedDevice, ...]:
    """Return the devices that the session's reservation holds, in a stable order."""
    devices = sorted((hold.device for hold in session.reservation.holds.all()), key=lambda d: d.pk)
    return tuple(
        ClaimedDevice(mig.device_class_of(device.resource_name), device.uuid or "")
        for device in devices
    )


def door_of(session: WorkspaceSession, cluster: Cluster) -> Door | None:
    """Return what stands before the workspace; None where it is not exposed by us."""
    if session.exposure == Exposure.NONE:
        return None
    seed = _seed_of(session)
    return Door(
        url=workspace_url(session),
        issuer_url=settings.BASE_URL.rstrip("/"),
        client_id=spec.client_id(session.public_id),
        group=spec.client_id(session.public_id),
        image=settings.DOOR_IMAGE,
        exposure=session.exposure,
        ingress_class=cluster.ingress_class,
        gateway=cluster.gateway,
        router_namespace=cluster.router_namespace,
        client_secret=_derived("client", seed),
        cookie_secret=_derived("cookie", seed),
    )


def _seed_of(session: WorkspaceSession) -> bytes:
    try:
        return sealing.unseal(session.door_seed).encode()
    except sealing.SealBroken:
        # Its key is gone for good.  Nobody gets in with what the pod has, until it is replaced.
        logger.exception("the secrets of a door cannot be read", extra={"session": str(session)})
        return settings.SECRET_KEY.encode() + session.public_id.bytes


def _derived(purpose: str, seed: bytes) -> str:
    digest = hmac.digest(seed, f"gpuaas: door: {purpose}".encode(), "sha256")
    # Without padding: HTTP's Basic would have to escape it, and not everybody reads that back.
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _not_ended(cluster: Cluster) -> WorkspaceSessionQuerySet:
    """Return the sessions, each with its reservation, and what many share fetched once for all."""
    return (
        WorkspaceSession.objects.not_ended()
        .filter(reservation__pool__cluster=cluster)
        .select_related("reservation")
        .prefetch_related(
            "reservation__team",
            "reservation__requested_by",
            "reservation__node__pool",
            "reservation__node__devices",
            "reservation__pool__cluster",
        )
        .order_by("reservation__starts_at", "pk")
    )
