"""What the login page offers, and how another product is let log its people in here."""

import re
from pathlib import Path

import pytest
from allauth.idp.oidc.models import Client as OidcClient
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from gpuaas.accounts.models import MembershipRole, OrganisationRole
from gpuaas.audit.models import AuditEvent
from gpuaas.identity.adapters import ProviderAdapter
from tests import make
from tests.identity.conftest import Provider, come_in, group, newcomer

pytestmark = pytest.mark.django_db


def test_without_a_directory_there_is_no_button_for_it(client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()

    assert "directory-login" not in page
    assert "passkey-login" in page


def test_the_button_leads_to_the_directory_and_remembers_the_page(
    client: Client, directory: Provider
) -> None:
    page = client.get("/accounts/login/?next=/reservations/").content.decode()
    assert "Log in with the lab&#x27;s directory" in page
    (address,) = re.findall(r'action="([^"]*oidc[^"]*)"', page)

    start = client.post(address.replace("&amp;", "&"), {"next": "/reservations/"})

    assert start["Location"].startswith(f"{directory.address}/identity/o/authorize?")
    assert "/reservations/" in str(client.session["socialaccount_states"])


def test_a_directory_that_is_away_is_said_politely(client: Client, directory: Provider) -> None:
    directory.tell("fail", "503")

    response = client.post("/accounts/oidc/sso/login/")

    assert response.status_code == 502
    assert b"did not log you in" in response.content


def test_nobody_links_accounts_by_hand(client: Client, directory: Provider) -> None:
    group("vision")
    name = newcomer(directory, ("vision", "member"))
    come_in(client, directory, name)
    start = client.post("/accounts/oidc/sso/login/?process=connect")
    back = directory.log_in(newcomer(directory, ("vision", "member")), start["Location"])

    response = client.get(back.removeprefix("http://testserver"))

    assert response.status_code == 403


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (["openid"], {"sub"}),
        (["openid", "email"], {"sub", "email", "email_verified"}),
        (["openid", "groups"], {"sub", "groups"}),
    ],
)
def test_as_a_provider_we_say_what_was_asked_for(scopes: list[str], names: set[str]) -> None:
    team = make.team(slug="vision")
    user = make.user(organisation_role=OrganisationRole.FINANCE)
    make.membership(of=team, whose=user, role=MembershipRole.MANAGER)

    claims = ProviderAdapter().get_claims("userinfo", user, OidcClient(id="b"), scopes)

    assert set(claims) == names
    assert claims.get("email_verified", False) is False
    if "groups" in scopes:
        assert claims["groups"] == ["organisation:finance", "vision", "vision:manager"]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("a secret of more than twenty characters\n")
    return file


def ensure(secret: Path, *uris: str) -> None:
    call_command("ensure_oidc_client", "portal-b", secret_file=secret, redirect_uri=list(uris))


def test_a_client_is_made_and_changed(settings: Settings, secret: Path) -> None:
    settings.IDP_OIDC_PRIVATE_KEY = "a key"

    ensure(secret, "https://b.example.com/one/")
    ensure(secret, "https://b.example.com/two/")

    client = OidcClient.objects.get()
    assert client.get_redirect_uris() == ["https://b.example.com/two/"]
    assert client.check_secret("a secret of more than twenty characters")
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["oidc_client.made", "oidc_client.changed"]


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("", "x" * 30, "is no provider"),
        ("a key", "short", "20 characters"),
        ("a key", None, "read"),
    ],
)
def test_a_client_without_what_it_needs_is_not_made(
    settings: Settings, secret: Path, key: str, text: str | None, why: str
) -> None:
    settings.IDP_OIDC_PRIVATE_KEY = key
    secret.unlink() if text is None else secret.write_text(text)

    with pytest.raises(CommandError, match=why):
        ensure(secret, "https://b.example.com/")

    assert not OidcClient.objects.exists()
