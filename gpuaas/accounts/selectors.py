"""Who belongs where: the ground of every ``*_visible_to``."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from gpuaas.accounts.models import CAN_BOOK, ApiToken, Membership, MembershipRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.core.rows import Columns

# What every request of a program asks is written by hand: for the ORM to put these together takes
# longer than for PostgreSQL to answer.  Tests hold them equal to what they stand for.
_TOKEN: Final = Columns(ApiToken, "token")
_PERSON: Final = Columns(User, "person")
_TOKEN_NUMBERED: Final = f"""
SELECT {_TOKEN.sql}, {_PERSON.sql}
FROM accounts_apitoken token JOIN accounts_user person ON person.id = token.person_id
WHERE token.public_id = %s
"""  # noqa: S608 -- names of our own columns
_TEAM: Final = Columns(Team, "team")
_TEAM_CALLED: Final = f"""
SELECT {_TEAM.sql}, team.is_active AND EXISTS (
    SELECT FROM accounts_membership member
    WHERE member.team_id = team.id AND member.user_id = %(person)s
      AND member.role = ANY(%(roles)s)
      AND (member.expires_at IS NULL OR member.expires_at > %(now)s))
FROM accounts_team team
WHERE team.slug = %(slug)s AND (%(sees_all)s OR EXISTS (
    SELECT FROM accounts_membership member
    WHERE member.team_id = team.id AND member.user_id = %(person)s
      AND (member.expires_at IS NULL OR member.expires_at > %(now)s)))
"""  # noqa: S608 -- names of our own columns
_MAY_BOOK: Final = """
SELECT EXISTS (
    SELECT FROM accounts_membership member JOIN accounts_team team ON team.id = member.team_id
    WHERE team.id = %(team)s AND team.is_active
      AND member.user_id = %(person)s AND member.role = ANY(%(roles)s)
      AND (member.expires_at IS NULL OR member.expires_at > %(now)s))
"""


def sees_every_team(user: User) -> bool:
    """Return whether no team's bookings are hidden from ``user``."""
    return user.is_active and (user.is_platform_admin or user.is_finance)


def teams_visible_to(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose bookings ``user`` may see."""
    if not user.is_active:
        return Team.objects.none()
    if sees_every_team(user):
        return Team.objects.all()
    return Team.objects.filter(pk__in=_memberships(user, now=now).values("team"))


def team_called(slug: str, *, reader: User, now: datetime) -> Team | None:
    """Return the one of `teams_visible_to` ``reader`` that has ``slug``.

    It knows from the same query whether ``reader`` may book for it at ``now``.
    """
    if not reader.is_active:
        return None
    asked: dict[str, Any] = {
        "slug": slug,
        "sees_all": sees_every_team(reader),
        "person": reader.pk,
        "roles": list(CAN_BOOK),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TEAM_CALLED, asked)
        row = cursor.fetchone()
    if row is None:
        return None
    team = _TEAM.read(row[: _TEAM.width])
    team.bookable_by = reader.pk, now, row[_TEAM.width]
    return team


def with_people(teams: QuerySet[Team], *, reader: User, now: datetime) -> QuerySet[Any]:
    """Return ``teams`` with how many are in each (``people``) and ``own_role``, the reader's."""
    inside = Membership.objects.current(now).filter(team=OuterRef("pk"))
    active = inside.filter(user__is_active=True).order_by().values("team")
    return teams.annotate(
        people=Coalesce(Subquery(active.annotate(n=Count("pk")).values("n")), 0),
        own_role=Subquery(inside.filter(user=reader).values("role")[:1]),
    )


def teams_bookable_by(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams ``user`` may book for: a viewer sees, but does not book."""
    return teams_changeable_by(user, now=now).filter(is_active=True)


def may_book_for(team: Team, *, person: User, now: datetime) -> bool:
    """Return whether ``team`` is one of `teams_bookable_by` ``person``."""
    if not person.is_active:
        return False
    if team.bookable_by and team.bookable_by[:2] == (person.pk, now):
        return team.bookable_by[2]  # the very same question was answered with the team
    asked: dict[str, Any] = {
        "team": team.pk,
        "person": person.pk,
        "roles": list(CAN_BOOK),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAY_BOOK, asked)
        (found,) = cursor.fetchone()
    return bool(found)


def bookers_of(team: Team, *, now: datetime) -> QuerySet[User]:
    """Return who may book for ``team``, by name; nobody for an archived one."""
    if not team.is_active:
        return User.objects.none()
    booking = Membership.objects.current(now).filter(team=team, role__in=CAN_BOOK)
    return User.objects.filter(is_active=True, pk__in=booking.values("user")).order_by("username")


def mates_of(user: User, *, now: datetime) -> QuerySet[User]:
    """Return for whom ``user`` may book as a manager, besides for themselves, by name."""
    teams = teams_managed_by(user, now=now).filter(is_active=True)
    booking = Membership.objects.current(now).filter(team__in=teams, role__in=CAN_BOOK)
    found = User.objects.filter(is_active=True, pk__in=booking.values("user"))
    return found.exclude(pk=user.pk).order_by("username")


def teams_changeable_by(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose bookings ``user`` may end: archived ones have some for a while."""
    if not user.is_active:
        return Team.objects.none()
    booking = _memberships(user, now=now).filter(role__in=CAN_BOOK)
    return Team.objects.filter(pk__in=booking.values("team"))


def may_administer(user: User, *, now: datetime) -> bool:
    """Return whether the admin site is open to ``user``: all of it, or their teams' rows."""
    if not (user.is_active and user.is_staff):
        return False
    return user.is_platform_admin or manages_any(user, now=now)


def manages_any(user: User, *, now: datetime) -> bool:
    """Return whether ``user`` manages a team."""
    return _memberships(user, now=now).filter(role=MembershipRole.MANAGER).exists()


def teams_managed_by(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose manager ``user`` is."""
    if not user.is_active:
        return Team.objects.none()
    managed = _memberships(user, now=now).filter(role=MembershipRole.MANAGER)
    return Team.objects.filter(pk__in=managed.values("team"))


def teams_administered_by(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose people ``user`` looks after: managed, or all of them."""
    if user.is_active and user.is_platform_admin:
        return Team.objects.all()
    return teams_managed_by(user, now=now)


def memberships_managed_by(user: User, *, now: datetime) -> QuerySet[Membership]:
    """Return who is or was in the teams whose people ``user`` looks after."""
    found = Membership.objects.filter(team__in=teams_administered_by(user, now=now))
    return found.select_related("user", "team", "granted_by").order_by("team__name", "pk")


def memberships_of(user: User, *, now: datetime) -> QuerySet[Membership]:
    """Return the memberships of ``user`` that have not expired, with their teams."""
    return _memberships(user, now=now).select_related("team").order_by("team__name")


def memberships_read(user: User, *, now: datetime) -> list[Membership]:
    """Return `memberships_of` ``user``, read once for as long as this object of theirs lives.

    One page asks for them in several places; nobody else's are ever seen by it.
    """
    read: list[Membership] | None = getattr(user, "read_memberships", None)
    if read is None:
        read = list(memberships_of(user, now=now))
        user.read_memberships = read  # type: ignore[attr-defined]
    return read


def people_found_by(text: str, *, reader: User, now: datetime) -> QuerySet[Membership]:
    """Return the memberships of people called so, in teams that ``reader`` sees, by name.

    Somebody in no team is found by nobody; who sees every team finds everybody in one.
    """
    named = Q(user__username__icontains=text) | Q(user__first_name__icontains=text)
    named |= Q(user__last_name__icontains=text)
    inside = Membership.objects.current(now).filter(named, user__is_active=True)
    found = inside.filter(team__in=teams_visible_to(reader, now=now))
    return found.select_related("user", "team").order_by("user__username", "team__name")


def has_members() -> bool:
    """Return whether anybody is in a team."""
    return Membership.objects.exists()


def manages(team_id: int, *, person: User, now: datetime) -> bool:
    """Return whether ``person`` is a manager of that team, or administers the platform.

    What a page shows by; a change asks `permissions.may_manage_team`.
    """
    if not person.is_active:
        return False
    return person.is_platform_admin or any(
        each.team_id == team_id and each.role == MembershipRole.MANAGER
        for each in memberships_read(person, now=now)
    )


def books_for(team_id: int, *, person: User, now: datetime) -> bool:
    """Return whether ``team_id``, archived or not, is one of `teams_changeable_by` ``person``."""
    if not person.is_active:
        return False
    mine = memberships_read(person, now=now)
    return any(each.team_id == team_id and each.role in CAN_BOOK for each in mine)


def events_visible_to(user: User, *, now: datetime) -> QuerySet[AuditEvent]:
    """Return the events of the teams that ``user`` may see; a platform administrator sees all."""
    if user.is_active and user.is_platform_admin:
        return AuditEvent.objects.all()
    return AuditEvent.objects.filter(team__in=teams_visible_to(user, now=now))


def trail_visible_to(user: User, *, now: datetime) -> QuerySet[AuditEvent]:
    """Return the audit trail as far as ``user`` answers for it, the latest first.

    A platform administrator sees all, a manager what happened in the teams they manage.
    """
    if user.is_active and user.is_platform_admin:
        return AuditEvent.objects.all()
    # By number: few of them, and an index leads to the latest events of each.
    managed = list(teams_managed_by(user, now=now).values_list("pk", flat=True))
    return AuditEvent.objects.filter(team__in=managed)


def narrowed(
    trail: QuerySet[AuditEvent],
    *,
    action: str | None = None,
    subject: str | None = None,
    actor: str | None = None,
    team: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[AuditEvent]:
    """Narrow ``trail``; ``actor`` is a user name, ``team`` a slug, the period half-open.

    By numbers that are known before, so that an index leads to the newest of them.
    """
    people = User.objects.filter(username=actor).values_list("pk", flat=True)
    teams = Team.objects.filter(slug=team).values_list("pk", flat=True)
    wanted: dict[str, object] = {
        "action": action,
        "subject": subject,
        "actor__in": list(people) if actor else None,
        "team__in": list(teams) if team else None,
        "at__gte": since,
        "at__lt": until,
    }
    return trail.filter(**{name: value for name, value in wanted.items() if value is not None})


def members_of(team: Team) -> QuerySet[Membership]:
    """Return who is or was in ``team``, with the person and who let them in, by name."""
    found = Membership.objects.filter(team=team).select_related("user", "granted_by", "team")
    return found.order_by("user__username")


def person_called(name: str) -> User | None:
    """Return the active person with that user name or, failing that, that e-mail address."""
    people = User.objects.filter(is_active=True)
    found = people.filter(username=name).first()
    if found is None:
        by_address = list(people.filter(email__iexact=name)[:2])
        found = by_address[0] if len(by_address) == 1 else None
    return found


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the API tokens of ``user``, the ended ones too, newest first."""
    return ApiToken.objects.filter(person=user)


def token_numbered(public_id: str) -> ApiToken | None:
    """Return the token that is called by ``public_id``, with its person, in one query.

    Who asks has yet to prove that it is theirs.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TOKEN_NUMBERED, [public_id])
        row = cursor.fetchone()
    if row is None:
        return None
    token = _TOKEN.read(row[: _TOKEN.width])
    token.person = _PERSON.read(row[_TOKEN.width :])
    return token


def owner_of_email(addresses: Iterable[str]) -> User | None:
    """Return whose account has one of ``addresses``, however it is spelled; None if nobody's."""
    same = Q()
    for address in addresses:
        same |= Q(email__iexact=address)
    return User.objects.filter(same).order_by("pk").first() if same else None


def _memberships(user: User, *, now: datetime) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).current(now)
