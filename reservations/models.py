"""What is desired, and for when."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q

from gpuaas.accounts.models import Team, User
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Device, Node, Pool
from reservations import capacity, lifecycle, policy, recurrence, trouble

LIVE = tuple(sorted(state.value for state in lifecycle.HOLDS_CAPACITY))
NOT_OVER = tuple(sorted(each.value for each in lifecycle.State if each not in lifecycle.TERMINAL))


def default_currency() -> str:
    """Return the one currency that this installation counts in."""
    return str(settings.CURRENCY)


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def holding_capacity(self) -> "ReservationQuerySet":
        return self.filter(state__in=LIVE)

    def overlapping(self, window: capacity.Window) -> "ReservationQuerySet":
        """Those with an instant in ``window``.  The bound on length bounds the range of starts."""
        return self.filter(
            starts_at__lt=window.ends_at,
            starts_at__gt=window.starts_at - policy.LONGEST,
            ends_at__gt=window.starts_at,
        )

    def ending_after(self, instant: datetime) -> "ReservationQuerySet":
        return self.filter(ends_at__gt=instant, starts_at__gt=instant - policy.LONGEST)


class Reservation(models.Model):
    """``units`` devices of one type on one node, with CPU, memory and storage, for a window."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="+")
    node = models.ForeignKey(
        Node,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Empty while it waits in line, and when it ended there",
    )
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    resource_name = models.CharField(max_length=80)
    units = models.PositiveSmallIntegerField()
    mode = models.CharField(
        max_length=12, choices=[(mode.value, mode.value.capitalize()) for mode in AllocationMode]
    )
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    storage_gib = models.PositiveIntegerField()
    purpose = models.CharField(max_length=120, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(
        max_length=10,
        choices=[(state.value, state.value.capitalize()) for state in lifecycle.State],
        default=lifecycle.State.APPROVED.value,
    )
    state_reason = models.CharField(max_length=300, blank=True)
    state_changed_at = models.DateTimeField()
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(
        null=True, help_text="When its capacity came back, if before the end of the window"
    )
    end_begun_at = models.DateTimeField(
        null=True, help_text="When its session began to be removed: it is not extended any more"
    )
    cost_minor = models.BigIntegerField(
        default=0, help_text="The price of the whole window in minor units (cents)"
    )
    currency = models.CharField(max_length=3, default=default_currency)
    overridden = models.JSONField(
        default=list, blank=True, help_text="Codes of the rules that an approver set aside"
    )
    approved_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    version = models.PositiveIntegerField(
        default=1,
        db_default=1,
        editable=False,
        help_text="Counted by the database: another number for every change",
    )
    pending_on = models.CharField(
        max_length=9,
        blank=True,
        default="",
        db_default="",
        choices=[(each.value, each.value.capitalize()) for each in lifecycle.PendingOn],
        help_text="Whose word a pending one waits for",
    )
    approver = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        choices=[(each.value, each.title.capitalize()) for each in policy.Approver],
        help_text="The least who may approve a pending one",
    )
    held_until = models.DateTimeField(
        null=True, help_text="When a pending one lapses; never later than its start"
    )

    is_no_show = models.BooleanField(
        default=False, db_default=False, help_text="Given back because nobody came"
    )
    was_idle = models.BooleanField(
        default=False, db_default=False, help_text="Given back because nobody used it any more"
    )

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="reservation_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__lte=F("starts_at") + policy.LONGEST),
                name="reservation_at_most_14_days",
            ),
            models.CheckConstraint(condition=Q(units__gte=1), name="reservation_of_something"),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in lifecycle.State]),
                name="reservation_state_known",
            ),
            models.CheckConstraint(
                condition=Q(cost_minor__gte=0), name="reservation_costs_not_less_than_nothing"
            ),
            models.CheckConstraint(
                condition=Q(node__isnull=False)
                | Q(state__in=[lifecycle.State.WAITLISTED.value, lifecycle.State.CANCELED.value]),
                name="reservation_lies_on_a_node",
            ),
            models.CheckConstraint(
                condition=(
                    ~Q(state=lifecycle.State.PENDING.value)
                    & Q(pending_on="", approver=None, held_until=None)
                )
                | (
                    Q(state=lifecycle.State.PENDING.value, held_until__lte=F("starts_at"))
                    & (
                        Q(pending_on=lifecycle.PendingOn.APPROVER.value, approver__isnull=False)
                        | Q(pending_on=lifecycle.PendingOn.REQUESTER.value, approver=None)
                    )
                ),
                name="reservation_pending_on_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state=lifecycle.State.FAILED.value) | ~Q(state_reason=""),
                name="reservation_failed_for_a_reason",
            ),
        )
        indexes = (
            # Past reservations are not in it: it stays small however long the history grows.
            models.Index(
                fields=("node", "starts_at"),
                include=("ends_at",),
                condition=Q(state__in=LIVE),
                name="reservation_live",
            ),
            GistIndex(
                "node",
                Func("starts_at", "ends_at", function="TSTZRANGE"),
                condition=Q(state__in=LIVE),
                name="reservation_live_when",
            ),
            models.Index(fields=("team", "-starts_at"), name="reservation_by_team"),
            models.Index(fields=("-starts_at", "-id"), name="reservation_by_start"),
            models.Index(
                fields=("state", "-starts_at", "-id"),
                condition=Q(state__in=NOT_OVER),
                name="reservation_open_by_start",
            ),
            models.Index(
                fields=("requested_by", "starts_at", "id"),
                condition=Q(state__in=NOT_OVER),
                name="reservation_open_by_person",
            ),
            models.Index(
                fields=("pool", "created_at"),
                condition=Q(state=lifecycle.State.WAITLISTED.value),
                name="reservation_waiting",
            ),
            models.Index(
                fields=("team", "starts_at"),
                condition=Q(is_no_show=True),
                name="reservation_no_show",
            ),
            models.Index(
                fields=("held_until",),
                condition=Q(state=lifecycle.State.PENDING.value),
                name="reservation_pending",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.units} x {self.resource_name}"

    @property
    def window(self) -> capacity.Window:
        return capacity.Window(self.starts_at, self.ends_at)

    @property
    def placed_on(self) -> Node:
        """The node of one that is no mere wish in line."""
        assert self.node is not None  # noqa: S101 -- the constraint reservation_lies_on_a_node
        return self.node

    @property
    def placed_on_id(self) -> int:
        assert self.node_id is not None  # noqa: S101 -- as above
        return self.node_id

    @property
    def is_live(self) -> bool:
        return lifecycle.State(self.state) in lifecycle.HOLDS_CAPACITY

    @property
    def subject(self) -> str:
        """How the audit trail names it."""
        return f"reservation:{self.public_id}"


class DeviceHold(models.Model):
    """One device held for one reservation.  PostgreSQL itself refuses two holds at one instant.

    Without a reservation the device does not exist meanwhile, as its GPU is planned to be cut.
    """

    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, related_name="holds", null=True
    )
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    during = DateTimeRangeField()

    class Meta:
        constraints = (
            ExclusionConstraint(
                name="device_held_once_at_a_time",
                expressions=[
                    ("device", RangeOperators.EQUAL),
                    ("during", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=Q(during__isempty=False), name="device_hold_not_empty"
            ),
        )
        indexes = (
            models.Index(
                fields=("device",),
                include=("during",),
                condition=Q(reservation=None),
                name="device_does_not_exist",
            ),
        )

    def __str__(self) -> str:
        return f"{self.device} for {self.reservation or 'a layout'}"


class BookingFlag(models.Model):
    """A live booking in trouble that could not be moved, from ``since`` until ``resolved_at``.

    ``detail`` says what the matter is, to the people whose booking it is.
    """

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="flags")
    cause = models.CharField(
        max_length=30, choices=[(cause.value, cause.name.capitalize()) for cause in trouble.Cause]
    )
    detail = models.CharField(max_length=300)
    since = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-since", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=("reservation",),
                condition=Q(resolved_at=None),
                name="booking_flagged_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(cause__in=[cause.value for cause in trouble.Cause]),
                name="booking_flag_cause_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.reservation}: {self.detail}"


class PoolRules(models.Model):
    """What may be booked in one pool.  What is empty is the product's own bound, or no limit.

    Quiet hours are local: in ``time_zone`` no booking starts from ``quiet_from`` until
    ``quiet_until``.  Concurrent units, GPU-hours and cool-down are of each team, in this pool.
    """

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, related_name="rules")
    time_zone = models.CharField(max_length=64, default="UTC")
    shortest_minutes = models.PositiveIntegerField(null=True, blank=True)
    longest_minutes = models.PositiveIntegerField(null=True, blank=True)
    horizon_days = models.PositiveIntegerField(null=True, blank=True)
    lead_time_minutes = models.PositiveIntegerField(null=True, blank=True)
    concurrent_units = models.PositiveIntegerField(null=True, blank=True)
    gpu_hours_per_week = models.PositiveIntegerField(null=True, blank=True)
    cool_down_minutes = models.PositiveIntegerField(null=True, blank=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    approval_above_units = models.PositiveIntegerField(null=True, blank=True)
    approval_above_minutes = models.PositiveIntegerField(null=True, blank=True)
    approval_above_cost_minor = models.PositiveBigIntegerField(null=True, blank=True)
    managers_may_approve = models.BooleanField(
        default=False, help_text="Whether a team's manager may approve what this pool asks for"
    )
    hold_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long it is held for whose turn in line has come"
    )
    no_show_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Given back when nobody used it for so long from its start"
    )
    idle_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Its person is told when nothing worked for so long"
    )
    idle_pause_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Its workspace is stopped when nothing worked for so long"
    )
    idle_release_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Given back when nothing worked for so long"
    )

    class Meta:
        verbose_name_plural = "pool rules"
        constraints = (
            models.CheckConstraint(
                condition=Q(shortest_minutes__lte=F("longest_minutes")),
                name="pool_rules_shortest_is_not_longer_than_longest",
            ),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | (
                    Q(quiet_from__isnull=False, quiet_until__isnull=False)
                    & ~Q(quiet_from=F("quiet_until"))
                ),
                name="pool_rules_quiet_hours_begin_and_end",
            ),
        )

    def __str__(self) -> str:
        return f"rules of {self.pool}"


class TeamRules(models.Model):
    """What one team may book, in all pools together.  What is empty is no limit.

    No ``pools`` means every pool.  ``budget_minor`` is for a calendar month, UTC.
    """

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="rules")
    pools = models.ManyToManyField(Pool, blank=True, related_name="+")
    budget_minor = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    gpu_hours_per_week = models.PositiveIntegerField(null=True, blank=True)
    concurrent_units = models.PositiveIntegerField(null=True, blank=True)
    longest_minutes = models.PositiveIntegerField(null=True, blank=True)
    horizon_days = models.PositiveIntegerField(null=True, blank=True)
    approval_above_units = models.PositiveIntegerField(null=True, blank=True)
    approval_above_minutes = models.PositiveIntegerField(null=True, blank=True)
    approval_above_cost_minor = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "team rules"
        constraints = (
            models.CheckConstraint(
                condition=Q(budget_minor=None) | ~Q(currency=""),
                name="team_rules_budget_has_a_currency",
            ),
        )

    def __str__(self) -> str:
        return f"rules of {self.team}"


class UnitPrice(models.Model):
    """What one unit of a type costs for an hour in a pool, from an instant on.  Append-only.

    Of two prices valid from the same instant the later row counts.
    """

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="prices")
    resource_name = models.CharField(max_length=80)
    minor_units_per_unit_hour = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    valid_from = models.DateTimeField()
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ("resource_name", "-valid_from", "-pk")
        indexes = (
            models.Index(fields=("pool", "resource_name", "-valid_from"), name="unit_price_valid"),
        )

    def __str__(self) -> str:
        return f"{self.resource_name} from {self.valid_from:%Y-%m-%d %H:%M}"


class TeamLedger(models.Model):
    """Counts the changes that a team's limits depend on.

    Limits are evaluated before the pool's lock.  Whoever admits under it raises ``version`` from
    the one that was read with the facts; when somebody else did so first, they evaluate again.
    """

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="ledger")
    version = models.BigIntegerField(default=0)
    told_version = models.BigIntegerField(
        default=-1, help_text="The version at which managers were told of their budget last"
    )
    told = models.JSONField(
        default=dict, help_text="By month, the highest part of the budget in percent that was told"
    )

    def __str__(self) -> str:
        return f"{self.team}: {self.version}"


class WishModel(models.Model):
    """What is booked, without when.  No CPU, memory or storage means the fair share."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    resource_name = models.CharField(max_length=80)
    units = models.PositiveSmallIntegerField()
    mode = models.CharField(
        max_length=12, choices=[(mode.value, mode.value.capitalize()) for mode in AllocationMode]
    )
    cpu_millicores = models.PositiveIntegerField(null=True, blank=True)
    memory_mib = models.PositiveIntegerField(null=True, blank=True)
    storage_gib = models.PositiveIntegerField(null=True, blank=True)
    purpose = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        abstract = True


class Series(WishModel):
    """A wish for many windows: each occurrence is booked, or refused, by itself."""

    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    booked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    every = models.CharField(
        max_length=8, choices=[(each.value, each.value.capitalize()) for each in recurrence.Every]
    )
    on = models.JSONField(default=list, help_text="Days of the week, Monday 0")
    time_zone = models.CharField(max_length=64)
    ask_approval = models.BooleanField(default=False)
    waitlist = models.BooleanField(default=False)
    canceled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "series"
        ordering = ("-id",)
        indexes = (models.Index(fields=("team", "-id"), name="series_by_team"),)

    def __str__(self) -> str:
        return f"{self.units} x {self.resource_name}, every {self.every}"

    @property
    def subject(self) -> str:
        """How the audit trail names it."""
        return f"series:{self.public_id}"


class SeriesOccurrence(models.Model):
    """One window of a series.  Undecided until it has a reservation, or a ``code`` that says no."""

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="occurrences")
    number = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reservation = models.OneToOneField(
        Reservation, on_delete=models.PROTECT, null=True, related_name="occurrence"
    )
    decided_at = models.DateTimeField(null=True)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=600, blank=True)
    nearest_starts_at = models.DateTimeField(null=True)
    nearest_ends_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=("series", "number"), name="occurrence_numbered_once"),
            models.CheckConstraint(
                condition=Q(reservation=None, decided_at=None, code="")
                | Q(reservation=None, decided_at__isnull=False) & ~Q(code="")
                | Q(reservation__isnull=False, decided_at__isnull=False, code=""),
                name="occurrence_booked_or_refused",
            ),
        )
        indexes = (
            models.Index(
                fields=("series",),
                condition=Q(decided_at=None),
                name="occurrence_undecided",
            ),
        )

    def __str__(self) -> str:
        return f"{self.series}: {self.number}"

    @property
    def window(self) -> capacity.Window:
        return capacity.Window(self.starts_at, self.ends_at)


class BookingTemplate(WishModel):
    """What somebody books again and again, with how long."""

    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    minutes = models.PositiveIntegerField()
    is_shared = models.BooleanField(
        default=False, help_text="Whether the others of the team see it, and book with it"
    )

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint(fields=("owner", "name"), name="template_name_once_a_person"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """How the audit trail names it."""
        return f"template:{self.public_id}"
