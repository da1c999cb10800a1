"""Teams and the people in them as cards.  Pure: rows in, finished text out."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from gpuaas.accounts.models import MembershipRole, MembershipSource
from gpuaas.core.language import later
from gpuaas.portal.cards.bookings import Badge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpuaas.accounts.models import Membership, Team, User
    from reservations.usage import Usage

_TONES: Final = {"manager": "primary", "member": "success", "viewer": "secondary"}
_MEANING: Final = {
    MembershipRole.MEMBER: later("books, and changes the team's bookings"),
    MembershipRole.MANAGER: later("besides, looks after members and approves"),
    MembershipRole.VIEWER: later("sees everything of the team and books nothing"),
}
ROLES: Final = tuple((role.value, role.label, _MEANING[role]) for role in MembershipRole)


@dataclass(frozen=True, slots=True)
class TeamCard:
    """One team; ``role`` is the reader's own in it, None where they only look on."""

    slug: str
    name: str
    cost_centre: str
    description: str
    is_archived: bool
    people: int
    role: Badge | None


@dataclass(frozen=True, slots=True)
class MemberCard:
    """One membership; ``is_over`` when it counts no more."""

    number: int
    name: str
    username: str
    initials: str
    role: Badge
    granted_by: str
    granted_at: datetime
    expires_at: datetime | None
    is_over: bool
    is_me: bool
    is_from_directory: bool


def team_card(team: "Team", *, people: int, role: str | None) -> TeamCard:
    """Return the card of ``team`` with so many ``people`` in it."""
    return TeamCard(
        slug=team.slug,
        name=team.name,
        cost_centre=team.cost_centre,
        description=team.description,
        is_archived=not team.is_active,
        people=people,
        role=role_badge(role) if role else None,
    )


def member_card(membership: "Membership", *, reader: "User", now: datetime) -> MemberCard:
    """Return the card of ``membership`` as ``reader`` sees it."""
    person, by = membership.user, membership.granted_by
    is_from_directory = membership.source == MembershipSource.DIRECTORY
    name = person.get_full_name() or person.username
    return MemberCard(
        number=membership.pk,
        name=name,
        username=person.username,
        initials="".join(word[0] for word in name.split()[:2]).upper(),
        role=role_badge(membership.role),
        granted_by=gettext("the directory") if is_from_directory else name_of(by),
        granted_at=membership.granted_at,
        expires_at=membership.expires_at,
        is_over=not membership.is_current(now),
        is_me=person.pk == reader.pk,
        is_from_directory=is_from_directory,
    )


def role_badge(role: str) -> Badge:
    """Return how a role in a team looks."""
    return Badge(role, MembershipRole(role).label, _TONES[role])


def name_of(person: "User | None") -> str:
    """Return what a person is called; nobody is the installation itself."""
    return (person.get_full_name() or person.username) if person else gettext("set up at the start")


def hours_facts(rows: "Iterable[Usage]") -> tuple[tuple[str, str], ...]:
    """Return the GPU-hours of a team's bookings in words: booked, used and returned."""
    rows = list(rows)
    booked = sum((each.booked_gpu_hours for each in rows), Fraction())
    used = sum((each.used_gpu_hours for each in rows), Fraction())
    returned = sum((each.given_back_gpu_hours for each in rows), Fraction())
    reclaimed = sum((each.reclaimed_gpu_hours for each in rows), Fraction())
    back = _hours(returned)
    if reclaimed:
        back += gettext(", {hours} of them because nobody came, or used them any more").format(
            hours=_hours(reclaimed)
        )
    return (
        (gettext("Booked"), _hours(booked)),
        (gettext("Used so far"), _hours(used)),
        (gettext("Returned"), back),
    )


def _hours(hours: Fraction) -> str:
    return f"{float(hours):,.1f}".removesuffix(".0") + " h"
