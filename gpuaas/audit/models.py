"""What happened, by whom, for good.  A trigger in the database refuses UPDATE and DELETE.

The trail lies below every app that writes it, accounts included: people and teams go by name.
"""

from django.db import models


class AuditEvent(models.Model):
    """One thing that happened.  ``actor`` None means the platform itself."""

    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    actor = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, related_name="+"
    )
    team = models.ForeignKey("accounts.Team", on_delete=models.PROTECT, null=True, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("subject", "id"), name="audit_by_subject"),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"
