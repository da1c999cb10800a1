"""A month's cost: its period, what there was to pay, the lines that pay it, and its statements.

Once a period is closed, triggers in the database refuse every change to it and to whatever belongs
to it; lines that come later go into a month that is not closed.
"""

import uuid

from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import Team, User
from gpuaas.core.language import later
from gpuaas.inventory.models import Device, Node, Pool
from tokenomics.core.lines import ENTERED, LineKind
from tokenomics.models.inputs import CostSheet

_RESERVATION = "reservations.Reservation"


class PeriodState(models.TextChoices):
    """The life of a month: OPEN → SOFT_CLOSED → CLOSED, and never back."""

    OPEN = "open", later("Open")
    SOFT_CLOSED = "soft_closed", later("Soft closed")
    CLOSED = "closed", later("Closed")


class IdlePolicy(models.TextChoices):
    """Who pays for what nobody booked."""

    PLATFORM = "platform", later("A: the platform's cost centre")
    SPREAD = "spread", later("B: spread over bookings, by their hours")
    STANDARD_RATE = "standard_rate", later("C: a standard rate; the platform has the variance")


class CostPeriod(models.Model):
    """One month, in the company's time zone.

    ``sheet`` is the version of the inputs that the lines were calculated with, at
    ``calculated_at``, for the time until ``calculated_until``.  ``summary`` has hours and energy of
    that calculation, ``names`` what people, teams, pools, nodes and devices were called then;
    ``problem`` says why the last one came to nothing.
    """

    month = models.DateField(unique=True, help_text="Its first day")
    currency = models.CharField(max_length=3)
    time_zone = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=PeriodState.choices, default=PeriodState.OPEN)
    idle_policy = models.CharField(
        max_length=14, choices=IdlePolicy.choices, default=IdlePolicy.PLATFORM
    )
    sheet = models.ForeignKey(CostSheet, on_delete=models.PROTECT, null=True, related_name="+")
    calculated_at = models.DateTimeField(null=True)
    calculated_until = models.DateTimeField(null=True)
    summary = models.JSONField(default=dict)
    names = models.JSONField(default=dict)
    problem = models.TextField(blank=True)
    soft_closed_at = models.DateTimeField(null=True)
    soft_closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("-month",)
        constraints = (
            models.CheckConstraint(condition=Q(month__day=1), name="period_is_a_month"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="period_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(state__in=PeriodState.values), name="period_state_known"
            ),
            models.CheckConstraint(
                condition=Q(idle_policy__in=IdlePolicy.values), name="period_policy_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=PeriodState.CLOSED.value)
                | Q(
                    sheet__isnull=False,
                    closed_at__isnull=False,
                    closed_by__isnull=False,
                    calculated_until=F("ends_at"),
                ),
                name="period_closed_by_somebody",
            ),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def subject(self) -> str:
        """What the audit trail calls it."""
        return f"period:{self}"


class CostPool(models.Model):
    """What one category of one pool of hardware costs in a month: what the lines have to add up to.

    ``made_of`` tells the parts of the cost sheet that it comes from.
    """

    period = models.ForeignKey(CostPeriod, on_delete=models.PROTECT, related_name="pools")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="+")
    category = models.CharField(max_length=40)
    amount_minor = models.BigIntegerField()
    made_of = models.JSONField(default=list)

    class Meta:
        ordering = ("period", "pool", "category")
        constraints = (
            models.UniqueConstraint(fields=("period", "pool", "category"), name="cost_pool_once"),
        )

    def __str__(self) -> str:
        return f"{self.category} of {self.pool}"


class CostAdjustment(models.Model):
    """An amount that one person entered; once another has approved it, a line of its month.

    With ``corrects``, the first of a closed month, the line is a correction of that.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    period = models.ForeignKey(CostPeriod, on_delete=models.PROTECT, related_name="adjustments")
    cost_centre = models.CharField(max_length=40)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    category = models.CharField(max_length=40, default="adjustment")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=300)
    corrects = models.DateField(null=True)
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField(null=True)
    rejected_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="adjusted_for_a_reason"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("entered_by")),
                name="adjustment_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(approved_at=None) | Q(rejected_at=None, approved_by__isnull=False),
                name="adjustment_approved_or_rejected",
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} for {self.cost_centre}: {self.reason}"


class CostLine(models.Model):
    """One line of a month's cost; `tokenomics.core.lines` says what its fields mean.

    ``amounts`` is category -> minor units, ``amount_minor`` their sum.  Until the period is closed
    calculated lines are replaced by every calculation.  What the rows name is never deleted, so it
    is not checked once more for each of them.
    """

    period = models.ForeignKey(
        CostPeriod, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(
        max_length=14, choices=[(each.value, each.name.capitalize()) for each in LineKind]
    )
    currency = models.CharField(max_length=3)
    amounts = models.JSONField()
    amount_minor = models.BigIntegerField()
    cost_centre = models.CharField(max_length=40, blank=True)
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    purpose = models.CharField(max_length=120, blank=True)
    pool = models.ForeignKey(
        Pool,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    node = models.ForeignKey(
        Node,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    device = models.ForeignKey(
        Device,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="Of a booking: where it has one only",
    )
    resource_name = models.CharField(max_length=80, blank=True)
    reservation = models.ForeignKey(
        _RESERVATION, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    device_ms = models.BigIntegerField(default=0)
    gpu_ns = models.BigIntegerField(default=0)
    is_measured = models.BooleanField(null=True)
    corrects = models.DateField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    adjustment = models.OneToOneField(
        CostAdjustment, on_delete=models.PROTECT, null=True, related_name="line"
    )

    class Meta:
        ordering = ("period", "number")
        constraints = (
            models.UniqueConstraint(fields=("period", "number"), name="cost_line_numbered_once"),
            models.CheckConstraint(
                condition=Q(kind__in=[each.value for each in LineKind]), name="cost_line_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=sorted(each.value for each in ENTERED), adjustment__isnull=False
                )
                | Q(adjustment=None) & ~Q(kind__in=sorted(each.value for each in ENTERED)),
                name="cost_line_entered_or_calculated",
            ),
            models.CheckConstraint(
                condition=Q(device_ms__gte=0, gpu_ns__gte=0), name="cost_line_hours_not_negative"
            ),
        )
        indexes = (
            models.Index(fields=("period", "cost_centre"), name="cost_line_by_centre"),
            models.Index(fields=("period", "team"), name="cost_line_by_team"),
        )

    def __str__(self) -> str:
        return f"{self.period} line {self.number}"


class CostStatement(models.Model):
    """What a closed month says, of one cost centre or (``cost_centre`` None) of all of them.

    ``document`` is canonical JSON, the same bytes whenever it is fetched; it holds the digest over
    the lines, ``lines_digest``.  ``digest`` is SHA-256 over the document.
    """

    number = models.CharField(max_length=20, unique=True)
    period = models.ForeignKey(CostPeriod, on_delete=models.PROTECT, related_name="statements")
    cost_centre = models.CharField(max_length=40, null=True)
    is_charged = models.BooleanField()
    document = models.TextField()
    digest = models.CharField(max_length=64)
    lines_digest = models.CharField(max_length=64)
    lines = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("period", "number")
        constraints = (
            models.UniqueConstraint(
                fields=("period", "cost_centre"),
                name="statement_once_a_cost_centre",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return self.number
