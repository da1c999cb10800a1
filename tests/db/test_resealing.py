"""After a change of the secret key everything sealed is sealed anew, and the old key can go."""

import io

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from pytest_django.fixtures import Settings

from gpuaas.core import sealing
from gpuaas.identity.models import DirectoryPerson
from sessions.models import SessionState, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db
OLD, NEW = "the old key", "the new key"


def sealed_under(key: str, settings: Settings, text: str) -> str:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, []
    return sealing.seal(text)


def run() -> tuple[str, str, int]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command("reseal_secrets", stdout=out, stderr=err)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return out.getvalue(), err.getvalue(), status


@pytest.fixture
def rows(settings: Settings) -> None:
    ada = make.user(username="ada")
    DirectoryPerson.objects.create(
        user=ada,
        provider="sso",
        asked_at=make.NOON,
        confirmed_at=make.NOON,
        sealed_refresh_token=sealed_under(OLD, settings, "refresh"),
    )
    Authenticator.objects.create(
        user=ada, type="totp", data={"secret": sealed_under(OLD, settings, "totp")}
    )
    Authenticator.objects.create(
        user=ada,
        type="recovery_codes",
        data={"seed": sealed_under(OLD, settings, "seed"), "used_mask": 5},
    )
    Authenticator.objects.create(user=ada, type="webauthn", data={"name": "key"})
    session = make.session()
    WorkspaceSession.objects.filter(pk=session.pk).update(
        door_seed=sealed_under(OLD, settings, "door")
    )


def secrets_by_now() -> list[str]:
    person, session = DirectoryPerson.objects.get(), WorkspaceSession.objects.get()
    return [
        sealing.unseal(each)
        for each in (
            person.sealed_refresh_token,
            Authenticator.objects.get(type="totp").data["secret"],
            Authenticator.objects.get(type="recovery_codes").data["seed"],
            session.door_seed,
        )
    ]


@pytest.mark.usefixtures("rows")
def test_the_old_key_can_go_afterwards(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]

    assert run() == ("4 secrets are sealed under today's key\n", "", 0)

    settings.SECRET_KEY_FALLBACKS = []
    assert secrets_by_now() == ["refresh", "totp", "seed", "door"]
    assert Authenticator.objects.get(type="recovery_codes").data["used_mask"] == 5
    assert Authenticator.objects.get(type="webauthn").data == {"name": "key"}


@pytest.mark.usefixtures("rows")
def test_without_it_the_old_key_could_not_go(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, []

    with pytest.raises(sealing.SealBroken):
        secrets_by_now()


@pytest.mark.usefixtures("rows")
def test_what_no_key_opens_is_left_and_told(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, []

    out, err, status = run()

    assert (out, status) == ("0 secrets are sealed under today's key\n", 1)
    assert err == "4 open with none of today's keys; they are as they were\n"
    settings.SECRET_KEY_FALLBACKS = [OLD]
    assert secrets_by_now() == ["refresh", "totp", "seed", "door"]


@pytest.mark.usefixtures("rows")
def test_sessions_that_ended_need_no_door(settings: Settings) -> None:
    WorkspaceSession.objects.update(state=SessionState.ENDED)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]

    assert run()[0] == "3 secrets are sealed under today's key\n"
