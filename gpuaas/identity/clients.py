"""The products that may log people in with us, where we are the identity provider."""

from collections.abc import Sequence
from datetime import datetime

from allauth.idp.oidc.models import Client
from django.db import transaction

from gpuaas.audit import services as audit

SCOPES = ("openid", "profile", "email", "groups", "offline_access")


def remove_client(*, client_id: str, now: datetime) -> bool:
    """Remove the client, with every token it was given; return whether there was one."""
    with transaction.atomic():
        deleted, _ = Client.objects.filter(pk=client_id).delete()
        if deleted:
            audit.record(
                "oidc_client.removed",
                subject=f"oidc_client:{client_id}"[:80],
                actor=None,
                at=now,
            )
    return bool(deleted)


def ensure_client(
    *, client_id: str, name: str, secret: str, redirect_uris: Sequence[str], now: datetime
) -> bool:
    """Make the client, or change it to these values; return whether it was made.

    It is one of our own, so people are not asked whether they agree.
    """
    client = Client(
        id=client_id,
        name=name,
        scopes="\n".join(SCOPES),
        grant_types="authorization_code\nrefresh_token",
        redirect_uris="\n".join(redirect_uris),
        skip_consent=True,
    )
    client.set_secret(secret)
    with transaction.atomic():
        existing = Client.objects.filter(pk=client_id)
        is_new = not existing.exists()
        client.save(force_insert=is_new, force_update=not is_new)
        audit.record(
            "oidc_client.made" if is_new else "oidc_client.changed",
            subject=f"oidc_client:{client_id}"[:80],
            actor=None,
            at=now,
            redirect_uris=list(redirect_uris),
        )
    return is_new
