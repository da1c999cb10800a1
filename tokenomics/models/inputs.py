"""What finance puts in: the cost sheet, cost centres and their budgets."""

from django.db import models
from django.db.models import Q

from gpuaas.accounts.models import User


class CostSheet(models.Model):
    """One version of what the platform costs: assets, tariffs, cooling, power, other costs.

    The last counts for every month that is not closed; none is ever changed.  A trigger in the
    database refuses UPDATE and DELETE.  ``document`` is YAML, `tokenomics.core.sheet` says what is
    in it.
    """

    document = models.TextField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200, help_text="What is new in this version, and why")
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"version {self.pk}: {self.reason}"


class CostCentre(models.Model):
    """What teams name as their cost centre; without a row it is one that is only shown its cost."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80, blank=True)
    is_charged = models.BooleanField(
        default=False, help_text="Chargeback: its statements are booked; otherwise showback"
    )

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class CostCentreBudget(models.Model):
    """What a cost centre may spend in a month, from ``valid_from`` (a first of the month) on.

    Of several from the same month the last row counts; no row is changed.  ``amount_minor`` None
    ends the budget.
    """

    cost_centre = models.ForeignKey(CostCentre, on_delete=models.PROTECT, related_name="budgets")
    valid_from = models.DateField()
    amount_minor = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    blocks = models.BooleanField(
        default=False, help_text="Bookings that it does not pay are refused"
    )
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ("cost_centre", "-valid_from", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(valid_from__day=1), name="budget_from_a_first_of_the_month"
            ),
        )

    def __str__(self) -> str:
        return f"{self.cost_centre} from {self.valid_from:%Y-%m}"
