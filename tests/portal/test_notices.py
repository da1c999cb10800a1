"""The bell, the list, the preferences."""

import pytest
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.notifications import selectors, services, wording
from gpuaas.notifications.events import EVENTS, Channel
from gpuaas.notifications.models import Notice, OutboxMessage, Webhook
from tests import make
from tests.notifications.tellers import announce

PAGES = ["notices", "bell", "preferences"]


def page(name: str, *args: object) -> str:
    return reverse(f"portal:{name}", args=args)


def tell(team: Team, person: User, *, key: str = "one", purpose: str = "") -> Notice:
    now = timezone.now()
    announce(team=team, to=person, key=key, at=now, purpose=purpose)
    services.fan_out(now=now)
    return Notice.objects.get(message__key=key)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_people(client: Client, browser: Client, db: None, name: str) -> None:
    assert browser.get(page(name)).status_code == 200
    assert Client().get(page(name)).status_code == 302


def test_the_bell_counts_and_is_quiet_when_nothing_changed(
    browser: Client, team: Team, member: User
) -> None:
    tell(team, member)

    assert 'data-testid="unread">1<' in browser.get(page("bell")).content.decode()
    assert browser.get(page("bell"), {"seen": "1"}).status_code == 204


def test_the_bell_does_not_count_for_ever(browser: Client, team: Team, member: User) -> None:
    for number in range(101):
        announce(team=team, to=member, key=str(number))
    while services.fan_out(now=timezone.now()):
        pass

    assert ">99+<" in browser.get(page("bell")).content.decode()


def test_the_list_shows_what_was_typed_as_text(browser: Client, team: Team, member: User) -> None:
    Team.objects.filter(pk=team.pk).update(name="<i>Vision</i>")
    tell(team, member, purpose="<script>alert(1)</script>")

    shown = browser.get(page("notices")).content.decode()

    assert "<script>alert(1)" not in shown
    assert "<i>Vision" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_looking_changes_nothing_and_opening_marks_it_read(
    browser: Client, team: Team, member: User
) -> None:
    notice = tell(team, member)
    browser.get(page("notices"))
    assert browser.get(page("read", notice.pk)).status_code == 405
    assert selectors.unread_by(member, now=timezone.now()).count() == 1

    answer = browser.post(page("read", notice.pk))

    assert answer["Location"] == wording.path_of(notice.message.subject)
    assert selectors.unread_by(member, now=timezone.now()).count() == 0


def test_all_are_marked_at_once(browser: Client, team: Team, member: User) -> None:
    for key in ("one", "two"):
        tell(team, member, key=key)

    browser.post(page("read_all"))

    assert "Nothing yet" not in browser.get(page("notices")).content.decode()
    assert "All read" in browser.get(page("notices"), {"which": "unread"}).content.decode()


def test_another_persons_notice_is_not_there(browser: Client, team: Team) -> None:
    notice = tell(team, make.user(teams=[team]))

    assert browser.post(page("read", notice.pk)).status_code == 404


def test_the_list_costs_the_same_however_long(
    browser: Client,
    team: Team,
    member: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(45):
        announce(team=team, to=member, key=str(number))
    services.fan_out(now=timezone.now())

    with django_assert_max_num_queries(9):
        shown = browser.get(page("notices"), {"page": "2"}).content.decode()

    assert shown.count('data-testid="notice"') == 20
    assert "21 to 40 of 45" in shown


@pytest.mark.parametrize("event", EVENTS)
def test_a_message_leads_to_a_page_that_there_is(event: str) -> None:
    subject = "reservation:8dcd9018-01cf-4716-a2cd-f1e36670ebca"

    assert (
        resolve(wording.text_of(event=event, subject=subject, team="", data={}).path).app_name
        == "portal"
    )
    assert wording.path_of(subject) == page("reservation", subject.partition(":")[2])


# --- preferences -------------------------------------------------------------------------------


def test_what_is_not_ticked_is_not_heard_of(browser: Client, member: User) -> None:
    browser.post(page("preferences"), {"on": ["reservation.failed/portal", "nonsense"]})

    chosen = selectors.preferences_of(member)
    assert {key for key, is_on in chosen.items() if is_on} == {
        ("reservation.failed", Channel.PORTAL)
    }


def test_who_is_no_administrator_is_not_asked_about_hardware(browser: Client) -> None:
    assert "device.failed" not in browser.get(page("preferences")).content.decode()


def test_a_webhook_is_set_shown_without_its_address_and_removed(
    browser: Client, member: User
) -> None:
    browser.post(page("webhook"), {"url": "https://hooks.example.com/T0/secret-path"})

    shown = browser.get(page("preferences")).content.decode()
    assert "hooks.example.com" in shown
    assert "secret-path" not in shown
    browser.post(page("webhook"), {"remove": "1"})
    assert not Webhook.objects.exists()


def test_a_refused_address_is_said_beside_its_field(browser: Client, db: None) -> None:
    answer = browser.post(page("webhook"), {"url": "http://hooks.example.com/"})

    assert answer.status_code == 422
    assert "has to start with https://" in answer.content.decode()


@pytest.mark.parametrize(
    ("role", "status"), [(MembershipRole.MANAGER, 302), (MembershipRole.MEMBER, 404)]
)
def test_a_teams_webhook_is_its_managers(
    client: Client, team: Team, role: MembershipRole, status: int
) -> None:
    client.force_login(make.user(teams=[team], role=role))

    answer = client.post(page("team_webhook", team.slug), {"url": "https://hooks.example.com/"})

    assert answer.status_code == status
    assert Webhook.objects.filter(team=team).exists() == (status == 302)


# --- the admin site ----------------------------------------------------------------------------


def test_a_platform_administrator_sees_what_was_given_up_and_tries_again(
    client: Client, team: Team, member: User
) -> None:
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    notice = tell(team, member)
    delivery = notice.message.deliveries.get()
    type(delivery).objects.update(state="dead", last_error="no such mailbox")

    shown = client.get("/admin/notifications/delivery/?state=dead").content.decode()
    client.post(
        "/admin/notifications/delivery/",
        {"action": "try_again", "_selected_action": [delivery.pk]},
    )

    assert "no such mailbox" in shown
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    assert OutboxMessage.objects.count() == 1


@pytest.mark.parametrize("model", ["delivery", "outboxmessage"])
def test_a_manager_does_not_see_deliveries(client: Client, team: Team, model: str) -> None:
    client.force_login(make.user(teams=[team], role=MembershipRole.MANAGER))

    assert client.get(f"/admin/notifications/{model}/").status_code == 403
