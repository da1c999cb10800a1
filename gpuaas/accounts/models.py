"""People, teams (the tenants) and who belongs where."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from gpuaas.core.language import later


class OrganisationRole(models.TextChoices):
    """What a person may do across all teams, besides what memberships allow."""

    NONE = "", later("None")
    FINANCE = "finance", later("Finance")
    PLATFORM_ADMIN = "platform_admin", later("Platform administrator")


class Theme(models.TextChoices):
    """How pages look to a person."""

    AUTO = "", gettext_lazy("As the system")
    LIGHT = "light", gettext_lazy("Light")
    DARK = "dark", gettext_lazy("Dark")


class UserManager(DjangoUserManager["User"]):
    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> "User":
        """Make a platform administrator: whom ``manage.py createsuperuser`` is asked for."""
        more["organisation_role"] = OrganisationRole.PLATFORM_ADMIN
        return super().create_superuser(username, email, password, **more)


class User(AbstractUser):
    """A person.  Custom from the first migration, so that fields can be added for ever."""

    organisation_role = models.CharField(
        max_length=20, choices=OrganisationRole.choices, default=OrganisationRole.NONE, blank=True
    )

    # Empty: as the browser asks, in the browser's zone, as the system looks.
    language = models.CharField(max_length=10, blank=True, db_default="")
    time_zone = models.CharField(max_length=64, blank=True, db_default="")
    theme = models.CharField(max_length=5, choices=Theme.choices, blank=True, db_default="")

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = (
            models.CheckConstraint(
                condition=Q(is_superuser=True, organisation_role=OrganisationRole.PLATFORM_ADMIN)
                | (Q(is_superuser=False) & ~Q(organisation_role=OrganisationRole.PLATFORM_ADMIN)),
                name="superusers_are_the_platform_administrators",
            ),
        )

    @property
    def is_platform_admin(self) -> bool:
        return self.organisation_role == OrganisationRole.PLATFORM_ADMIN

    @property
    def is_finance(self) -> bool:
        return self.organisation_role == OrganisationRole.FINANCE


class Team(models.Model):
    """A tenant: whose booking it is, and who pays."""

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=40, unique=True)
    cost_centre = models.CharField(max_length=40, blank=True)
    description = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)  # archived otherwise: books nothing, keeps all

    # Who may book for it at which instant, or not, where it was read with that: no column.
    bookable_by: "tuple[int, datetime, bool] | None" = None

    class Meta:
        ordering = ("name",)
        permissions = (("manage_team", "Can manage the team's members and bookings"),)

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """What the audit trail calls it."""
        return f"team:{self.slug}"


class MembershipRole(models.TextChoices):
    """What a person may do in one team."""

    MEMBER = "member", later("Member")
    MANAGER = "manager", later("Manager")
    VIEWER = "viewer", later("Viewer")


class MembershipSource(models.TextChoices):
    """Who decides about a membership: a person, or the groups of the company's directory."""

    MANUAL = "manual", later("By hand")
    DIRECTORY = "directory", later("Directory")


CAN_BOOK = (MembershipRole.MEMBER, MembershipRole.MANAGER)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def current(self, now: datetime) -> "MembershipQuerySet":
        """Those that have not expired at ``now``."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now))


class Membership(models.Model):
    """One person's role in one team, until ``expires_at`` (None: until revoked)."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(
        max_length=10, choices=MembershipRole.choices, default=MembershipRole.MEMBER
    )
    source = models.CharField(
        max_length=10, choices=MembershipSource.choices, default=MembershipSource.MANUAL
    )
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("team", "user"), name="membership_once_per_team"),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("granted_at")),
                name="membership_expires_after_it_is_granted",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.team} ({self.role})"

    def is_current(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class TokenScope(models.TextChoices):
    """What of what its person may do a token may do; each includes those before it.

    METER stands beside: it is for programs that tell usage, and do not even look.
    """

    READ = "read", later("Look")
    BOOK = "book", later("Look and book")
    FULL = "full", later("All that I may do")
    METER = "push", later("Tell usage, nothing else")

    def includes(self, needed: "TokenScope") -> bool:
        """Return whether what takes ``needed`` may be done with it."""
        if TokenScope.METER in {self, needed}:
            return self in {needed, TokenScope.FULL}
        return _WIDER.index(self) >= _WIDER.index(needed)


_WIDER = (TokenScope.READ, TokenScope.BOOK, TokenScope.FULL)


class ApiToken(models.Model):
    """Lets a program act as ``person``.  Of its secret only the SHA-256 is here."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    public_id = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scope = models.CharField(
        max_length=4, choices=TokenScope.choices, default=TokenScope.FULL, db_default="full"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)  # to the hour
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=("person", "name"),
                condition=Q(revoked_at=None),
                name="token_name_once_a_person",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="token_expires_after_it_is_made",
            ),
            models.CheckConstraint(
                condition=Q(scope__in=TokenScope.values), name="token_scope_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} of {self.person}"

    @property
    def subject(self) -> str:
        """What the audit trail calls it."""
        return f"token:{self.public_id}"

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at
