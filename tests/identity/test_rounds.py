"""Leavers lose access without logging in; silence changes nothing, until it has lasted too long."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from gpuaas.accounts.models import User
from gpuaas.audit.models import AuditEvent
from gpuaas.core import locks
from gpuaas.identity import provider as providers
from gpuaas.identity import rounds, tasks
from gpuaas.identity.models import DirectoryPerson
from tests import make
from tests.identity.conftest import Provider, come_in, group, newcomer, roles_of

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def member(client: Client, directory: Provider) -> str:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)
    assert roles_of(name) == {"lab": "member"}
    return name


def follow(*, after: timedelta = HOUR) -> rounds.Report:
    return rounds.follow(provider=providers.configured(), now=timezone.now() + after)


def is_in(browser: Client) -> bool:
    return browser.get("/").status_code == 200


def test_who_is_still_there_stays(client: Client, member: str) -> None:
    assert follow() == rounds.Report(confirmed=1)

    assert is_in(client)
    assert roles_of(member) == {"lab": "member"}


def test_it_works_again_and_again_though_tokens_change(member: str) -> None:
    before = DirectoryPerson.objects.get().sealed_refresh_token

    assert [follow(after=HOUR * n).confirmed for n in (1, 2, 3)] == [1, 1, 1]

    assert DirectoryPerson.objects.get().sealed_refresh_token != before


def test_nobody_is_asked_about_twice_in_an_interval(member: str) -> None:
    follow()

    assert follow(after=HOUR + timedelta(seconds=60)) == rounds.Report()


def test_a_group_that_changed_changes_the_role(directory: Provider, member: str) -> None:
    group("vision:manager", team=make.team(slug="lab"), gives="manager")
    directory.tell("team", member, "vision", "manager")

    follow()

    assert roles_of(member, at=timezone.now() + HOUR * 2) == {"lab": "manager"}


@pytest.mark.parametrize("how", ["leave {} vision", "deactivate {}"])
def test_who_is_gone_over_there_is_out_here(
    client: Client, directory: Provider, member: str, how: str
) -> None:
    other = make.team(slug="by-hand")
    make.membership(of=other, whose=User.objects.get(username=member))
    directory.tell(*how.format(member).split())

    assert follow() == rounds.Report(ended=1)

    assert not is_in(client)
    user = User.objects.get(username=member)
    assert not user.is_active
    assert not UserSession.objects.filter(user=user).exists()
    assert roles_of(member, at=timezone.now() + HOUR) == {"by-hand": "member"}, "left alone"
    event = AuditEvent.objects.get(subject=f"user:{member}", action="directory.ended")
    assert event.actor is None
    assert event.data["reason"]
    assert follow(after=HOUR * 2) == rounds.Report(), "once is enough"


@pytest.mark.parametrize("status", ["503", "500", "404", "401", "403"])
def test_an_outage_changes_nothing(
    client: Client, directory: Provider, member: str, status: str
) -> None:
    directory.tell("fail", status)

    assert follow() == rounds.Report(silent=1)

    assert is_in(client)
    assert roles_of(member) == {"lab": "member"}
    assert DirectoryPerson.objects.get().last_error


def test_a_provider_that_is_not_there_changes_nothing(
    client: Client, settings: Settings, member: str
) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1"

    assert follow() == rounds.Report(silent=1)

    assert is_in(client)
    assert DirectoryPerson.objects.get().last_error == "ConnectionError"


@pytest.mark.parametrize(("hours", "stays"), [(23.9, True), (24.1, False)])
def test_an_outage_that_lasts_too_long_fails_closed(
    client: Client, directory: Provider, member: str, *, hours: float, stays: bool
) -> None:
    directory.tell("fail", "503")

    follow(after=timedelta(hours=hours))

    assert is_in(client) == stays


def test_after_an_outage_everything_is_as_before(
    client: Client, directory: Provider, member: str
) -> None:
    directory.tell("fail", "503")
    follow()
    directory.tell("fail", "no")

    assert follow(after=HOUR * 2) == rounds.Report(confirmed=1)

    assert DirectoryPerson.objects.get().last_error == ""
    assert is_in(client)


def test_a_wrong_secret_of_ours_is_no_word_about_anybody(
    client: Client, settings: Settings, member: str
) -> None:
    settings.OIDC_CLIENT_SECRET = "not the secret"  # noqa: S105 -- that is the point

    assert follow() == rounds.Report(silent=1)
    assert is_in(client)


def test_a_token_that_cannot_be_read_any_more_is_silence(
    client: Client, settings: Settings, member: str
) -> None:
    DirectoryPerson.objects.update(sealed_refresh_token="gAAAA-not-ours")  # noqa: S106

    assert follow() == rounds.Report(silent=1)
    assert is_in(client)


def test_without_the_provider_its_people_have_the_grace_and_no_more(
    client: Client, settings: Settings, member: str
) -> None:
    settings.OIDC_ISSUER = ""

    assert follow() == rounds.Report(silent=1)
    assert is_in(client)
    assert follow(after=HOUR * 25) == rounds.Report(ended=1)
    assert not is_in(client)


def test_a_silent_provider_is_not_asked_about_everybody(
    client: Client, directory: Provider
) -> None:
    group("vision")
    for _ in range(4):
        come_in(Client(), directory, newcomer(directory, ("vision", "member")))
    directory.tell("fail", "503")

    assert follow() == rounds.Report(silent=4)

    errors = sorted(DirectoryPerson.objects.values_list("last_error", flat=True))
    assert errors == ["discovery document: HTTP 503, no usable answer"] * 3 + [
        "the directory does not answer"
    ]


def test_local_accounts_are_never_cut_off(
    client: Client, directory: Provider, settings: Settings
) -> None:
    settings.OIDC_LINK_VERIFIED_EMAIL = True
    purely, linked = make.user(), make.user(teams=[make.team(slug="mine")])
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    directory.tell("email", name, linked.email, "yes")
    come_in(client, directory, name)
    assert roles_of(linked.username) == {"mine": "member", "lab": "member"}
    directory.tell("deactivate", name)

    assert follow() == rounds.Report(ended=1)

    linked.refresh_from_db()
    purely.refresh_from_db()
    assert linked.is_active
    assert purely.is_active
    assert roles_of(linked.username, at=timezone.now() + HOUR) == {"mine": "member"}
    assert not is_in(client), "the session the directory had opened"


def test_one_round_at_a_time(member: str) -> None:
    with locks.held_alone(locks.LockSpace.DIRECTORY_ROUND, 0) as ours:
        assert ours
        assert follow() == rounds.Report()


def test_the_task_asks_the_configured_provider(directory: Provider, member: str) -> None:
    DirectoryPerson.objects.update(
        confirmed_at=timezone.now() - HOUR, asked_at=timezone.now() - HOUR
    )
    directory.tell("deactivate", member)

    tasks.follow_directory()

    assert not User.objects.get(username=member).is_active
