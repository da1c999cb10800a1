"""The door of an exposed workspace, as the portal knows it: one OpenID client for each session."""

import hashlib
from datetime import datetime

from django.db import transaction

from gpuaas.core import sealing
from gpuaas.identity import clients
from sessions.models import WorkspaceSession
from sessions.spec import Door, client_id


def hang(*, session: WorkspaceSession, door: Door, now: datetime) -> None:
    """Let the portal know the door, or what has changed about it; said again it changes nothing.

    The portal keeps a hash of the secret.  The secret itself is in the session's namespace.
    """
    digest = _digest(door)
    if session.door_digest == digest:
        return
    with transaction.atomic():
        clients.ensure_client(
            client_id=door.client_id,
            name=f"Workspace {session.namespace}",
            secret=door.client_secret,
            redirect_uris=[door.redirect_url],
            now=now,
        )
        _note(session, digest)


def take_down(*, session: WorkspaceSession, now: datetime) -> None:
    """Forget the door, which is gone, and make void what was issued through it.

    While it goes it opens to nobody any more: `selectors.may_enter` says no as soon as the booking
    is over, and the door hears of it when it asks again.
    """
    if session.door_digest:
        with transaction.atomic():
            clients.remove_client(client_id=client_id(session.public_id), now=now)
            _note(session, "")


def _note(session: WorkspaceSession, digest: str) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(door_digest=digest)
    session.door_digest = digest


def reseal() -> tuple[int, int]:
    """Seal the seeds of doors under today's key; return how many, and how many could not be."""
    done = broken = 0
    for session in WorkspaceSession.objects.exclude(door_seed="").not_ended().iterator():
        try:
            resealed = sealing.reseal(session.door_seed)
        except sealing.SealBroken:
            broken += 1
            continue
        done += WorkspaceSession.objects.filter(pk=session.pk, door_seed=session.door_seed).update(
            door_seed=resealed
        )
    return done, broken


def _digest(door: Door) -> str:
    known = "\n".join((door.client_id, door.redirect_url, door.client_secret))
    return hashlib.sha256(known.encode()).hexdigest()
