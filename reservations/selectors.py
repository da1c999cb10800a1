"""Reading reservations: for people, for the reconciler, and for admission itself."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    When,
)

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory import layouts
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import (
    Closure,
    Cluster,
    Device,
    DeviceState,
    Node,
    PlannedLayout,
    Pool,
)
from reservations import capacity, lifecycle, placement, policy
from reservations.capacity import Booking, Demand, Window
from reservations.models import (
    NOT_OVER,
    BookingFlag,
    BookingTemplate,
    DeviceHold,
    Reservation,
    Series,
    SeriesOccurrence,
)
from reservations.trouble import Cause

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def reservations_visible_to(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return the reservations ``user`` may see: those of the teams whose bookings are visible."""
    found = Reservation.objects.select_related("team", "pool", "node", "requested_by")
    if accounts.sees_every_team(user):
        return found  # a join with all teams would keep none out, and an index from being used
    return found.filter(_of_any(accounts.teams_visible_to(user, now=now)))


def _of_any(teams: QuerySet[Team]) -> Func:
    """Return the condition that it is of one of ``teams``, which are read first.

    A join with them instead would read all that the teams ever booked, and then sort.
    """
    return Func(
        F("team_id"),
        ArraySubquery(teams.order_by().values("pk")),
        template="%(expressions)s)",
        arg_joiner=" = ANY (",
        output_field=BooleanField(),
    )


def reservations_changeable_by(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return the visible reservations that ``user`` may cancel or give back.

    A member or manager may change the team's, archived or not; a viewer and finance only look.
    """
    visible = reservations_visible_to(user, now=now)
    if user.is_active and user.is_platform_admin:
        return visible
    return visible.filter(team__in=accounts.teams_changeable_by(user, now=now))


def may_change(reservation: Reservation, *, person: User, now: datetime) -> bool:
    """Return whether a visible reservation is one of `reservations_changeable_by` ``person``."""
    if person.is_active and person.is_platform_admin:
        return True
    return accounts.books_for(reservation.team_id, person=person, now=now)


def not_over_of_team(team: Team) -> QuerySet[Reservation]:
    """Return what of ``team``, which whoever asks sees, is not over, the earliest first."""
    found = Reservation.objects.filter(team=team, state__in=NOT_OVER)
    return found.select_related("team", "pool", "node", "requested_by").order_by("starts_at", "pk")


def with_flags(reservations: QuerySet[Reservation]) -> QuerySet[Reservation]:
    """Return them with their open flag read along, in one query for all."""
    standing = Prefetch(
        "flags", BookingFlag.objects.filter(resolved_at=None), to_attr="standing_flags"
    )
    return reservations.prefetch_related(standing)


def flagged(reservations: QuerySet[Reservation]) -> QuerySet[Reservation]:
    """Return those that are in trouble and could not be moved."""
    flags = BookingFlag.objects.filter(reservation=OuterRef("pk"), resolved_at=None)
    return reservations.filter(Exists(flags), state__in=lifecycle.HOLDS_CAPACITY)


def open_flags_visible_to(user: User, *, now: datetime) -> QuerySet[BookingFlag]:
    """Return what the matter is with the visible bookings that are in trouble."""
    teams = accounts.teams_visible_to(user, now=now)
    found = BookingFlag.objects.filter(resolved_at=None, reservation__team__in=teams)
    return found.select_related("reservation__team")


def flag_of(reservation: Reservation) -> BookingFlag | None:
    """Return what the matter is with a live booking; None: it is well."""
    if not reservation.is_live:
        return None
    read: list[BookingFlag] | None = getattr(reservation, "standing_flags", None)
    if read is None:
        read = list(reservation.flags.filter(resolved_at=None))
    return read[0] if read else None


def note_no_flag(reservation: Reservation) -> None:
    """Note that nothing is the matter with what has just come to be: nobody needs to look."""
    reservation.standing_flags = []  # type: ignore[attr-defined]


def approvals_for(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return what waits for the approval of ``user``, the most urgent first.

    A platform administrator may approve everything, a manager what takes no more than a manager,
    for the own teams.
    """
    waiting = (
        reservations_visible_to(user, now=now)
        .filter(
            state=lifecycle.State.PENDING.value,
            pending_on=lifecycle.PendingOn.APPROVER.value,
            held_until__gt=now,
        )
        .order_by("held_until", "pk")
    )
    if user.is_active and user.is_platform_admin:
        return waiting
    return waiting.filter(
        team__in=accounts.teams_managed_by(user, now=now), approver=policy.Approver.MANAGER
    )


def in_line(pool: Pool, *, now: datetime) -> QuerySet[Reservation]:
    """Return the wishes that wait in line for ``pool``, in their order; of every type."""
    return (
        Reservation.objects.filter(
            pool=pool, state=lifecycle.State.WAITLISTED.value, starts_at__gt=now
        )
        .select_related("team", "pool", "requested_by")
        .order_by("created_at", "pk")
    )


def waited_in_vain(*, now: datetime) -> QuerySet[Reservation]:
    """Return the wishes in line whose start has passed."""
    return (
        Reservation.objects.filter(state=lifecycle.State.WAITLISTED.value, starts_at__lte=now)
        .select_related("team", "pool", "requested_by")
        .order_by("starts_at", "pk")
    )


def pools_with_a_line(*, now: datetime) -> list[Pool]:
    """Return the pools for which somebody waits."""
    waiting = Reservation.objects.filter(
        state=lifecycle.State.WAITLISTED.value, starts_at__gt=now
    ).values("pool")
    return list(inventory.pools().filter(pk__in=waiting))


def with_queue_position(reservations: QuerySet[Reservation]) -> QuerySet[Reservation]:
    """Return them with their ``position`` in line read along; None for what does not wait."""
    return reservations.annotate(position=_position())


def queue_position(reservation: Reservation) -> int | None:
    """Return its place in line, 1 for the first of its type; None: it does not wait."""
    if reservation.state != lifecycle.State.WAITLISTED.value:
        return None
    read: int | None = getattr(reservation, "position", None)
    if read is not None:
        return read
    found = Reservation.objects.filter(pk=reservation.pk).annotate(position=_position())
    position: int | None = found.values_list("position", flat=True).get()
    return position


def _position() -> Case:
    before = (
        Reservation.objects.filter(
            pool=OuterRef("pool"),
            resource_name=OuterRef("resource_name"),
            state=lifecycle.State.WAITLISTED.value,
        )
        .filter(
            Q(created_at__lt=OuterRef("created_at"))
            | Q(created_at=OuterRef("created_at"), pk__lte=OuterRef("pk"))
        )
        .order_by()
        .values("pool")
        .annotate(number=Count("pk"))
        .values("number")
    )
    waits = When(state=lifecycle.State.WAITLISTED.value, then=Subquery(before))
    return Case(waits, default=None, output_field=IntegerField())


def series_visible_to(user: User, *, now: datetime) -> QuerySet[Series]:
    """Return the series ``user`` may see, the newest first: as with reservations."""
    found = Series.objects.select_related("team", "pool", "requested_by", "booked_by")
    if accounts.sees_every_team(user):
        return found
    return found.filter(_of_any(accounts.teams_visible_to(user, now=now)))


def series_changeable_by(user: User, *, now: datetime) -> QuerySet[Series]:
    """Return the visible series that ``user`` may cancel."""
    visible = series_visible_to(user, now=now)
    if user.is_active and user.is_platform_admin:
        return visible
    return visible.filter(team__in=accounts.teams_changeable_by(user, now=now))


def with_counts(series: QuerySet[Series]) -> QuerySet[Any]:
    """Return them with how many occurrences they have, and how many were booked and refused."""
    return series.annotate(
        total=Count("occurrences"),
        booked=Count("occurrences__reservation"),
        refused=Count("occurrences", filter=~Q(occurrences__code="")),
    )


def occurrences_of(series: Series) -> QuerySet[SeriesOccurrence]:
    """Return the windows of ``series``, in their order, with what was booked."""
    return series.occurrences.select_related("reservation").order_by("number")


def series_of(reservation: Reservation) -> Series | None:
    """Return the series that the reservation is one of, if any."""
    found = SeriesOccurrence.objects.filter(reservation=reservation).select_related("series")
    occurrence = found.first()
    return occurrence.series if occurrence else None


def not_started_of(series: Series) -> QuerySet[Reservation]:
    """Return what of ``series`` is booked, held or in line, and has not begun."""
    return (
        Reservation.objects.filter(occurrence__series=series)
        .filter(state__in=[each.value for each in lifecycle.BEFORE_ITS_START])
        .select_related("team", "pool", "requested_by")
        .order_by("starts_at")
    )


def templates_visible_to(user: User, *, now: datetime) -> QuerySet[BookingTemplate]:
    """Return the templates of ``user``, and those shared with the teams they book for.

    Of teams that they cannot book for any more there are none.
    """
    teams = accounts.teams_bookable_by(user, now=now)
    found = BookingTemplate.objects.select_related("team", "pool", "owner")
    return found.filter(Q(owner=user) | Q(is_shared=True), team__in=teams)


def templates_answered_for_by(user: User, *, now: datetime) -> QuerySet[BookingTemplate]:
    """Return the templates of the teams that ``user`` looks after, shared or not."""
    teams = accounts.teams_administered_by(user, now=now)
    return BookingTemplate.objects.select_related("team", "pool", "owner").filter(team__in=teams)


def booked_by(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return what ``user`` booked, as far as it is still visible to them."""
    return reservations_visible_to(user, now=now).filter(requested_by=user)


def not_over_of(user: User, *, now: datetime) -> QuerySet[Reservation]:
    """Return what `booked_by` ``user`` is not over, the earliest first."""
    return booked_by(user, now=now).filter(state__in=NOT_OVER).order_by("starts_at", "pk")


def number_in(text: str) -> UUID | None:
    """Return the booking's number that ``text`` is, if it is one."""
    try:
        return UUID(text.strip().removeprefix("reservation:"))
    except ValueError:
        return None


def matching(
    reservations: QuerySet[Reservation], text: str, *, in_purpose: bool
) -> QuerySet[Reservation]:
    """Return those with that number, or of people whose name begins so.

    Where there are none such, and it is asked for, those whose purpose begins so: that reads all of
    ``reservations``, which have to be bounded.
    """
    text = text.strip()
    number = number_in(text)
    if not text:
        return reservations
    if number is not None:
        return reservations.filter(public_id=number)
    people = list(User.objects.filter(username__startswith=text).values_list("pk", flat=True)[:200])
    if people or not in_purpose:
        return reservations.filter(requested_by__in=people)
    return reservations.filter(purpose__istartswith=text)


def found_by(text: str, *, reader: User, since: datetime, now: datetime) -> QuerySet[Reservation]:
    """Return what ``reader`` sees with that number, or that began ``since`` and is called so.

    The latest first.  Called so: by its purpose, or by the name of the person.
    """
    visible = reservations_visible_to(reader, now=now)
    number = number_in(text)
    if number is not None:
        return visible.filter(public_id=number)
    named = Q(purpose__icontains=text) | Q(requested_by__username__istartswith=text)
    return visible.filter(named, starts_at__gte=since).order_by("-starts_at", "-pk")


def has_any() -> bool:
    """Return whether anybody has ever booked."""
    return Reservation.objects.exists()


def booked_as(public_id: UUID, *, by: User) -> Reservation | None:
    """Return the reservation that ``by`` already has under that number, or None."""
    return Reservation.objects.filter(public_id=public_id, requested_by=by).first()


def due_to_start(cluster: Cluster, *, now: datetime) -> QuerySet[Reservation]:
    """Return the approved reservations whose window is open, the earliest first.

    Not those whose hardware cannot carry them right now: they wait until healing has moved them,
    or it is back.
    """
    due = _live(cluster).filter(
        state=lifecycle.State.APPROVED.value, starts_at__lte=now, ends_at__gt=now
    )
    broken = DeviceHold.objects.filter(reservation=OuterRef("pk")).filter(
        Q(device__state__in=[DeviceState.FAILED.value, DeviceState.RETIRED.value])
        | Q(device__is_present=False)
    )
    closed = (
        Closure.objects.standing()
        .filter(Q(pool=OuterRef("node__pool")) | Q(node=OuterRef("node")))
        .filter(starts_at__lte=now, ends_at__gt=now)
    )
    short = BookingFlag.objects.filter(
        reservation=OuterRef("pk"), cause=Cause.SHORT.value, resolved_at=None
    )
    cut = PlannedLayout.objects.filter(node=OuterRef("node")).filter(
        Q(state=layouts.State.PLANNED.value, starts_at__lte=now)
        | Q(state=layouts.State.STANDS.value, ends_at__lte=now)
        | Q(state__in=sorted(layouts.CHANGING))
    )
    well = due.filter(node__is_schedulable=True, node__is_ready=True, node__frozen_because="")
    return well.exclude(Exists(broken) | Exists(closed) | Exists(short) | Exists(cut))


def why_it_waits(reservation: Reservation, *, now: datetime) -> str:
    """Return why a booking whose window is open has not started, where its node is to blame."""
    waits = reservation.state == lifecycle.State.APPROVED.value and reservation.starts_at <= now
    node = reservation.node if waits else None
    return f"{node.name}: {node.frozen_because}" if node and node.frozen_because else ""


@dataclass(frozen=True, slots=True)
class HeldDevice:
    """A device that a reservation holds: where it is, and which part of its GPU."""

    reservation_id: int
    node: str
    resource_name: str
    gpu_index: int | None
    uuid: str | None
    compute_share: Decimal


def held_devices(cluster: Cluster, *, now: datetime) -> list[HeldDevice]:
    """Return every device of ``cluster`` that is held at ``now``, with who holds it."""
    rows = DeviceHold.objects.filter(
        device__node__cluster=cluster, during__contains=now, reservation__isnull=False
    ).values_list(
        "reservation_id",
        "device__node__name",
        "device__resource_name",
        "device__gpu_index",
        "device__uuid",
        "device__compute_share",
    )
    return [HeldDevice(*row) for row in rows]


def starts_between(after: datetime, until: datetime) -> set[datetime]:
    """Return when approved reservations start after the one and before the other moment."""
    coming = Reservation.objects.holding_capacity().filter(
        state=lifecycle.State.APPROVED.value,
        starts_at__gt=after,
        starts_at__lt=until,
        pool__cluster__is_enabled=True,
    )
    return set(coming.values_list("starts_at", flat=True).distinct().order_by())


def missed(cluster: Cluster, *, now: datetime) -> QuerySet[Reservation]:
    """Return those that were never started and whose window is over."""
    return _live(cluster).filter(state=lifecycle.State.APPROVED.value, ends_at__lte=now)


def soon_to_start_or_end(*, now: datetime, ahead: timedelta) -> QuerySet[Reservation]:
    """Return the approved ones that start, and the active ones that end, until ``now + ahead``."""
    approved = Q(state=lifecycle.State.APPROVED.value, starts_at__lte=now + ahead)
    active = Q(state=lifecycle.State.ACTIVE.value, ends_at__lte=now + ahead)
    return (
        Reservation.objects.holding_capacity()
        .filter((approved & Q(starts_at__gt=now)) | (active & Q(ends_at__gt=now)))
        .select_related("team", "requested_by")
        .order_by("pk")
    )


def node_states(pool: Pool, *, now: datetime) -> list[placement.NodeState]:
    """Return every node of ``pool`` with what is booked and closed on it from ``now`` on."""
    devices: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    bookable = list(inventory.bookable_devices(pool))
    for device in bookable:
        devices[device.node_id][device.resource_name].append(device.pk)
    absent = absences(bookable)
    later = frozenset(device.pk for device in bookable if not device.is_present)
    held = _held_by_node(pool, now=now)
    closures = list(inventory.closures_of(pool, within=_from(now)))
    return [
        placement.NodeState(
            node=node.pk,
            capacity=Demand(
                cpu_millicores=node.cpu_millicores,
                memory_mib=node.memory_mib,
                storage_gib=node.storage_gib,
            ),
            devices={name: tuple(ids) for name, ids in devices[node.pk].items()},
            held=tuple(held[node.pk]),
            closed=tuple(
                Window(each.starts_at, each.ends_at)
                for each in closures
                if each.node_id in (node.pk, None)
            ),
            reported=node.reported_devices,
            absent=absent,
            later=later,
        )
        for node in inventory.node_capacities(pool).values()
    ]


def absences(devices: Iterable[Device]) -> dict[int, tuple[Window, ...]]:
    """Return when which of ``devices`` do not exist, as their GPUs are planned to be cut.

    That is not even asked where none of them is there for a planned layout.
    """
    devices = list(devices)
    if all(device.layout_id is None for device in devices):
        return {}
    found: defaultdict[int, tuple[Window, ...]] = defaultdict(tuple)
    for device, during in DeviceHold.objects.filter(
        reservation=None, device__in=devices
    ).values_list("device_id", "during"):
        found[device] += (Window(during.lower or _EVER, during.upper or _NEVER),)
    return dict(found)


def _held_by_node(pool: Pool, *, now: datetime) -> defaultdict[int, list[placement.Held]]:
    # By node, not by the pool they were booked from: a node may have changed pools since.
    holds = DeviceHold.objects.filter(reservation=OuterRef("pk")).order_by("pk")
    live = Reservation.objects.filter(node__pool=pool).holding_capacity().ending_after(now)
    rows = live.annotate(devices=ArraySubquery(holds.values("device_id"))).values_list(
        "pk",
        "node_id",
        "state",
        "starts_at",
        "ends_at",
        "resource_name",
        "devices",
        *("units", "cpu_millicores", "memory_mib", "storage_gib"),
    )
    held: defaultdict[int, list[placement.Held]] = defaultdict(list)
    for pk, node_id, state, starts_at, ends_at, resource_name, devices, *demand in rows:
        held[node_id].append(
            placement.Held(
                reservation=pk,
                booking=Booking(Window(starts_at, ends_at), Demand(*demand)),
                resource_name=resource_name,
                devices=tuple(devices),
                movable=_is_movable(state, starts_at, now),
            )
        )
    return held


def held_by(reservation: Reservation, devices: Iterable[int], *, now: datetime) -> placement.Held:
    """Return the booking as placement sees it; it can exchange devices until it starts."""
    return placement.Held(
        reservation=reservation.pk,
        booking=Booking(
            reservation.window,
            Demand(
                reservation.units,
                reservation.cpu_millicores,
                reservation.memory_mib,
                reservation.storage_gib,
            ),
        ),
        resource_name=reservation.resource_name,
        devices=tuple(devices),
        movable=_is_movable(reservation.state, reservation.starts_at, now),
    )


def _is_movable(state: str, starts_at: datetime, now: datetime) -> bool:
    return starts_at > now and lifecycle.State(state) in lifecycle.WAITS_FOR_ITS_START


@dataclass(frozen=True, slots=True)
class Overbooking:
    """Bookings of one type on one node that exceed what it has, at some instant from now on."""

    node: str
    resource_name: str
    excess: Demand

    def __str__(self) -> str:
        excess = ", ".join(
            f"{getattr(self.excess, quantity)} {quantity}"
            for quantity in capacity.QUANTITIES
            if getattr(self.excess, quantity)
        )
        return f"on {self.node}, bookings of {self.resource_name} exceed the hardware by {excess}"


def overbooked(pool: Pool, *, now: datetime) -> list[Overbooking]:
    """Return where more is booked than there is: hardware that went away under its bookings."""
    within = _from(now)
    held = _held_by_node(pool, now=now)
    in_service = {state.node: state for state in node_states(pool, now=now)}
    names = dict(Node.objects.filter(pk__in=held).values_list("pk", "name"))
    return [
        Overbooking(names[node], resource_name, excess)
        for node, bookings in sorted(held.items())
        for state in [
            in_service.get(node, placement.NodeState(node, Demand(), {}, tuple(bookings)))
        ]
        for resource_name in sorted({each.resource_name for each in bookings})
        if (excess := state.excess(resource_name, within=within)) != Demand()
    ]


def _from(now: datetime) -> Window:
    """Return all the time in which something can be booked."""
    return Window(now, now + policy.HORIZON + policy.LONGEST)


def _live(cluster: Cluster) -> QuerySet[Reservation]:
    return (
        Reservation.objects.filter(pool__cluster=cluster)
        .holding_capacity()
        .select_related("team", "pool", "node", "requested_by")
        .order_by("starts_at", "pk")
    )


def reasons_of_failures(*, since: datetime) -> list[str]:
    """Return why reservations failed since then."""
    failed = Reservation.objects.filter(
        state=lifecycle.State.FAILED.value,
        state_changed_at__gt=since,
        starts_at__gt=since - 2 * policy.LONGEST,  # an index leads there
    )
    return list(failed.values_list("state_reason", flat=True))


def live_by_state() -> dict[str, int]:
    """Return how many reservations that are not over are in each state."""
    live = Reservation.objects.filter(state__in=NOT_OVER)
    return dict(live.values_list("state").annotate(Count("pk")).order_by())
