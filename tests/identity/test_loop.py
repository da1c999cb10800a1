"""Logging in to one product with an account of another, over real HTTP."""

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.accounts.services import standing
from gpuaas.audit.models import AuditEvent
from gpuaas.identity.models import DirectoryGroup, DirectoryPerson
from tests import make
from tests.identity.conftest import Provider, come_in, group, newcomer, roles_of

pytestmark = pytest.mark.django_db


def test_who_is_in_a_group_gets_an_account_and_the_role(
    client: Client, directory: Provider
) -> None:
    group("vision:manager", gives="manager")
    name = newcomer(directory, ("vision", "manager"))

    assert come_in(client, directory, name) == 302

    assert roles_of(name) == {"lab": "manager"}
    user = User.objects.get(username=name)
    assert user.is_staff
    assert not user.has_usable_password()
    assert client.get("/").status_code == 200
    assert {"directory.joined", "directory.role_given"} <= set(
        AuditEvent.objects.filter(subject=f"user:{name}").values_list("action", flat=True)
    )


def test_the_refresh_token_lies_sealed(client: Client, directory: Provider) -> None:
    group("vision")
    come_in(client, directory, newcomer(directory, ("vision", "member")))

    sealed = DirectoryPerson.objects.get().sealed_refresh_token

    assert sealed.startswith("gAAAA")


def test_who_is_in_no_group_gets_no_account(client: Client, directory: Provider) -> None:
    group("vision")
    name = newcomer(directory, ("language", "member"))

    assert come_in(client, directory, name) == 403

    assert not User.objects.filter(username=name).exists()
    assert client.get("/").status_code == 302


def test_an_allowed_group_lets_in_without_a_role(
    client: Client, directory: Provider, settings: Settings
) -> None:
    settings.OIDC_ALLOWED_GROUPS = ["language"]
    name = newcomer(directory, ("language", "member"))

    assert come_in(client, directory, name) == 302
    assert roles_of(name) == {}


def test_each_login_follows_the_groups_and_leaves_alone_what_people_gave(
    client: Client, directory: Provider
) -> None:
    lab, studio, garage = (make.team(slug=slug) for slug in ("lab", "studio", "garage"))
    group("vision:member", team=lab)
    group("vision:manager", team=lab, gives="manager")
    group("language", team=studio)
    group("vision", team=garage, gives="viewer")
    name = newcomer(directory, ("vision", "member"), ("language", "viewer"))
    come_in(client, directory, name)
    assert roles_of(name) == {"lab": "member", "studio": "member", "garage": "viewer"}
    make.membership(of=garage, whose=User.objects.get(username=name))
    directory.tell("team", name, "vision", "manager")
    directory.tell("leave", name, "language")

    come_in(Client(), directory, name)

    assert roles_of(name) == {"lab": "manager", "garage": "member"}


def test_a_group_can_give_a_role_in_the_organisation(client: Client, directory: Provider) -> None:
    DirectoryGroup.objects.create(
        provider="sso", group="vision", organisation_role=OrganisationRole.PLATFORM_ADMIN
    )
    group("language")
    name = newcomer(directory, ("vision", "member"), ("language", "member"))
    come_in(client, directory, name)
    assert User.objects.get(username=name).is_superuser
    directory.tell("leave", name, "vision")

    come_in(Client(), directory, name)

    user = User.objects.get(username=name)
    assert (user.organisation_role, user.is_superuser, user.is_staff) == ("", False, False)


@pytest.mark.parametrize(
    ("verified", "linking", "status"),
    [("no", False, 403), ("yes", False, 403), ("no", True, 403), ("yes", True, 302)],
)
def test_an_address_takes_no_local_account_over(
    client: Client,
    directory: Provider,
    settings: Settings,
    *,
    verified: str,
    linking: bool,
    status: int,
) -> None:
    settings.OIDC_LINK_VERIFIED_EMAIL = linking
    local = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    directory.tell("email", name, local.email.upper(), verified)

    assert come_in(client, directory, name) == status

    is_in = client.get("/").status_code == 200
    assert is_in == (status == 302)
    local.refresh_from_db()
    assert local.check_password(make.PASSWORD)
    assert local.is_platform_admin
    assert DirectoryPerson.objects.filter(user=local, is_local=True).exists() == is_in


def test_who_left_every_group_is_cut_off_when_they_try(client: Client, directory: Provider) -> None:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)
    directory.tell("leave", name, "vision")

    assert come_in(Client(), directory, name) == 403

    assert roles_of(name) == {}
    assert client.get("/").status_code == 302, "the session from before must have ended"


def test_who_comes_back_to_a_group_is_let_in_again(client: Client, directory: Provider) -> None:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)
    directory.tell("leave", name, "vision")
    come_in(client, directory, name)
    directory.tell("team", name, "vision", "member")

    assert come_in(client, directory, name) == 302

    assert roles_of(name) == {"lab": "member"}
    assert client.get("/").status_code == 200


def test_the_directory_opens_no_account_that_an_administrator_shut(
    client: Client, directory: Provider
) -> None:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)
    standing.set_active(user=User.objects.get(username=name), is_active=False)

    assert come_in(client, directory, name) == 403

    assert not User.objects.get(username=name).is_active


def test_who_comes_from_the_directory_gets_no_password_here(
    client: Client, directory: Provider, mailoutbox: list[object]
) -> None:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)

    body = {"password1": make.PASSWORD, "password2": make.PASSWORD}
    client.post("/accounts/password/set/", body)
    Client().post("/accounts/password/reset/", {"email": User.objects.get(username=name).email})

    assert not User.objects.get(username=name).has_usable_password()
    assert all("/password/reset/key/" not in str(getattr(mail, "body", "")) for mail in mailoutbox)


def test_now_is_after_the_answer(client: Client, directory: Provider) -> None:
    group("vision")
    come_in(client, directory, newcomer(directory, ("vision", "member")))

    person = DirectoryPerson.objects.get()

    assert person.confirmed_at == person.asked_at <= timezone.now()
    assert person.groups == ["vision", "vision:member"]
