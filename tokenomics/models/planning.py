"""What planning keeps: scenarios of teams, and the list of cloud prices as it changed."""

import uuid

from django.db import models

from gpuaas.accounts.models import Team, User


class SavedScenario(models.Model):
    """A team's question to planning, as the YAML it was written in.

    ``name`` is the one inside the document.  ``version`` grows with every change, and a change
    names the version it was made from.
    """

    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    document = models.TextField()
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    updated_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.UniqueConstraint(fields=("team", "name"), name="scenario_name_once_per_team"),
        )

    def __str__(self) -> str:
        return self.name


class EnteredPrices(models.Model):
    """One version of the installation's cloud prices.  The last counts; none is ever changed.

    A trigger in the database refuses UPDATE and DELETE.  Before the first, the packaged list
    counts.
    """

    document = models.TextField()
    currency = models.CharField(max_length=3)
    read_on = models.DateField()
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "entered prices"

    def __str__(self) -> str:
        return f"{self.currency}, read on {self.read_on}"
