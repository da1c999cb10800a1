"""Doing a request with an Idempotency-Key once: claim its key, do it, keep the answer.

docs/design/idempotency.md says what happens when a process dies in between.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from gpuaas.accounts.models import User
from gpuaas.core import errors
from gpuaas.idempotency.models import KeyedRequest

# Longer than any request runs: after it, its process is taken for dead.
BUSY_FOR: Final = timedelta(seconds=60)
KEPT_FOR: Final = timedelta(hours=24)
FORGOTTEN_AT_ONCE: Final = 5000


class KeyInUse(errors.DomainError):
    """A request with this key is being done right now."""

    code = "idempotency_key_in_use"


class KeyReused(errors.DomainError):
    """The key was given to another request before."""

    code = "idempotency_key_reused"


class AnswerNotKept(errors.DomainError):
    """It was done; its answer had a secret in it, which was shown once and is kept nowhere."""

    code = "answer_not_kept"

    def __init__(self, status: int) -> None:
        super().__init__(
            f"this was done before, and answered with {status} and a secret that is shown once: if "
            "that answer was lost, revoke what was made and make another with a new key"
        )
        self.status = status


def digest_of(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of ``parts``, which tells ``ab, c`` from ``a, bc``."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def claim(*, person: User, digest: str, fingerprint: str, now: datetime) -> KeyedRequest:
    """Return the request that has this ``digest``: answered before, or now the caller's to do.

    Raises:
        KeyReused: the key came with another request.
        KeyInUse: somebody is doing it, and has been for less than `BUSY_FOR`.
        AnswerNotKept: it was answered, with a secret.
    """
    busy_until = now + BUSY_FOR
    try:
        with transaction.atomic():
            return KeyedRequest.objects.create(
                person=person,
                digest=digest,
                fingerprint=fingerprint,
                number=uuid4(),
                created_at=now,
                busy_until=busy_until,
            )
    except IntegrityError:
        found = KeyedRequest.objects.filter(digest=digest).first()
    if found is None:  # forgotten between the two statements
        raise KeyInUse("a request with this key was just forgotten: send it again")
    if found.fingerprint != fingerprint:
        raise KeyReused(
            "this key came with another request before: take a new key for each thing you want"
        )
    if found.status is None:
        return _taken_over(found, now=now, busy_until=busy_until)
    if found.body is None:
        raise AnswerNotKept(found.status)
    return found


def keep(
    request: KeyedRequest, *, status: int, headers: Mapping[str, str], body: str | None
) -> None:
    """Keep the answer of a request that the caller claimed.

    Within the transaction of the change itself, both are there or neither.

    Raises:
        KeyInUse: it took so long that somebody else does it by now; what encloses this call must
            roll back.
    """
    if not _mine(request).update(status=status, headers=dict(headers), body=body):
        raise _in_use()


def let_go(request: KeyedRequest, *, now: datetime) -> None:
    """Let the next try begin at once: this one has no answer worth keeping."""
    _mine(request).update(busy_until=now)


def forget(*, before: datetime) -> int:
    """Delete requests older than ``before``, and return how many."""
    total = 0
    while True:
        old = KeyedRequest.objects.filter(created_at__lt=before).order_by("created_at")
        deleted, _ = KeyedRequest.objects.filter(
            pk__in=old.values("pk")[:FORGOTTEN_AT_ONCE]
        ).delete()
        total += deleted
        if deleted < FORGOTTEN_AT_ONCE:
            return total


def _taken_over(found: KeyedRequest, *, now: datetime, busy_until: datetime) -> KeyedRequest:
    """Return ``found`` as the caller's, if whoever had it is dead."""
    if now < found.busy_until:
        raise _in_use()
    if not _mine(found).update(tries=F("tries") + 1, busy_until=busy_until):
        raise _in_use()
    found.tries += 1
    return found


def _mine(request: KeyedRequest) -> QuerySet[KeyedRequest]:
    return KeyedRequest.objects.filter(pk=request.pk, tries=request.tries, status=None)


def _in_use() -> KeyInUse:
    return KeyInUse("a request with this key is being done right now: ask again in a moment")
