"""One round: the provider is asked about everybody who came from it, without their logging in."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from gpuaas.core import locks, sealing
from gpuaas.identity import directory, selectors, services
from gpuaas.identity.models import DirectoryPerson
from gpuaas.identity.provider import GrantDead, Provider, Unreachable

logger = logging.getLogger(__name__)

# After so many people in a row without an answer it is the provider that is silent, not they.
SILENCES_THAT_SPEAK_FOR_ALL: Final = 3
# A round ends well before the broker would hand its task to somebody else; the rest comes next.
LONGEST_ROUND_SECONDS: Final = 240.0
_NOTHING_TO_ASK_WITH: Final = "the directory gave no refresh token, or it cannot be read any more"


@dataclass(slots=True)
class Report:
    """How many people were asked about, and what came of it."""

    confirmed: int = 0
    ended: int = 0
    silent: int = 0


def follow(*, provider: Provider | None, now: datetime) -> Report:
    """Ask about everybody who is due; one round at a time, a second one does nothing."""
    with locks.held_alone(locks.LockSpace.DIRECTORY_ROUND, 0) as is_ours:
        return _Round(provider, now).run() if is_ours else Report()


class _Round:
    def __init__(self, provider: Provider | None, now: datetime) -> None:
        self._provider = provider
        self._now = now
        self._grace = timedelta(seconds=settings.OIDC_GRACE_SECONDS)
        self._silences = 0
        self._report = Report()

    def run(self) -> Report:
        started = time.monotonic()
        interval = timedelta(seconds=settings.OIDC_RECHECK_INTERVAL_SECONDS)
        known = settings.OIDC_ID if self._provider else ""
        for person in selectors.left_behind(provider=known):
            self._silence(person, "its directory is not configured any more")
        # Half an interval: a round that is a little early must not skip everybody.
        due = selectors.due_to_be_asked(provider=known, before=self._now - interval / 2)
        for person in due.iterator(chunk_size=200):
            if time.monotonic() - started > LONGEST_ROUND_SECONDS:
                logger.warning("directory round cut short")
                break
            self._person(person)
        return self._report

    def _person(self, person: DirectoryPerson) -> None:
        try:
            self._ask(person)
        except GrantDead as dead:
            self._silences = 0
            reason = f"the directory ended the grant: {dead}"
            self._report.ended += services.end_access(person=person, reason=reason, now=self._now)
        except Unreachable as error:
            self._silences += 1
            self._silence(person, str(error))
        except Exception:  # one person's row must not keep the others from being asked about
            logger.exception("directory person put off", extra={"person": str(person)})
            self._silence(person, "an error of our own")

    def _ask(self, person: DirectoryPerson) -> None:
        if self._provider is None or self._silences >= SILENCES_THAT_SPEAK_FOR_ALL:
            self._silence(person, "the directory does not answer")
            return
        token = _token_of(person)
        if not token:
            self._silence(person, _NOTHING_TO_ASK_WITH)
            return
        grant = self._provider.renew(token)
        # At once: the provider may have made the old one worthless with its answer.
        if grant.refresh_token and not services.keep_refresh_token(
            person=person, refresh_token=grant.refresh_token
        ):
            return  # they have just logged in
        claims = self._provider.claims(grant.access_token)
        if claims["sub"] != person.subject:
            raise Unreachable("userinfo is about somebody else")
        self._silences = 0
        self._hear(person, directory.groups_in(claims, settings.OIDC_GROUPS_CLAIM))

    def _hear(self, person: DirectoryPerson, groups: frozenset[str]) -> None:
        answer = services.Answer(person.provider, person.subject, groups)
        try:
            services.require_entry(answer=answer, allowed=frozenset(settings.OIDC_ALLOWED_GROUPS))
        except services.NotInTheDirectory:
            reason = "no group that is allowed in is left"
            self._report.ended += services.end_access(person=person, reason=reason, now=self._now)
            return
        services.confirm_person(person=person, answer=answer, now=self._now)
        self._report.confirmed += 1

    def _silence(self, person: DirectoryPerson, error: str) -> None:
        ended = services.note_silence(person=person, error=error, grace=self._grace, now=self._now)
        self._report.ended += ended
        self._report.silent += not ended


def _token_of(person: DirectoryPerson) -> str:
    if not person.sealed_refresh_token:
        return ""
    try:
        return sealing.unseal(person.sealed_refresh_token)
    except sealing.SealBroken:
        return ""
