"""What reports read of a month's cost, added up when the month is calculated."""

from django.db import models

from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from tokenomics.models.costs import CostPeriod


class CostByModel(models.Model):
    """The cost of bookings by who booked what for which model, and the tokens it paid for.

    ``model`` is empty for what processed no tokens.  A booking with several models is split by the
    tokens that each processed: a view, no money moves.  `services.sums.refresh` writes it anew.
    """

    period = models.ForeignKey(
        CostPeriod, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cost_centre = models.CharField(max_length=40, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, null=True, related_name="+")
    purpose = models.CharField(max_length=120, blank=True)
    model = models.CharField(max_length=200, blank=True)
    amount_minor = models.BigIntegerField(default=0)
    prompt_computed = models.BigIntegerField(default=0)
    prompt_cached = models.BigIntegerField(default=0)
    generated = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "costs by model"
        indexes = (models.Index(fields=("period", "team"), name="cost_by_model_of_team"),)

    def __str__(self) -> str:
        return f"{self.period} {self.model}"
