"""What the company's directory says about people, and what we make of it."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User


class DirectoryGroup(models.Model):
    """A rule: who is in ``group`` at ``provider`` has a role in a team, or in the organisation."""

    provider = models.CharField(max_length=40)
    group = models.CharField(max_length=200)
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, null=True, blank=True, related_name="directory_groups"
    )
    role = models.CharField(max_length=10, choices=MembershipRole.choices, blank=True)
    organisation_role = models.CharField(
        max_length=20, choices=OrganisationRole.choices, default=OrganisationRole.NONE, blank=True
    )

    class Meta:
        ordering = ("provider", "group", "team__name")
        constraints = (
            models.CheckConstraint(
                condition=(
                    Q(team__isnull=False, organisation_role="") & ~Q(role="")
                    | Q(team=None, role="") & ~Q(organisation_role="")
                ),
                name="directory_group_gives_one_role",
            ),
            models.UniqueConstraint(
                fields=("provider", "group", "team"), name="directory_group_once_per_team"
            ),
            models.UniqueConstraint(
                fields=("provider", "group"),
                condition=Q(team=None),
                name="directory_group_one_organisation_role",
            ),
        )

    def __str__(self) -> str:
        if self.team is None:
            return f"{self.group}: {self.get_organisation_role_display()}"
        return f"{self.group}: {self.get_role_display()} of {self.team}"


class DirectoryPersonQuerySet(models.QuerySet["DirectoryPerson"]):
    def due(self, *, before: datetime) -> "DirectoryPersonQuerySet":
        """Those with access whom nobody has asked the directory about since ``before``."""
        return self.filter(ended_at=None, asked_at__lte=before)


class DirectoryPerson(models.Model):
    """Who an account is in the directory, and what the directory last said about it.

    ``is_local`` marks a local account that was linked to the directory: it never loses its own
    login.  ``ended_at`` is when the directory's access ended; None while it stands.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="directory")
    provider = models.CharField(max_length=40)
    subject = models.CharField(max_length=255)
    is_local = models.BooleanField(default=False)
    groups = models.JSONField(default=list)
    organisation_role = models.CharField(
        max_length=20, choices=OrganisationRole.choices, default=OrganisationRole.NONE, blank=True
    )
    sealed_refresh_token = models.TextField(blank=True)
    confirmed_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    last_error = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = DirectoryPersonQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "directory people"
        constraints = (
            models.UniqueConstraint(
                fields=("provider", "subject"), name="directory_person_once_per_provider"
            ),
            models.CheckConstraint(
                condition=Q(asked_at__gte=F("confirmed_at")),
                name="directory_person_asked_when_confirmed",
            ),
        )
        indexes = (
            models.Index(
                fields=("asked_at",), condition=Q(ended_at=None), name="directory_person_due"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} ({self.provider})"
