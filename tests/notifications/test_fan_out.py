"""From a message to the people: each of them once, and nobody who may not know."""

import pytest

from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.notifications import selectors, services
from gpuaas.notifications.events import Channel
from gpuaas.notifications.models import Delivery, Notice, OutboxMessage
from tests import make
from tests.notifications.tellers import EVENT, announce

pytestmark = pytest.mark.django_db


def people_told() -> set[User]:
    return {notice.person for notice in Notice.objects.select_related("person")}


def channels() -> set[tuple[str, str]]:
    return {
        (str(each.person or each.team), each.channel)
        for each in Delivery.objects.select_related("person", "team")
    }


def test_whoever_booked_and_the_managers_are_told() -> None:
    team = make.team()
    person = make.user(teams=[team])
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)
    make.user(teams=[team])

    announce(team=team, to=person)
    services.fan_out(now=make.NOON)

    assert people_told() == {person, manager}
    assert channels() == {(str(person), "email"), (str(manager), "email")}


def test_fanning_out_again_tells_nobody_again() -> None:
    team = make.team()
    announce(team=team, to=make.user(teams=[team]))

    assert services.fan_out(now=make.NOON) == 1
    assert services.fan_out(now=make.NOON) == 0
    OutboxMessage.objects.update(fanned_out_at=None)  # as if the mark had been lost
    assert services.fan_out(now=make.NOON) == 1

    assert (Notice.objects.count(), Delivery.objects.count()) == (1, 1)


def test_nobody_is_told_of_what_they_did_themselves() -> None:
    team = make.team()
    person = make.user(teams=[team], role=MembershipRole.MANAGER)
    announce(team=team, to=person, actor=person.pk)

    services.fan_out(now=make.NOON)

    assert people_told() == set()


@pytest.mark.parametrize("leaves", ["expired", "inactive", "never there"])
def test_who_may_not_see_the_team_is_not_told(leaves: str) -> None:
    team = make.team()
    person = make.user(is_active=leaves != "inactive")
    if leaves == "expired":
        make.membership(of=team, whose=person, expires_at=make.NOON)
    if leaves == "inactive":
        make.membership(of=team, whose=person)

    announce(team=team, to=person)
    services.fan_out(now=make.NOON)

    assert people_told() == set()
    assert channels() == set()


def test_platform_administrators_and_nobody_else_hear_of_devices() -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    make.user(organisation_role=OrganisationRole.FINANCE)
    announce(team=None, event="device.failed", device="node-1: GPU #0")

    services.fan_out(now=make.NOON)

    assert people_told() == {admin}
    User.objects.filter(pk=admin.pk).update(
        organisation_role=OrganisationRole.NONE, is_superuser=False
    )
    admin.refresh_from_db()
    assert not selectors.notices_visible_to(admin, now=make.NOON).exists()
    assert not selectors.may_know(admin, event="device.failed", team=None, now=make.NOON)


@pytest.mark.parametrize("channel", Channel)
def test_what_somebody_does_not_want_is_not_sent(channel: Channel) -> None:
    team = make.team()
    person = make.user(teams=[team])
    services.set_webhook(actor=person, team=None, url="https://hooks.example.com/x", now=make.NOON)
    services.prefer(person=person, event=EVENT, channel=channel, is_on=False)

    announce(team=team, to=person)
    services.fan_out(now=make.NOON)

    reached = {each for _, each in channels()} | ({"portal"} if people_told() else set())
    assert reached == {each.value for each in Channel} - {channel.value}


def test_who_has_no_address_gets_no_mail() -> None:
    team = make.team()
    person = make.user(teams=[team])
    User.objects.filter(pk=person.pk).update(email="")

    announce(team=team, to=person)
    services.fan_out(now=make.NOON)

    assert people_told() == {person}
    assert channels() == set()


def test_a_teams_webhook_is_told_once_whoever_else_is() -> None:
    team = make.team()
    manager = make.user(teams=[team], role=MembershipRole.MANAGER)
    services.set_webhook(actor=manager, team=team, url="https://hooks.example.com/x", now=make.NOON)

    announce(team=team, to=None)
    services.fan_out(now=make.NOON)

    assert (str(team), "webhook") in channels()


def test_one_message_that_cannot_be_told_does_not_stop_the_others() -> None:
    team = make.team()
    person = make.user(teams=[team])
    announce(team=team, key="bad", event="reservation.teleported")
    announce(team=team, key="worse", event="reservation.ending", ends_at="yesterday", to=person)
    announce(team=team, key="good", to=person)

    services.fan_out(now=make.NOON)

    assert Notice.objects.get().message.key == "good"
    problems = dict(OutboxMessage.objects.values_list("key", "problem"))
    assert problems["good"] == ""
    assert "KeyError" in problems["bad"]
    assert "ValueError" in problems["worse"]


def test_a_preference_for_something_unknown_is_refused() -> None:
    with pytest.raises(services.UnknownPreference):
        services.prefer(
            person=make.user(), event="device.failed", channel=Channel.EMAIL, is_on=True
        )


def test_of_ones_notices_those_of_a_team_one_left_are_gone() -> None:
    team = make.team()
    person = make.user()
    make.membership(of=team, whose=person, expires_at=make.at(1))
    announce(team=team, to=person)
    services.fan_out(now=make.NOON)

    assert selectors.unread_by(person, now=make.NOON).count() == 1
    assert selectors.unread_by(person, now=make.at(2)).count() == 0
    person.is_active = False
    assert selectors.unread_by(person, now=make.NOON).count() == 0


def test_what_was_read_is_read_once() -> None:
    team = make.team()
    person, other = make.user(teams=[team]), make.user(teams=[team])
    for key in ("one", "two", "three"):
        announce(team=team, to=person, key=key)
    services.fan_out(now=make.NOON)
    first = Notice.objects.earliest("pk")

    assert services.mark_read(person=other, notice=first, now=make.NOON) == 0
    assert services.mark_read(person=person, notice=first, now=make.NOON) == 1
    assert services.mark_read(person=person, notice=first, now=make.at(1)) == 0
    assert services.mark_read(person=person, notice=None, now=make.at(1)) == 2
    first.refresh_from_db()
    assert first.read_at == make.NOON
