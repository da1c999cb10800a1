"""Everything that changes API tokens."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from gpuaas.accounts import tokens
from gpuaas.accounts.models import ApiToken, TokenScope, User
from gpuaas.audit import services as audit
from gpuaas.core import errors

LIVE_AT_MOST: Final = 20
# Telling when a token was used last is worth one write an hour, and not one a request.
NOTED_EVERY: Final = timedelta(hours=1)
# So long somebody may still look for a token that lets nobody in any more.
ENDED_KEPT_FOR: Final = timedelta(days=90)


class TokenRefused(errors.DomainError):
    """It would end before it begins, or live longer than the installation allows."""

    code = "token_lifetime"


class TooManyTokens(errors.DomainError):
    """One person has no more than a handful."""

    code = "too_many_tokens"


class TokenNameTaken(errors.DomainError):
    """The person has a token of that name, and could not tell the two apart."""

    code = "token_name_taken"


def create_token(
    *,
    person: User,
    name: str,
    expires_at: datetime,
    longest: timedelta,
    now: datetime,
    scope: TokenScope = TokenScope.FULL,
) -> tuple[ApiToken, str]:
    """Make a token for ``person`` and return it with its text, which is not kept anywhere.

    It may do what its ``scope`` says of what ``person`` may do.

    Raises:
        TokenRefused: ``expires_at`` is not after ``now``, or further off than ``longest``.
        TooManyTokens: there are `LIVE_AT_MOST` already.
        TokenNameTaken: one that was not revoked has the name.
    """
    if not now < expires_at <= now + longest:
        latest = now + longest
        raise TokenRefused(
            f"a token ends in the future, and {longest.days} days from now at the latest: "
            f"{latest:%Y-%m-%d %H:%M} UTC"
        )
    drawn = tokens.draw()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)  # one at a time, or both would fit
        own = ApiToken.objects.filter(person=person, revoked_at=None)
        if own.filter(name=name).exists():
            raise TokenNameTaken(f"you have a token {name!r}: revoke it, or take another name")
        if own.filter(expires_at__gt=now).count() >= LIVE_AT_MOST:
            raise TooManyTokens(f"you have {LIVE_AT_MOST} tokens, the most: revoke one first")
        made = ApiToken.objects.create(
            person=person,
            name=name,
            public_id=drawn.public_id,
            digest=drawn.digest,
            scope=scope,
            created_at=now,
            expires_at=expires_at,
        )
        audit.record(
            "token.created",
            subject=made.subject,
            actor=person,
            at=now,
            name=name,
            scope=scope.value,
            expires_at=expires_at.isoformat(),
        )
    return made, drawn.text


def revoke_token(*, token: ApiToken, actor: User, now: datetime) -> None:
    """End ``token`` for good; ending it again changes nothing."""
    with transaction.atomic():
        changed_rows = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
        if changed_rows:
            audit.record(
                "token.revoked", subject=token.subject, actor=actor, at=now, name=token.name
            )
    token.refresh_from_db(fields=["revoked_at"])


def note_use(*, token: ApiToken, now: datetime) -> None:
    """Remember that ``token`` is in use: at most one write for `NOTED_EVERY`."""
    limit = now - NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > limit:
        return
    ApiToken.objects.filter(Q(last_used_at=None) | Q(last_used_at__lte=limit), pk=token.pk).update(
        last_used_at=now
    )


def forget_tokens(*, now: datetime) -> int:
    """Delete the tokens that expired or were revoked long ago; return how many.

    They let nobody in from their end on; what was done with them is in the audit trail.
    """
    before = now - ENDED_KEPT_FOR
    ended = ApiToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before))
    count, _ = ended.delete()
    return count
