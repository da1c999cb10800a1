"""What happened, by whom, for good.  A trigger in the database refuses UPDATE and DELETE."""

from django.db import models

from gpuaas.accounts.models import Team, User


class AuditEvent(models.Model):
    """One thing that happened.  ``actor`` None means the platform itself."""

    at = models.DateTimeField()
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("subject", "id"), name="audit_by_subject"),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"
