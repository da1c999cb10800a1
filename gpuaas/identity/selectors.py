"""Who comes from the directory, and by which rules."""

from datetime import datetime

from django.db.models import QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.identity.directory import Rule
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson


def rules_of(provider: str) -> tuple[Rule, ...]:
    """Return what the groups of ``provider`` give."""
    return tuple(
        Rule(each.group, each.team_id, each.role, each.organisation_role)
        for each in DirectoryGroup.objects.filter(provider=provider)
    )


def directory_person(user: User) -> DirectoryPerson | None:
    """Return who ``user`` is in the directory; None for a purely local account."""
    return DirectoryPerson.objects.filter(user=user).first()


def due_to_be_asked(*, provider: str, before: datetime) -> QuerySet[DirectoryPerson]:
    """Return whom nobody has asked the directory about since ``before``, longest wait first."""
    return (
        DirectoryPerson.objects.due(before=before)
        .filter(provider=provider)
        .select_related("user")
        .order_by("asked_at")
    )


def left_behind(*, provider: str) -> QuerySet[DirectoryPerson]:
    """Return who has access by a directory that is not the configured one any more."""
    return (
        DirectoryPerson.objects.filter(ended_at=None)
        .exclude(provider=provider)
        .select_related("user")
        .order_by("pk")
    )


def groups_given_by(user: User, *, now: datetime) -> list[str]:
    """Return what we call the groups of ``user`` where we are the provider.

    ``vision`` for being in the team at all, ``vision:manager`` for the role in it, and
    ``organisation:finance`` for a role across all teams.
    """
    groups = [f"organisation:{user.organisation_role}"] if user.organisation_role else []
    for each in accounts.memberships_of(user, now=now):
        groups += [each.team.slug, f"{each.team.slug}:{each.role}"]
    return groups
