"""Where sending ends: on a webhook, when time is up, and where nothing is to be sent any more."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.notifications import posts, selectors, services
from gpuaas.notifications.events import Channel
from gpuaas.notifications.models import Delivery, DeliveryState, OutboxMessage
from gpuaas.notifications.services import fanout, webhooks
from tests import make
from tests.notifications import receivers
from tests.notifications.tellers import announce, deliver

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team], role=MembershipRole.MANAGER)


@pytest.fixture
def on_loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOW_PRIVATE = True


def of_webhook() -> Delivery:
    return Delivery.objects.get(channel=Channel.WEBHOOK.value)


@pytest.mark.parametrize("is_teams", [True, False])
def test_a_webhook_is_told_as_a_person_is(
    on_loopback: None, team: Team, person: User, *, is_teams: bool
) -> None:
    with receivers.web_server(receivers.status(204)) as (url, asked):
        of = team if is_teams else None
        services.set_webhook(actor=person, team=of, url=url, now=make.NOON)
        announce(team=team, to=person)
        services.fan_out(now=make.NOON)

        deliver()

    assert of_webhook().state == DeliveryState.DONE
    [(_, _, body)] = asked
    assert b"The node lost power" in body


def test_a_teams_webhook_that_fails_waits_for_the_next_time(
    on_loopback: None, team: Team, person: User
) -> None:
    with receivers.web_server(receivers.status(503)) as (url, asked):
        services.set_webhook(actor=person, team=team, url=url, now=make.NOON)
        for key in ("one", "two"):
            announce(team=team, to=person, key=key)
        services.fan_out(now=make.NOON)

        deliver()

    assert len(asked) == 1
    states = Delivery.objects.filter(channel=Channel.WEBHOOK.value).values_list("state", flat=True)
    assert set(states) == {DeliveryState.WAITING}


@pytest.mark.parametrize("looks", [1, 2])
def test_nothing_is_sent_to_a_webhook_that_is_gone(
    on_loopback: None, monkeypatch: pytest.MonkeyPatch, team: Team, person: User, looks: int
) -> None:
    services.set_webhook(actor=person, team=None, url="http://127.0.0.1:1/", now=make.NOON)
    announce(team=team, to=person)
    services.fan_out(now=make.NOON)
    read, left = selectors.webhook_of, iter([True] * (looks - 1))

    def gone_at_the_last_look(**who: Any) -> Any:
        return read(**who) if next(left, False) else None

    monkeypatch.setattr(selectors, "webhook_of", gone_at_the_last_look)
    monkeypatch.setattr(posts, "send", lambda **_: pytest.fail("it was sent"))

    deliver()

    told = of_webhook()
    assert told.last_error == "the webhook was removed"


def test_when_time_is_up_the_rest_waits(team: Team, person: User) -> None:
    announce(team=team, to=person)
    services.fan_out(now=make.NOON)
    ticks: list[datetime] = [make.NOON + timedelta(seconds=60)] * 2

    assert services.deliver(clock=ticks.pop, until=make.NOON) == 0
    assert Delivery.objects.get(channel=Channel.EMAIL.value).state == DeliveryState.WAITING


def test_a_database_that_fails_is_no_fault_of_the_message(
    monkeypatch: pytest.MonkeyPatch, team: Team, person: User
) -> None:
    def fail(*_: object) -> None:
        raise DatabaseError("gone")

    announce(team=team, to=person)
    monkeypatch.setattr(fanout, "_tell_all", fail)

    with pytest.raises(DatabaseError, match="gone"):
        services.fan_out(now=make.NOON)
    assert OutboxMessage.objects.get().fanned_out_at is None


def test_an_address_has_a_length(person: User) -> None:
    url = "https://example.com/" + "a" * webhooks.LONGEST_URL

    with pytest.raises(services.WebhookRefused, match="at most"):
        services.set_webhook(actor=person, team=None, url=url, now=make.NOON)
