"""Valid objects, made with plain functions.  A test states only what it is about.

    reservation = make.reservation(units=2)

Names and numbers that a test does not mention must not matter to it.
"""

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from psycopg.types.range import TimestamptzRange

from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Team, User
from gpuaas.accounts.services import memberships
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import layouts
from gpuaas.inventory.models import (
    Closure,
    ClosureKind,
    Cluster,
    Device,
    DeviceState,
    Node,
    PlannedLayout,
    Pool,
)
from gpuaas.notifications.models import Announcement, Level
from reservations import lifecycle, policy, services
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation, UnitPrice
from reservations.recurrence import Every, Repeat
from reservations.services import Wish
from sessions import spec as sessions_spec
from sessions.models import SessionState, WorkspaceSession
from sessions.spec import SessionSpec

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
GPU: Final = "nvidia.com/gpu"
SLICE: Final = "nvidia.com/mig-1g.24gb"
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 -- of people who do not exist

_MEMORY_MIB: Final = {GPU: 97_887, SLICE: 24_064}
_REPLICAS: Final = {GPU: 4, SLICE: 2}
_COMPUTE_SHARE: Final = {SLICE: Decimal("0.25")}
_serial = itertools.count(1)


def at(hour: float) -> datetime:
    """Return the instant ``hour`` hours after noon."""
    return NOON + timedelta(hours=hour)


def window(first_hour: float, last_hour: float) -> Window:
    """Return the window from ``first_hour`` to ``last_hour`` after noon."""
    return Window(at(first_hour), at(last_hour))


# --- people ------------------------------------------------------------------------------------


def user(
    *,
    teams: Iterable[Team] = (),
    role: MembershipRole = MembershipRole.MEMBER,
    organisation_role: OrganisationRole = OrganisationRole.NONE,
    username: str | None = None,
    is_active: bool = True,
) -> User:
    """Return a person with ``role`` in each of ``teams``."""
    username = username or f"user-{next(_serial)}"
    is_admin = organisation_role == OrganisationRole.PLATFORM_ADMIN
    person = User.objects.filter(username=username).first() or User.objects.create_user(
        username=username,
        password=PASSWORD,
        email=f"{username}@example.com",
        organisation_role=organisation_role,
        is_staff=is_admin,
        is_superuser=is_admin,
    )
    if not is_active:
        User.objects.filter(pk=person.pk).update(is_active=False)
        person.is_active = False
    for each in teams:
        membership(of=each, whose=person, role=role)
    return person


def team(*, slug: str | None = None) -> Team:
    slug = slug or f"team-{next(_serial)}"
    return Team.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})[0]


def membership(
    *,
    of: Team,
    whose: User,
    role: MembershipRole = MembershipRole.MEMBER,
    expires_at: datetime | None = None,
) -> Membership:
    return memberships.put(
        team=of,
        user=whose,
        role=role,
        granted_by=None,
        now=NOON - timedelta(days=365),
        expires_at=expires_at,
    )


# --- hardware ----------------------------------------------------------------------------------


def cluster(*, name: str | None = None) -> Cluster:
    name = name or f"cluster-{next(_serial)}"
    return Cluster.objects.create(
        name=name,
        display_name=name.capitalize(),
        workspace_url_template="https://{namespace}.apps.example.com/",
    )


def pool(
    *,
    devices: Mapping[str, int] | None = None,
    of: Cluster | None = None,
    nodes: int = 1,
    slug: str | None = None,
) -> Pool:
    """Return a pool of ``nodes`` alike nodes, each with ``devices`` (four slices, one GPU)."""
    slug = slug or f"pool-{next(_serial)}"
    made = Pool.objects.create(cluster=of or cluster(), name=slug.capitalize(), slug=slug)
    for _ in range(nodes):
        node(of=made, devices=devices)
    return made


def node(
    *,
    of: Pool | None = None,
    devices: Mapping[str, int] | None = None,
    cpu_millicores: int = 127_000,
    memory_mib: int = 754 * 1024,
    storage_gib: int = 25_000,
    is_schedulable: bool = True,
) -> Node:
    of = of or pool(nodes=0)
    made = Node.objects.create(
        cluster=of.cluster,
        pool=of,
        name=f"node-{next(_serial)}",
        cpu_millicores=cpu_millicores,
        memory_mib=memory_mib,
        storage_gib=storage_gib,
        is_schedulable=is_schedulable,
    )
    for resource_name, count in ({SLICE: 4, GPU: 1} if devices is None else devices).items():
        for ordinal in range(count):
            device(of=made, resource_name=resource_name, ordinal=ordinal)
    return made


def device(
    *,
    of: Node,
    resource_name: str = SLICE,
    ordinal: int = 0,
    state: DeviceState = DeviceState.IN_SERVICE,
) -> Device:
    return Device.objects.create(
        node=of,
        resource_name=resource_name,
        ordinal=ordinal,
        product="NVIDIA-RTX-PRO-6000",
        memory_mib=_MEMORY_MIB.get(resource_name, 16_384),
        replicas=_REPLICAS.get(resource_name, 1),
        compute_share=_COMPUTE_SHARE.get(resource_name, Decimal(1)),
        state=state,
    )


def closure(
    *,
    of: Pool | Node,
    at: Window,
    kind: ClosureKind = ClosureKind.MAINTENANCE,
    canceled_at: datetime | None = None,
) -> Closure:
    """Return a closure of a pool or a node, past the service's rules."""
    return Closure.objects.create(
        pool=of if isinstance(of, Pool) else None,
        node=of if isinstance(of, Node) else None,
        kind=kind,
        starts_at=at.starts_at,
        ends_at=at.ends_at,
        reason="new firmware",
        created_by=user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        created_at=NOON,
        canceled_at=canceled_at,
    )


# --- bookings ----------------------------------------------------------------------------------


def layout(
    *, of: Node, at: Window, state: layouts.State = layouts.State.PLANNED, gpu_index: int = 0
) -> PlannedLayout:
    """Return the row of a planned layout, without devices, past the service's rules."""
    return PlannedLayout.objects.create(
        node=of,
        gpu_index=gpu_index,
        cut={GPU: 1},
        starts_at=at.starts_at,
        ends_at=at.ends_at,
        reason="a large model",
        state=state.value,
        state_changed_at=NOON,
        created_by=user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        created_at=NOON,
    )


def announcement(
    *, title: str = "Maintenance of the network", level: Level = Level.INFO, hours: float = 24
) -> Announcement:
    """Return what everybody is told since an hour ago, for so many ``hours`` from now on."""
    now = timezone.now()
    return Announcement.objects.create(
        title=title,
        text="Sessions go on.",
        level=level,
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=hours),
        written_by=user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        written_at=now,
    )


def price(*, of: Pool, resource_name: str, minor: int, currency: str = "EUR") -> UnitPrice:
    """Return what a unit costs for an hour, since yesterday."""
    yesterday = timezone.now() - timedelta(days=1)
    return UnitPrice.objects.create(
        pool=of,
        resource_name=resource_name,
        minor_units_per_unit_hour=minor,
        currency=currency,
        valid_from=yesterday,
        set_at=yesterday,
    )


def wish(
    *,
    units: int = 1,
    at: Window | None = None,
    resource_name: str = SLICE,
    cpu_millicores: int = 4_000,
    memory_mib: int = 16 * 1024,
    storage_gib: int = 600,
    mode: AllocationMode = AllocationMode.INTERACTIVE,
) -> Wish:
    return Wish(
        resource_name=resource_name,
        units=units,
        window=at or window(1, 5),
        mode=mode,
        cpu_millicores=cpu_millicores,
        memory_mib=memory_mib,
        storage_gib=storage_gib,
    )


def repeat(count: int = 2) -> Repeat:
    """Return how a window comes again on the next days."""
    return Repeat(Every.DAY, ZoneInfo("UTC"), count=count)


def admitted(
    *,
    of: Pool | None = None,
    by: Team | None = None,
    wish: Wish,
    now: datetime = NOON,
) -> Reservation:
    """Return a reservation that went through the real admission."""
    by = by or team()
    return services.admit(
        pool=of or pool(), team=by, requested_by=user(teams=(by,)), wish=wish, now=now
    )


def reservation(  # noqa: PLR0913 -- a booking has that many sides; each has a default
    *,
    of: Pool | None = None,
    by: Team | None = None,
    requested_by: User | None = None,
    at: Window | None = None,
    units: int = 1,
    resource_name: str = SLICE,
    state: lifecycle.State = lifecycle.State.APPROVED,
    mode: AllocationMode = AllocationMode.INTERACTIVE,
    devices: Iterable[Device] | None = None,
    pending_on: lifecycle.PendingOn = lifecycle.PendingOn.APPROVER,
    held_until: datetime | None = None,
    created_at: datetime = NOON,
) -> Reservation:
    """Return a reservation in any state at any time, past admission.

    While it is live it holds ``devices``, or else the first free ones of the pool's first node.
    A pending one is ``pending_on`` a manager, unless told otherwise, until its start.
    """
    of, by, at = of or pool(), by or team(), at or window(1, 5)
    on = Node.objects.filter(pool=of).earliest("pk")
    is_pending, waits = state == lifecycle.State.PENDING, state == lifecycle.State.WAITLISTED
    on_approver = is_pending and pending_on == lifecycle.PendingOn.APPROVER
    made = Reservation.objects.create(
        pool=of,
        node=None if waits else on,
        team=by,
        requested_by=requested_by or user(teams=(by,)),
        resource_name=resource_name,
        units=units,
        mode=mode.value,
        cpu_millicores=4_000,
        memory_mib=16 * 1024,
        storage_gib=600,
        starts_at=at.starts_at,
        ends_at=at.ends_at,
        state=state.value,
        state_reason="lost" if state == lifecycle.State.FAILED else "",
        state_changed_at=created_at,
        created_at=created_at,
        pending_on=pending_on.value if is_pending else "",
        approver=policy.Approver.MANAGER if on_approver else None,
        held_until=(held_until or at.starts_at) if is_pending else None,
    )
    if state in lifecycle.HOLDS_CAPACITY:
        during = TimestamptzRange(at.starts_at, at.ends_at, "[)")
        if devices is None:
            taken = DeviceHold.objects.filter(during__overlap=during).values("device")
            free = Device.objects.filter(node=on, resource_name=resource_name).exclude(pk__in=taken)
            devices = free[:units]
        for held in devices:
            DeviceHold.objects.create(reservation=made, device=held, during=during)
    return made


# --- sessions ----------------------------------------------------------------------------------


def session(
    *, of: Reservation | None = None, state: SessionState = SessionState.PROVISIONING
) -> WorkspaceSession:
    """Return a session in any state, of an active reservation unless told otherwise."""
    of = of or reservation(at=window(0, 4), state=lifecycle.State.ACTIVE)
    public_id = UUID(int=next(_serial))
    return WorkspaceSession.objects.create(
        public_id=public_id,
        reservation=of,
        namespace=f"s-{public_id.int:016x}",
        state=state.value,
        opened_at=NOON,
        ended_at=NOON if state is SessionState.ENDED else None,
    )


def spec(
    *,
    number: int = 1,
    mode: AllocationMode = AllocationMode.INTERACTIVE,
    gpu_resource: str = SLICE,
    gpu_slots: int = 2,
    storage_gib: int = 600,
) -> SessionSpec:
    """Return the desired state of session ``number``; needs no database."""
    public_id = UUID(f"{number:08x}-0000-4000-8000-000000000001")
    return SessionSpec(
        public_id=public_id,
        namespace=sessions_spec.namespace_name(public_id),
        reservation_id=UUID(f"{number:08x}-0000-4000-8000-000000000002"),
        team="vision",
        owner="ada",
        mode=mode,
        gpu_resource=gpu_resource,
        gpu_slots=gpu_slots,
        other_gpu_resources=frozenset({GPU, SLICE}) - {gpu_resource},
        cpu_millicores=16_000,
        memory_mib=64 * 1024,
        storage_gib=storage_gib,
        storage_class="lvms-vg1",
        node="gpu-node-1",
        starts_at=at(0),
        ends_at=at(4),
        workspace_image="gpuaas/workspace:latest",
        installation="gpuaas",
    )
