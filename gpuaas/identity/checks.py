"""System checks of what logging in rests on.

gpuaas.E020  an identity provider is named, but not who we are there
gpuaas.E021  its address is neither https nor this machine
gpuaas.E022  the rounds of asking come too fast, or the grace is shorter than two of them
gpuaas.E023  the key we sign with as a provider is no RSA key of at least 2048 bits
gpuaas.W020  rate limits count in each process for itself (with --deploy)
gpuaas.W021  the provider is not asked for refresh tokens (with --deploy)
"""

from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, Warning  # noqa: A004 -- Django's name

SHORTEST_RECHECK_INTERVAL_SECONDS: Final = 60
SMALLEST_KEY_BITS: Final = 2048
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@checks.register()
def provider_knows_us(**_: Any) -> list[CheckMessage]:
    """gpuaas.E020."""
    if not settings.OIDC_ISSUER or (settings.OIDC_CLIENT_ID and settings.OIDC_CLIENT_SECRET):
        return []
    return [
        Error(
            "GPUAAS_OIDC_ISSUER is set, but not who we are there.",
            hint="Set GPUAAS_OIDC_CLIENT_ID and GPUAAS_OIDC_CLIENT_SECRET_FILE.",
            id="gpuaas.E020",
        )
    ]


@checks.register()
def provider_is_reached_safely(**_: Any) -> list[CheckMessage]:
    """gpuaas.E021: tokens travel there; in clear they may on one machine only."""
    url = urlsplit(settings.OIDC_ISSUER)
    is_here = url.scheme == "http" and url.hostname in _THIS_MACHINE
    if not settings.OIDC_ISSUER or (url.scheme == "https" and url.hostname) or is_here:
        return []
    return [Error(f"GPUAAS_OIDC_ISSUER={settings.OIDC_ISSUER} has to be https.", id="gpuaas.E021")]


@checks.register()
def rounds_leave_time(**_: Any) -> list[CheckMessage]:
    """gpuaas.E022: one missed round must not cut everybody off."""
    interval, grace = settings.OIDC_RECHECK_INTERVAL_SECONDS, settings.OIDC_GRACE_SECONDS
    if interval >= SHORTEST_RECHECK_INTERVAL_SECONDS and grace >= 2 * interval:
        return []
    return [
        Error(
            f"GPUAAS_OIDC_RECHECK_INTERVAL_SECONDS={interval} has to be at least "
            f"{SHORTEST_RECHECK_INTERVAL_SECONDS}, and GPUAAS_OIDC_GRACE_SECONDS={grace} "
            "at least twice that interval.",
            id="gpuaas.E022",
        )
    ]


@checks.register()
def signing_key_is_a_key(**_: Any) -> list[CheckMessage]:
    """gpuaas.E023: the message quotes nothing of it."""
    text = settings.IDP_OIDC_PRIVATE_KEY
    if not text:
        return []
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, RSAPrivateKey) and key.key_size >= SMALLEST_KEY_BITS:
        return []
    return [
        Error(
            f"GPUAAS_IDP_PRIVATE_KEY is no RSA key of at least {SMALLEST_KEY_BITS} bits in PEM.",
            hint="openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072",
            id="gpuaas.E023",
        )
    ]


@checks.register(Tags.security, deploy=True)
def rate_limits_are_shared(**_: Any) -> list[CheckMessage]:
    """gpuaas.W020: with n processes a guesser would have n times the tries."""
    if "locmem" not in settings.CACHES["default"]["BACKEND"]:
        return []
    return [
        Warning(
            "Without a cache that processes share, each counts logins for itself.",
            hint="Set GPUAAS_CACHE_URL to a Redis.",
            id="gpuaas.W020",
        )
    ]


@checks.register(Tags.security, deploy=True)
def provider_can_be_asked_again(**_: Any) -> list[CheckMessage]:
    """gpuaas.W021."""
    if not settings.OIDC_ISSUER or "offline_access" in settings.OIDC_SCOPES:
        return []
    return [
        Warning(
            "GPUAAS_OIDC_SCOPES has no offline_access: unless the provider gives refresh tokens"
            " anyway, everybody has to log in again after the grace.",
            id="gpuaas.W021",
        )
    ]
