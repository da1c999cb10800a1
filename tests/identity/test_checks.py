"""Each check has something to say exactly when something is wrong."""

from collections.abc import Callable, Sequence

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from gpuaas.core import sealing
from gpuaas.identity import checks
from tests.identity.conftest import signing_key

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
REDIS = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}}
OURS = {"OIDC_CLIENT_ID": "us", "OIDC_CLIENT_SECRET": "s"}
ISSUER = {"OIDC_ISSUER": "https://id.example.com"}


@pytest.mark.parametrize(
    ("check", "values", "ids"),
    [
        (checks.provider_knows_us, {}, []),
        (checks.provider_knows_us, ISSUER, ["gpuaas.E020"]),
        (checks.provider_knows_us, ISSUER | OURS, []),
        (checks.provider_is_reached_safely, {}, []),
        (checks.provider_is_reached_safely, ISSUER, []),
        (checks.provider_is_reached_safely, {"OIDC_ISSUER": "http://127.0.0.1:8000"}, []),
        (checks.provider_is_reached_safely, {"OIDC_ISSUER": "http://id.test"}, ["gpuaas.E021"]),
        (checks.provider_is_reached_safely, {"OIDC_ISSUER": "id.example.com"}, ["gpuaas.E021"]),
        (checks.rounds_leave_time, {}, []),
        (checks.rounds_leave_time, {"OIDC_RECHECK_INTERVAL_SECONDS": 59}, ["gpuaas.E022"]),
        (checks.rounds_leave_time, {"OIDC_GRACE_SECONDS": 1799}, ["gpuaas.E022"]),
        (checks.signing_key_is_a_key, {}, []),
        (checks.signing_key_is_a_key, {"IDP_OIDC_PRIVATE_KEY": "no key"}, ["gpuaas.E023"]),
        (checks.rate_limits_are_shared, {"CACHES": LOCMEM}, ["gpuaas.W020"]),
        (checks.rate_limits_are_shared, {"CACHES": REDIS}, []),
        (checks.provider_can_be_asked_again, {}, []),
        (checks.provider_can_be_asked_again, ISSUER, []),
        (checks.provider_can_be_asked_again, ISSUER | {"OIDC_SCOPES": ["openid"]}, ["gpuaas.W021"]),
    ],
)  # fmt: skip
def test_what_a_check_says(
    settings: Settings,
    check: Callable[[], Sequence[CheckMessage]],
    values: dict[str, object],
    ids: list[str],
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)

    assert [found.id for found in check()] == ids


def test_a_proper_signing_key(settings: Settings) -> None:
    settings.IDP_OIDC_PRIVATE_KEY = signing_key()

    assert checks.signing_key_is_a_key() == []


def test_a_seal_survives_a_change_of_the_key_and_no_more(settings: Settings) -> None:
    sealed = sealing.seal("the secret")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key", [settings.SECRET_KEY]
    assert sealing.unseal(sealed) == "the secret"

    settings.SECRET_KEY_FALLBACKS = []

    with pytest.raises(sealing.SealBroken):
        sealing.unseal(sealed)
