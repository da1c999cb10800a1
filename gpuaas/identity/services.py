"""Everything that makes an account follow the directory."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import QuerySet

from gpuaas.accounts.models import (
    Membership,
    MembershipRole,
    MembershipSource,
    OrganisationRole,
    Team,
    User,
)
from gpuaas.accounts.services import memberships, standing
from gpuaas.audit import services as audit
from gpuaas.core import errors, sealing
from gpuaas.identity import directory, selectors
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson


class NotInTheDirectory(errors.DomainError):
    """None of somebody's groups is allowed in."""

    code = "no_allowed_group"


class SwitchedOff(errors.DomainError):
    """An administrator shut the account; the directory cannot open it."""

    code = "account_inactive"


class AddressTaken(errors.DomainError):
    """Somebody else's account here has the e-mail address that the directory names."""

    code = "address_taken"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the directory says about one person."""

    provider: str
    subject: str
    groups: frozenset[str]
    refresh_token: str = ""


def require_entry(*, answer: Answer, allowed: Set[str]) -> None:
    """Refuse who is in no group that is allowed in.

    Raises:
        NotInTheDirectory: says in which groups one would have to be.
    """
    rules = selectors.rules_of(answer.provider)
    if not directory.may_enter(answer.groups, allowed=allowed, rules=rules):
        msg = (
            "Your account is in no group that may use this portal. Ask your directory's"
            " administrators for one, and log in again."
        )
        raise NotInTheDirectory(msg)


def admit_person(*, user: User, answer: Answer, is_local: bool, now: datetime) -> DirectoryPerson:
    """Take in somebody who has just logged in through the directory.

    ``is_local`` says that the account was here first, and only linked: it keeps its own login
    whatever the directory says later.

    Raises:
        SwitchedOff: the account was shut, and not because the directory had said so.
    """
    with transaction.atomic():
        person = _locked(DirectoryPerson.objects.filter(user=user))
        if not user.is_active and (person is None or person.ended_at is None):
            raise SwitchedOff("This account is switched off: ask a platform administrator.")
        if person is None:
            person = DirectoryPerson(user=user, is_local=is_local)
            _record("directory.joined", person, at=now, provider=answer.provider)
        elif person.ended_at is not None:
            _record("directory.returned", person, at=now)
            standing.set_active(user=user, is_active=True)
            user.is_active = True
        person.provider, person.subject = answer.provider, answer.subject
        person.ended_at = None
        _follow(person, answer, now=now)
    return person


def confirm_person(*, person: DirectoryPerson, answer: Answer, now: datetime) -> None:
    """Bring an account that has access in line with what the directory says about it."""
    with transaction.atomic():
        current = _locked(DirectoryPerson.objects.filter(pk=person.pk, ended_at=None))
        if current is not None and current.asked_at <= now:
            _follow(current, answer, now=now)


def keep_refresh_token(*, person: DirectoryPerson, refresh_token: str) -> bool:
    """Store a token that replaces the one in ``person``; the old one may be worth nothing now.

    Return False if another one came in between, with a login: that one is the newest.
    """
    sealed = sealing.seal(refresh_token)
    replaced = DirectoryPerson.objects.filter(
        pk=person.pk, sealed_refresh_token=person.sealed_refresh_token
    ).update(sealed_refresh_token=sealed)
    if replaced:
        person.sealed_refresh_token = sealed
    return bool(replaced)


def end_access(*, person: DirectoryPerson, reason: str, now: datetime) -> bool:
    """Take back everything the directory gave, because it says so; return whether there was any.

    Roles end now, browser sessions end, and an account that came from the directory is shut,
    which its API tokens heed.  Who logged in since ``person`` was read is spared: that was a
    newer answer.
    """
    with transaction.atomic():
        current = _locked(
            DirectoryPerson.objects.filter(
                pk=person.pk, ended_at=None, sealed_refresh_token=person.sealed_refresh_token
            )
        )
        if current is None:
            return False
        _apply(current, directory.Wanted({}), now=now)
        current.groups = []
        current.sealed_refresh_token = ""
        current.ended_at = now
        current.asked_at = max(now, current.confirmed_at)
        current.save()
        if not current.is_local:
            standing.set_active(user=current.user, is_active=False)
        for each in UserSession.objects.filter(user=current.user):
            each.end()
        _record("directory.ended", current, at=now, reason=reason)
    return True


def note_silence(*, person: DirectoryPerson, error: str, grace: timedelta, now: datetime) -> bool:
    """Remember that the directory could not be asked; return whether that ended the access.

    Within ``grace`` after its last word nothing changes.  After that nobody can say whether the
    person is still there, so the access ends.
    """
    if person.confirmed_at + grace <= now:
        reason = f"the directory has said nothing since {person.confirmed_at:%Y-%m-%d %H:%M} UTC"
        return end_access(person=person, reason=reason, now=now)
    DirectoryPerson.objects.filter(pk=person.pk, ended_at=None, asked_at__lte=now).update(
        asked_at=now, last_error=error[:200]
    )
    return False


def give_by_group(*, rule: DirectoryGroup, by: User, now: datetime) -> None:
    """Save a rule, new or changed, and apply it to everybody whose last known groups it names."""
    with transaction.atomic():
        before = DirectoryGroup.objects.filter(pk=rule.pk).values_list("group", flat=True)
        groups = {rule.group, *before}
        rule.save()
        audit.record(
            "directory.group_set",
            subject=f"group:{rule.group}"[:80],
            actor=by,
            at=now,
            team=rule.team,
            role=rule.role or rule.organisation_role,
        )
        _apply_to_members(rule.provider, groups, now=now)


def take_from_group(*, rule: DirectoryGroup, by: User, now: datetime) -> None:
    """Delete a rule, and end now what nothing else gives."""
    with transaction.atomic():
        rule.delete()
        audit.record(
            "directory.group_removed",
            subject=f"group:{rule.group}"[:80],
            actor=by,
            at=now,
            team=rule.team,
            role=rule.role or rule.organisation_role,
        )
        _apply_to_members(rule.provider, {rule.group}, now=now)


def remove_second_factor(*, factor: Authenticator, by: User, now: datetime) -> None:
    """Delete somebody's lost second factor; with the last one go their recovery codes."""
    with transaction.atomic():
        kind, owner = factor.type, factor.user
        factor.delete()
        others = Authenticator.objects.filter(user=owner)
        if not others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
            others.delete()
        audit.record(
            "second_factor.removed",
            subject=f"user:{owner.username}"[:80],
            actor=by,
            at=now,
            kind=kind,
        )


def _apply_to_members(provider: str, groups: Set[str], *, now: datetime) -> None:
    rules = selectors.rules_of(provider)
    people = DirectoryPerson.objects.filter(provider=provider, ended_at=None)
    for person in people.select_for_update(of=("self",)).select_related("user").order_by("pk"):
        known = frozenset(person.groups)
        if known & groups:
            _apply(person, directory.wanted(known, rules), now=now)
            person.save(update_fields=["organisation_role"])


def _follow(person: DirectoryPerson, answer: Answer, *, now: datetime) -> None:
    rules = selectors.rules_of(answer.provider)
    _apply(person, directory.wanted(answer.groups, rules), now=now)
    person.groups = sorted(answer.groups)
    person.confirmed_at = person.asked_at = now
    person.last_error = ""
    if answer.refresh_token:
        person.sealed_refresh_token = sealing.seal(answer.refresh_token)
    person.save()


def _apply(person: DirectoryPerson, wanted: directory.Wanted, *, now: datetime) -> None:
    """Make the roles that the directory gives those that are wanted."""
    standing_now = list(
        Membership.objects.filter(user=person.user).current(now).select_related("team", "user")
    )
    held = {m.team_id: m for m in standing_now if m.source == MembershipSource.DIRECTORY}
    by_hand = {m.team_id for m in standing_now if m.source == MembershipSource.MANUAL}
    planned = directory.changes(
        held={team_id: m.role for team_id, m in held.items()},
        by_hand=by_hand,
        wanted_roles=wanted.roles,
    )
    for team_id in sorted(planned.end):
        standing.end_membership(membership=held[team_id], now=now)
        _record("directory.role_ended", person, at=now, team=held[team_id].team)
    _grant(person, planned.grant, now=now)
    _apply_organisation_role(person, OrganisationRole(wanted.organisation_role), now=now)


def _grant(person: DirectoryPerson, roles: Mapping[int, str], *, now: datetime) -> None:
    for team in Team.objects.filter(pk__in=roles).order_by("pk"):
        role = MembershipRole(roles[team.pk])
        memberships.put(
            team=team,
            user=person.user,
            role=role,
            granted_by=None,
            now=now,
            source=MembershipSource.DIRECTORY,
        )
        _record("directory.role_given", person, at=now, team=team, role=role.value)


def _apply_organisation_role(
    person: DirectoryPerson, role: OrganisationRole, *, now: datetime
) -> None:
    """Follow the directory, but leave alone a role that a person gave by hand."""
    user = person.user
    by_hand = user.organisation_role != person.organisation_role
    if role == person.organisation_role or by_hand:
        return
    if standing.set_organisation_role(user=user, role=role, now=now):
        user.organisation_role = role
        _record("directory.organisation_role", person, at=now, role=role.value)
    person.organisation_role = role


def _locked(people: QuerySet[DirectoryPerson]) -> DirectoryPerson | None:
    """Return the one there is, for this transaction alone, or None."""
    return people.select_for_update(of=("self",)).select_related("user").first()


def _record(
    action: str, person: DirectoryPerson, *, at: datetime, team: Team | None = None, **data: object
) -> None:
    audit.record(
        action, subject=f"user:{person.user.username}"[:80], actor=None, at=at, team=team, **data
    )


def reseal_secrets() -> tuple[int, int]:
    """Seal second factors and refresh tokens under today's key; return how many, and how many not.

    A row that changes meanwhile is left: what was written a moment ago is sealed under that key.
    """
    done = broken = 0
    for person in DirectoryPerson.objects.exclude(sealed_refresh_token="").iterator():
        try:
            resealed = sealing.reseal(person.sealed_refresh_token)
        except sealing.SealBroken:
            broken += 1
            continue
        done += DirectoryPerson.objects.filter(
            pk=person.pk, sealed_refresh_token=person.sealed_refresh_token
        ).update(sealed_refresh_token=resealed)
    for factor in Authenticator.objects.all().iterator():
        name = next((each for each in ("secret", "seed") if each in factor.data), "")
        if not name:
            continue  # a key of one's own has no secret here
        try:
            resealed = sealing.reseal(factor.data[name])
        except sealing.SealBroken:
            broken += 1
            continue
        done += Authenticator.objects.filter(pk=factor.pk, data=factor.data).update(
            data=factor.data | {name: resealed}
        )
    return done, broken
