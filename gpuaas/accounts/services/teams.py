"""Everything that changes teams."""

from datetime import datetime

from django.db import IntegrityError, transaction

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors

CHANGEABLE = ("name", "cost_centre", "description", "is_active")


class NotYours(errors.DomainError):
    """Only a platform administrator makes, changes and archives teams."""

    code = "platform_administrators_only"


class TeamTaken(errors.DomainError):
    """Another team has that name or slug."""

    code = "team_taken"


def ensure_team(*, name: str, slug: str, now: datetime, cost_centre: str = "") -> Team:
    """Return the team with that slug; make it first if there is none."""
    with transaction.atomic():
        team, is_new = Team.objects.get_or_create(
            slug=slug, defaults={"name": name, "cost_centre": cost_centre}
        )
        if is_new:
            _record_new(team, actor=None, now=now)
    return team


def create_team(
    *,
    name: str,
    slug: str,
    actor: User,
    now: datetime,
    cost_centre: str = "",
    description: str = "",
) -> Team:
    """Make a team.

    Raises:
        NotYours: ``actor`` is no platform administrator.
        TeamTaken: the name or the slug belongs to another.
    """
    _check(actor)
    try:
        with transaction.atomic():
            team = Team.objects.create(
                name=name, slug=slug, cost_centre=cost_centre, description=description
            )
            _record_new(team, actor=actor, now=now)
    except IntegrityError as error:
        raise TeamTaken(f"there is a team {name!r} or {slug!r} already: take another") from error
    return team


def change_team(*, team: Team, changes: dict[str, object], actor: User, now: datetime) -> None:
    """Set what ``changes`` names of `CHANGEABLE`; ``is_active`` False archives the team.

    An archived team cannot book; its history stays, and it can be brought back.  What is as it
    was is not written.

    Raises:
        NotYours: ``actor`` is no platform administrator.
        TeamTaken: the name belongs to another.
    """
    _check(actor)
    try:
        with transaction.atomic():
            locked = Team.objects.select_for_update().get(pk=team.pk)
            differing = {
                field: [getattr(locked, field), changes[field]]
                for field in CHANGEABLE
                if field in changes and changes[field] != getattr(locked, field)
            }
            if differing:
                Team.objects.filter(pk=team.pk).update(
                    **{f: new for f, (_, new) in differing.items()}
                )
                audit.record(
                    "team.changed",
                    subject=team.subject,
                    actor=actor,
                    at=now,
                    team=team,
                    from_to=differing,
                )
    except IntegrityError as error:
        raise TeamTaken("there is another team of that name: take another") from error
    team.refresh_from_db()


def _record_new(team: Team, *, actor: User | None, now: datetime) -> None:
    audit.record(
        "team.created",
        subject=team.subject,
        actor=actor,
        at=now,
        team=team,
        name=team.name,
        cost_centre=team.cost_centre,
    )


def _check(actor: User) -> None:
    if not (actor.is_active and actor.is_platform_admin):
        raise NotYours("teams are made and changed by platform administrators: ask one")
