"""What happened, by whom, for good.  A trigger in the database refuses UPDATE, DELETE and TRUNCATE.

The trail lies below every app that writes it, accounts included: people and teams go by name.
"""

from django.db import models


class AuditEvent(models.Model):
    """One thing that happened.  ``actor`` None means the platform itself."""

    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    actor = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    team = models.ForeignKey(
        "accounts.Team", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("-pk",)
        # Each filter of the trail reads its newest rows first, however long it grows.
        indexes = (
            models.Index(fields=("subject", "id"), name="audit_by_subject"),
            models.Index(fields=("action", "id"), name="audit_by_action"),
            models.Index(fields=("actor", "id"), name="audit_by_actor"),
            models.Index(fields=("team", "id"), name="audit_by_team"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"


class AuditLink(models.Model):
    """One link of the chain over the events, in the order of their commits, without a gap.

    ``digest`` is that of the event and of the link before it.  A trigger writes links, at COMMIT.
    """

    position = models.BigIntegerField(primary_key=True)
    # No constraint: its check would lock, in each commit, the row that this commit has written.
    event = models.OneToOneField(
        AuditEvent, on_delete=models.PROTECT, related_name="link", db_constraint=False
    )
    digest = models.BinaryField(max_length=32)

    class Meta:
        ordering = ("-position",)

    def __str__(self) -> str:
        return f"{self.position}:{bytes(self.digest).hex()}"
