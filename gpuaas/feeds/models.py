"""Secret addresses at which calendar programs read bookings."""

from django.db import models
from django.db.models import Q

from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool


class CalendarFeed(models.Model):
    """One address, made by ``person``: of their own bookings, a team's, or a pool's.

    It shows what ``person`` may see, as long as they may.  Of the secret in the address only the
    SHA-256 is kept.
    """

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    pool = models.ForeignKey(
        Pool, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(team=None) | Q(pool=None), name="calendar_feed_of_one_thing"
            ),
        )

    def __str__(self) -> str:
        return f"calendar feed {self.pk}: {self.title}"

    @property
    def kind(self) -> str:
        """What it is of: ``team``, ``pool``, or ``person``, whose own bookings it has."""
        if self.team_id is not None:
            return "team"
        return "pool" if self.pool_id is not None else "person"

    @property
    def title(self) -> str:
        """How people call it."""
        of = self.team or self.pool
        return str(of) if of is not None else "my bookings"
