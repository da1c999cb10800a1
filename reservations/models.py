"""What is desired, and for when."""

import uuid
from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import Team, User
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Device, Node, Pool
from reservations import capacity, lifecycle, policy

LIVE = tuple(sorted(state.value for state in lifecycle.HOLDS_CAPACITY))


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
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+")
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
        )
        indexes = (
            # Past reservations are not in it: it stays small however long the history grows.
            models.Index(
                fields=("node", "starts_at"),
                include=("ends_at",),
                condition=Q(state__in=LIVE),
                name="reservation_live",
            ),
            models.Index(fields=("team", "-starts_at"), name="reservation_by_team"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.units} x {self.resource_name}"

    @property
    def window(self) -> capacity.Window:
        return capacity.Window(self.starts_at, self.ends_at)

    @property
    def is_live(self) -> bool:
        return lifecycle.State(self.state) in lifecycle.HOLDS_CAPACITY

    @property
    def subject(self) -> str:
        """How the audit trail names it."""
        return f"reservation:{self.public_id}"


class DeviceHold(models.Model):
    """One device held for one reservation.  PostgreSQL itself refuses two holds at one instant."""

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="holds")
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

    def __str__(self) -> str:
        return f"{self.device} for {self.reservation}"
