"""Reading what people are told."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, Team, User
from gpuaas.notifications.events import EVENTS, Audience, Channel, Recipients
from gpuaas.notifications.models import (
    Announcement,
    Delivery,
    DeliveryState,
    Dismissal,
    Notice,
    OutboxMessage,
    Preference,
    Webhook,
)

_FOR_ADMINISTRATORS = [
    event.name for event in EVENTS.values() if Audience.PLATFORM_ADMINS in event.audience
]


def notices_visible_to(person: User, *, now: datetime) -> QuerySet[Notice]:
    """Return what ``person`` was told and may still know, the latest first.

    Whoever left a team does not see any more what they were told about it.
    """
    teams = accounts.teams_visible_to(person, now=now)
    found = Notice.objects.filter(person=person).filter(
        Q(message__team=None) | Q(message__team__in=teams)
    )
    if not person.is_active:
        return found.none()
    if not person.is_platform_admin:
        found = found.exclude(message__event__in=_FOR_ADMINISTRATORS)
    return found.select_related("message__team")


def unread_by(person: User, *, now: datetime) -> QuerySet[Notice]:
    """Return those of them that were not read yet."""
    return notices_visible_to(person, now=now).filter(read_at=None)


def announcements_for(person: User, *, now: datetime) -> QuerySet[Announcement]:
    """Return what is announced at ``now`` and ``person`` has not dismissed, the latest first."""
    if not person.is_active:
        return Announcement.objects.none()
    standing = Announcement.objects.filter(starts_at__lte=now, ends_at__gt=now)
    return standing.exclude(
        Exists(Dismissal.objects.filter(announcement=OuterRef("pk"), person=person))
    )


def told(keys: Iterable[str]) -> set[str]:
    """Return those of ``keys`` that are in the outbox already."""
    return set(OutboxMessage.objects.filter(key__in=list(keys)).values_list("key", flat=True))


def people_told(wanted: Recipients, *, event: str, team: Team | None, now: datetime) -> list[User]:
    """Return the people that ``wanted`` stands for and that may know of ``team``."""
    who = Q(pk__in=wanted.people)
    if wanted.managers and team is not None:
        managers = Membership.objects.filter(team=team, role=MembershipRole.MANAGER).current(now)
        who |= Q(pk__in=managers.values("user"))
    if wanted.platform_admins:
        who |= Q(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    found = User.objects.filter(who, is_active=True).exclude(pk__in=wanted.all_but)
    return [
        each for each in found.order_by("pk") if may_know(each, event=event, team=team, now=now)
    ]


def may_know(person: User, *, event: str, team: Team | None, now: datetime) -> bool:
    """Return whether ``person`` may know of ``event`` and of what concerns ``team``, now."""
    if not person.is_active:
        return False
    if event in _FOR_ADMINISTRATORS and not person.is_platform_admin:
        return False
    return team is None or accounts.teams_visible_to(person, now=now).filter(pk=team.pk).exists()


def channels_of(people: Collection[User], *, event: str) -> dict[int, set[Channel]]:
    """Return over which channels each of ``people`` wants to hear of ``event``."""
    usual = EVENTS[event].channels
    wanted = {person.pk: set(usual) for person in people}
    for person, channel, is_on in Preference.objects.filter(
        person__in=people, event=event
    ).values_list("person_id", "channel", "is_on"):
        (wanted[person].add if is_on else wanted[person].discard)(Channel(channel))
    return wanted


def preferences_of(person: User) -> dict[tuple[str, Channel], bool]:
    """Return for every event that may concern ``person`` and every channel whether it is on."""
    chosen = {
        (event, Channel(channel)): is_on
        for event, channel, is_on in Preference.objects.filter(person=person).values_list(
            "event", "channel", "is_on"
        )
    }
    return {
        (event.name, channel): chosen.get((event.name, channel), channel in event.channels)
        for event in EVENTS.values()
        if person.is_platform_admin or event.name not in _FOR_ADMINISTRATORS
        for channel in Channel
    }


def webhook_of(*, person: User | None = None, team: Team | None = None) -> Webhook | None:
    """Return the webhook of a person or of a team, None where there is none."""
    return Webhook.objects.filter(person=person, team=team).first()


def webhooks_of(teams: Iterable[Team]) -> dict[int, Webhook]:
    """Return the webhooks of ``teams`` by the number of the team."""
    found = Webhook.objects.filter(team__in=list(teams)).exclude(team=None)
    return {each.team_id: each for each in found if each.team_id is not None}


def has_webhook(people: Collection[User]) -> set[int]:
    """Return who of ``people`` has a webhook."""
    return set(
        Webhook.objects.filter(person__in=people)
        .exclude(person=None)
        .values_list("person_id", flat=True)
    )


def memberships_to_tell(
    *, granted_after: datetime, ending_before: datetime, now: datetime
) -> QuerySet[Membership]:
    """Return the memberships granted lately, and those that end soon."""
    granted = Q(granted_at__gt=granted_after, granted_at__lte=now)
    ending = Q(expires_at__gt=now, expires_at__lte=ending_before)
    return Membership.objects.filter(granted | ending).current(now).select_related("team", "user")


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages are late, and how many deliveries were given up."""

    waiting: int
    dead: int


def backlog(*, before: datetime) -> Backlog:
    """Return what was to be told before an instant and is not, and what never will be."""
    untold = OutboxMessage.objects.filter(fanned_out_at=None, created_at__lt=before).count()
    unsent = Delivery.objects.filter(state=DeliveryState.WAITING, next_try_at__lt=before).count()
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).count()
    return Backlog(waiting=untold + unsent, dead=dead)
