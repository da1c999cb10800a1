"""Second factors: asked for, sealed, demanded of those with power, and replaced when lost."""

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_has_tried_yet() -> None:
    cache.clear()


@pytest.fixture
def person() -> User:
    return make.user(teams=[make.team()])


def code_now(secret: str) -> str:
    counter = int(time.time()) // 30
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))


def with_app(user: User) -> str:
    secret: str = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    return secret


def give_password(browser: Client, user: User) -> str:
    body = {"login": user.username, "password": make.PASSWORD}
    return str(browser.post("/accounts/login/", body).headers.get("Location"))


def say_the_password_again(browser: Client) -> None:
    browser.post("/accounts/reauthenticate/", {"password": make.PASSWORD})


def test_a_password_alone_is_not_enough(client: Client, person: User) -> None:
    secret = with_app(person)

    assert give_password(client, person) == "/accounts/2fa/authenticate/"
    assert client.get("/").status_code == 302
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.get("/").status_code == 302

    client.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})

    assert client.get("/").status_code == 200


def test_a_recovery_code_lets_in_once(person: User) -> None:
    with_app(person)
    code = RecoveryCodes.activate(person).get_unused_codes()[0]

    for is_in in (True, False):
        browser = Client()
        give_password(browser, person)
        browser.post("/accounts/2fa/authenticate/", {"code": code})
        assert (browser.get("/").status_code == 200) is is_in


def test_secrets_lie_sealed(person: User) -> None:
    secret = with_app(person)

    data = Authenticator.objects.get(type="totp").data

    assert secret not in str(data)
    assert data["secret"].startswith("gAAAA")


def test_the_admin_site_has_no_door_of_its_own(client: Client) -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
    with_app(admin)

    assert client.get("/admin/login/").headers["Location"].startswith("/accounts/login/")
    body = {"username": admin.username, "password": make.PASSWORD}
    client.post("/admin/login/", body)

    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("required", "who", "held"),
    [
        ("none", "administrator", False),
        ("staff", "member", False),
        ("staff", "manager", True),
        ("staff", "finance", True),
        ("staff", "administrator", True),
        ("all", "member", True),
        ("all", "from the directory", False),
        ("all", "with an app", False),
    ],
)
def test_who_is_held_to_a_second_factor(
    client: Client, settings: Settings, *, required: str, who: str, held: bool
) -> None:
    settings.REQUIRE_MFA = required
    role = MembershipRole.MANAGER if who == "manager" else MembershipRole.MEMBER
    organisation = {
        "finance": OrganisationRole.FINANCE,
        "administrator": OrganisationRole.PLATFORM_ADMIN,
    }.get(who, OrganisationRole.NONE)
    user = make.user(teams=[make.team()], role=role, organisation_role=organisation)
    user.refresh_from_db()
    if who == "from the directory":
        user.set_unusable_password()
        user.save()
    if who == "with an app":
        with_app(user)
    client.force_login(user)

    page, api = client.get("/reservations/"), client.get("/api/v1/pools/")

    assert (page.headers.get("Location") == "/accounts/2fa/") == held
    assert (api.status_code == 403) == held
    assert not held or api.json()["code"] == "second_factor_required"
    assert (client.get("/admin/").headers.get("Location") == "/accounts/2fa/") == held
    part = client.get("/reservations/", headers={"HX-Request": "true"})
    assert (part.headers.get("HX-Redirect") == "/accounts/2fa/") == held


def test_who_is_held_back_can_set_one_up_and_can_leave(
    client: Client, settings: Settings, person: User
) -> None:
    settings.REQUIRE_MFA = "all"
    give_password(client, person)

    assert client.get("/accounts/2fa/").status_code == 200
    say_the_password_again(client)
    page = client.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": code_now(secret)})
    assert client.get("/reservations/").status_code == 200
    assert client.get("/no/such/page/").status_code == 404
    assert client.post("/accounts/logout/").headers["Location"] == "/accounts/login/"


@pytest.mark.parametrize(
    "page",
    [
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
        "/accounts/2fa/webauthn/",
        "/accounts/2fa/webauthn/add/",
        "/accounts/2fa/recovery-codes/",
        "/accounts/2fa/recovery-codes/generate/",
        "/accounts/sessions/",
        "/accounts/reauthenticate/",
    ],
)
def test_the_pages_hold_to_the_policy(client: Client, person: User, page: str) -> None:
    if "recovery" in page:
        with_app(person)
        RecoveryCodes.activate(person)
    client.force_login(person)
    say_the_password_again(client)

    response = client.get(page)

    text = response.content.decode()
    assert response.status_code == 200
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<script>" not in text


def test_an_administrator_removes_a_lost_factor(client: Client, person: User) -> None:
    with_app(person)
    RecoveryCodes.activate(person)
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    lost = Authenticator.objects.get(user=person, type="totp")

    listing = client.get("/admin/mfa/authenticator/")
    client.post(f"/admin/mfa/authenticator/{lost.pk}/delete/", {"post": "yes"})

    assert b"gAAAA" not in listing.content
    assert not Authenticator.objects.filter(user=person).exists()
    assert AuditEvent.objects.get(action="second_factor.removed").data == {"kind": "totp"}


def test_a_manager_removes_nobodys(client: Client, person: User) -> None:
    with_app(person)
    client.force_login(make.user(teams=[make.team()], role=MembershipRole.MANAGER))
    lost = Authenticator.objects.get(user=person)

    response = client.post(f"/admin/mfa/authenticator/{lost.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert Authenticator.objects.filter(user=person).exists()


# --- guessing -----------------------------------------------------------------------------------


def guess(user: User, *, address: str = "", tries: int = 1) -> int:
    headers = {"X-Forwarded-For": address} if address else {}
    status = 0
    for _ in range(tries):
        body = {"login": user.username, "password": "a wrong one"}
        status = Client().post("/accounts/login/", body, headers=headers).status_code
    return status


def test_guessing_one_account_is_stopped_even_from_many_addresses(
    settings: Settings, person: User
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(5):
        guess(person, address=f"10.0.0.{number}")

    body = {"login": person.username, "password": make.PASSWORD}
    response = Client().post("/accounts/login/", body, headers={"X-Forwarded-For": "10.0.0.9"})

    assert b"Too many failed login attempts" in response.content


def test_who_asks_too_often_is_told_when_to_come_back(person: User) -> None:
    others = [make.user() for _ in range(31)]
    for each in others[:30]:
        guess(each)

    body = {"login": others[30].username, "password": make.PASSWORD}
    response = Client().post("/accounts/login/", body)

    assert response.status_code == 429
    seconds = int(response.headers["Retry-After"])
    assert 0 < seconds <= 60  # thirty a minute
    assert f"in {seconds} second".encode() in response.content or seconds == 60


@pytest.mark.parametrize(("proxies", "status"), [(0, 429), (1, 200)])
def test_an_address_in_a_header_counts_only_from_a_trusted_proxy(
    settings: Settings, proxies: int, status: int
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    for number in range(30):
        guess(make.user(), address=f"10.0.0.{number}")

    assert guess(make.user(), address="10.0.1.1") == status


def test_guessing_second_factors_is_stopped(client: Client, person: User) -> None:
    secret = with_app(person)
    give_password(client, person)
    for _ in range(12):
        client.post("/accounts/2fa/authenticate/", {"code": "000000"})

    client.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})

    assert client.get("/").status_code == 302
