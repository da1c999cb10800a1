"""What people are to be told, written with the change that it tells of."""

from django.db import models
from django.db.models import Q

from gpuaas.accounts.models import Team


class OutboxMessage(models.Model):
    """One thing to tell.  ``key`` says which: the same key is told once, however often it comes.

    The columns are plain, so that a function in the database can write a row as well.
    """

    key = models.CharField(max_length=200)
    event = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    data = models.JSONField()
    created_at = models.DateTimeField()
    fanned_out_at = models.DateTimeField(
        null=True, help_text="When it was decided who is told; None: not yet"
    )

    class Meta:
        constraints = (
            # Not unique=True: that would bring a second index, for LIKE, into every booking.
            models.UniqueConstraint(fields=("key",), name="outbox_told_once"),
        )
        indexes = (
            models.Index(
                fields=("id",), condition=Q(fanned_out_at=None), name="outbox_not_fanned_out"
            ),
        )

    def __str__(self) -> str:
        return self.key
