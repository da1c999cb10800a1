"""What everybody is told: by whom it is written, to whom and when it is shown, who has enough."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from gpuaas.notifications import selectors, services
from gpuaas.notifications.models import Announcement, Dismissal, Level
from tests import make

pytestmark = pytest.mark.django_db
HOME, SHOWN = reverse("portal:home"), reverse("portal:announcements")


@pytest.fixture
def ada() -> User:
    return make.user(teams=[make.team()])


@pytest.fixture
def browser(client: Client, ada: User) -> Client:
    client.force_login(ada)
    return client


def dismissal_of(announcement: Announcement) -> str:
    return reverse("portal:dismiss", args=[announcement.pk])


def test_it_is_shown_on_the_start_page_and_to_the_others_by_itself(browser: Client) -> None:
    make.announcement(title="The network is slow", level=Level.WARNING)

    assert "The network is slow" in browser.get(HOME).content.decode()
    part = browser.get(SHOWN, headers={"HX-Request": "true"}).content.decode()
    assert "alert-warning" in part
    assert "<html" not in part
    assert "<html" in browser.get(SHOWN).content.decode()


@pytest.mark.parametrize("hours", [-0.5, 24])
def test_it_is_shown_until_its_end(ada: User, hours: float) -> None:
    make.announcement(hours=hours)

    assert selectors.announcements_for(ada, now=timezone.now()).exists() == (hours > 0)


def test_it_is_not_shown_before_its_start_nor_to_the_switched_off(ada: User) -> None:
    made = make.announcement()

    assert not selectors.announcements_for(ada, now=made.starts_at - timedelta(seconds=1))
    ada.is_active = False
    assert not selectors.announcements_for(ada, now=made.starts_at)


def test_who_has_seen_enough_sees_it_no_more_and_others_do(browser: Client, ada: User) -> None:
    made, other = make.announcement(), make.announcement(title="Another")

    answer = browser.post(dismissal_of(made), headers={"HX-Request": "true"}).content.decode()

    assert "Another" in answer
    assert made.title not in answer
    assert browser.post(dismissal_of(made)).status_code == HTTPStatus.NOT_FOUND
    assert browser.post(dismissal_of(other)).url == HOME  # type: ignore[attr-defined]
    assert not selectors.announcements_for(ada, now=timezone.now())
    assert selectors.announcements_for(make.user(), now=timezone.now()).count() == 2


def test_dismissing_twice_is_dismissing_once(ada: User) -> None:
    made = make.announcement()

    for _ in range(2):
        services.dismiss(announcement=made, person=ada, now=timezone.now())

    assert Dismissal.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "is_seen"), [({"title": "News"}, True), ({"level": "danger"}, False)]
)
def test_what_says_something_else_is_shown_again(
    ada: User, change: dict[str, str], is_seen: bool
) -> None:
    made, now = make.announcement(), timezone.now()
    services.dismiss(announcement=made, person=ada, now=now)
    for name, value in change.items():
        setattr(made, name, value)

    services.keep_announcement(announcement=made, actor=made.written_by, now=now)

    assert selectors.announcements_for(ada, now=now).exists() == is_seen
    assert AuditEvent.objects.get().action == "announcement.changed"


@pytest.mark.parametrize(
    ("of", "code"),
    [
        ({"title": " "}, "announcement_refused"),
        ({"ends_at": make.NOON}, "announcement_refused"),
        ({}, "announcement_not_yours"),
    ],
)
def test_what_cannot_stand_is_refused(of: dict[str, object], code: str) -> None:
    manager = make.user(teams=[make.team()], role=MembershipRole.MANAGER)
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    values = {"title": "News", "starts_at": make.NOON, "ends_at": make.at(1)} | of
    wanted = Announcement(level=Level.INFO, **values)

    with pytest.raises((services.AnnouncementRefused, services.AnnouncementNotYours)) as refused:
        services.keep_announcement(
            announcement=wanted, actor=admin if of else manager, now=make.NOON
        )

    assert refused.value.code == code
    assert not Announcement.objects.exists()
    assert not AuditEvent.objects.exists()


def test_administrators_write_it_in_the_admin_site(client: Client) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    client.force_login(admin)

    answer = client.post(
        reverse("admin:notifications_announcement_add"),
        {
            "title": "News",
            "text": "",
            "level": "info",
            "starts_at_0": "2026-03-01",
            "starts_at_1": "12:00",
            "ends_at_0": "2026-03-02",
            "ends_at_1": "12:00",
        },
    )

    assert answer.status_code == HTTPStatus.FOUND
    made = Announcement.objects.get()
    assert (made.title, made.written_by) == ("News", admin)
    assert (
        AuditEvent.objects.get(action="announcement.written").subject == f"announcement:{made.pk}"
    )


def test_it_takes_four_queries(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make.announcement()

    with django_assert_max_num_queries(4):
        shown = browser.get(SHOWN, headers={"HX-Request": "true"}).content.decode()

    assert shown.count('data-testid="announcement"') == 3
