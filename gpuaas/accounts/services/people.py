"""Everything that changes people."""

import zoneinfo
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import transaction

from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Theme, User
from gpuaas.audit import services as audit
from gpuaas.core.errors import DomainError

# What the trail tells from what to what.  Of a password it says only that it was set.
TOLD: Final = (
    "username",
    "email",
    "first_name",
    "last_name",
    "is_active",
    "organisation_role",
)


class LanguageUnknown(DomainError):
    code = "language_unknown"

    def __init__(self, language: str) -> None:
        known = ", ".join(code for code, _ in settings.LANGUAGES)
        super().__init__(f"there is no language {language!r} here; there are {known}")


class TimeZoneUnknown(DomainError):
    code = "time_zone_unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no time zone {name!r}; one is called Europe/Berlin")


class ThemeUnknown(DomainError):
    code = "theme_unknown"

    def __init__(self, theme: str) -> None:
        super().__init__(f"there is no theme {theme!r}; it is empty, light or dark")


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody wants pages and mails; empty is what their browser asks for."""

    language: str = ""
    time_zone: str = ""
    theme: str = ""


def ensure_user(
    *,
    username: str,
    password: str,
    email: str,
    now: datetime,
    first_name: str = "",
    last_name: str = "",
    organisation_role: OrganisationRole = OrganisationRole.NONE,
) -> User:
    """Return the user of that name; make it first if there is none.

    An existing user is left as it is, password included.
    """
    existing = User.objects.filter(username=username).first()
    if existing is not None:
        return existing
    person = User(
        username=username,
        email=User.objects.normalize_email(email),
        first_name=first_name,
        last_name=last_name,
        organisation_role=organisation_role,
    )
    person.set_password(password)
    keep_person(person=person, actor=None, now=now)
    return person


def keep_person(*, person: User, actor: User | None, now: datetime) -> None:
    """Write a new person, or what was changed of one; what is as it was is not written down.

    Django's flags follow from the organisation's role and from the teams that they manage.
    """
    with transaction.atomic():
        before = User.objects.select_for_update().filter(pk=person.pk).values(*TOLD).first()
        person.is_superuser = person.is_platform_admin
        person.is_staff = person.is_superuser or _manages_any(person, now=now)
        person.save()
        after = {field: getattr(person, field) for field in TOLD}
        changed = {
            field: [before and before[field], value]
            for field, value in after.items()
            if (before[field] != value if before else value)
        }
        if changed:
            audit.record(
                "person.changed" if before else "person.created",
                subject=f"person:{person.pk}",
                actor=actor,
                at=now,
                username=person.username,
                from_to=changed,
            )


def change_profile(*, person: User, look: Look) -> None:
    """Keep how ``person`` wants pages and mails; what they may do does not depend on it.

    Raises:
        LanguageUnknown, TimeZoneUnknown, ThemeUnknown: there is none of that name here.
    """
    if look.language and look.language not in dict(settings.LANGUAGES):
        raise LanguageUnknown(look.language)
    if look.time_zone and look.time_zone not in zoneinfo.available_timezones():
        raise TimeZoneUnknown(look.time_zone)
    if look.theme not in Theme.values:
        raise ThemeUnknown(look.theme)
    User.objects.filter(pk=person.pk).update(**asdict(look))


def note_password(*, person: User, actor: User, now: datetime) -> None:
    """Write down that ``actor`` gave ``person`` another password."""
    with transaction.atomic():
        audit.record(
            "person.password_set",
            subject=f"person:{person.pk}",
            actor=actor,
            at=now,
            username=person.username,
        )


def _manages_any(person: User, *, now: datetime) -> bool:
    if person.pk is None:
        return False
    managed = Membership.objects.filter(user=person, role=MembershipRole.MANAGER)
    return managed.current(now).exists()
