"""A short-lived token of the cluster for a booking's owner: asked here, made by the reconciler.

The web tier has no credentials of any cluster.  It writes down that somebody asks; the reconciler
asks the cluster for a token and leaves it sealed; who asked takes it, once.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import errors, sealing
from sessions import kubeconfig
from sessions.models import SHORTEST_TOKEN, ClusterToken, TokenState, WorkspaceSession
from sessions.services.kubeconfigs import require_owner, way_in

if TYPE_CHECKING:
    from reservations.models import Reservation

# With the end of the window before that, it is the end of the window.
LONGEST_TOKEN: Final = timedelta(hours=12)
# What a cluster may give beyond what was asked, by its clock: more is not kept.
MOST_DRIFT: Final = timedelta(minutes=1)


class TooLateForToken(errors.DomainError):
    """No token is as short as what is left of the window."""

    code = "too_late_for_token"


class NoTokenToTake(errors.DomainError):
    """It is not there yet, or not any more."""

    code = "no_token_to_take"


def ask_token(
    *, reservation: "Reservation", session: WorkspaceSession | None, person: User, now: datetime
) -> ClusterToken:
    """Ask for a token for the namespace of ``reservation``; while one is on its way, it is that.

    Raises:
        NotYourWorkspace: ``person`` did not book it.
        WorkspaceNotReady: there is nothing to be let into.
        ClusterNotOffered: the cluster's record has no address of its API.
        TooLateForToken: the window ends before the shortest token would.
    """
    session, _ = way_in(reservation=reservation, session=session, person=person)
    left = reservation.ends_at - now
    if left < SHORTEST_TOKEN:
        raise TooLateForToken(
            f"the window ends in {max(0, int(left.total_seconds()) // 60)} minutes, and a token "
            f"lives for {int(SHORTEST_TOKEN.total_seconds()) // 60} at least: extend the booking, "
            "or use kubectl in the workspace"
        )
    with transaction.atomic():
        token, is_new = ClusterToken.objects.select_for_update().get_or_create(
            session=session, defaults={"asked_by": person, "asked_at": now}
        )
        if not is_new:
            if token.state_at(now) in {TokenState.ASKED, TokenState.READY}:
                return token
            token.delete()
            token = ClusterToken.objects.create(session=session, asked_by=person, asked_at=now)
        _record("workspace.token_asked", reservation, person, now)
    return token


def token_for(
    *, reservation: "Reservation", session: WorkspaceSession | None, person: User
) -> ClusterToken | None:
    """Return the token that ``person`` asked for last, None: they did not.

    Raises:
        NotYourWorkspace: ``person`` did not book it.
    """
    require_owner(reservation=reservation, person=person)
    return ClusterToken.objects.filter(session=session).first() if session else None


def seconds_of(*, token: ClusterToken, now: datetime) -> int:
    """Return for how long it is to work from ``now``: to the window's end, or `LONGEST_TOKEN`."""
    left = token.session.reservation.ends_at - now
    return int(min(left, LONGEST_TOKEN).total_seconds())


def record_token(*, token: ClusterToken, text: str, expires_at: datetime, now: datetime) -> None:
    """Keep what the cluster made, sealed, for who asked; not if it would outlive the window.

    One that somebody asked for anew meanwhile, or was made before, is left as it is.
    """
    latest = now + timedelta(seconds=seconds_of(token=token, now=now)) + MOST_DRIFT
    if expires_at > latest:
        record_no_token(
            token=token, problem="the cluster made one that would outlive the window", now=now
        )
        return
    _waiting(token).update(sealed=sealing.seal(text), made_at=now, expires_at=expires_at)


def record_no_token(*, token: ClusterToken, problem: str, now: datetime) -> None:
    """Note that the cluster makes none, and why: its owner reads it."""
    _waiting(token).update(problem=problem[:300], made_at=now)


def take_token(
    *, reservation: "Reservation", session: WorkspaceSession | None, person: User, now: datetime
) -> tuple[dict[str, Any], str]:
    """Return a kubeconfig with the token, and how long it works.  It is shown this once.

    Raises:
        NotYourWorkspace: ``person`` did not book it.
        WorkspaceNotReady: there is nothing to be let into.
        ClusterNotOffered: the cluster's record has no address of its API.
        NoTokenToTake: there is none: not asked for, not made yet, taken, or gone.
    """
    session, access = way_in(reservation=reservation, session=session, person=person)
    with transaction.atomic():
        token = ClusterToken.objects.select_for_update().filter(session=session).first()
        state = token.state_at(now) if token else TokenState.NONE
        if token is None or state != TokenState.READY or token.expires_at is None:
            raise NoTokenToTake(_WHY_NOT[state].format(problem=token.problem if token else ""))
        try:
            text = sealing.unseal(token.sealed)
        except sealing.SealBroken as broken:
            raise NoTokenToTake("its seal is broken: ask for another") from broken
        ClusterToken.objects.filter(pk=token.pk).update(sealed="", taken_at=now)
        _record("workspace.token_taken", reservation, person, now)
    found = kubeconfig.build(access, namespace=session.namespace, token=text)
    return found, kubeconfig.warning(token.expires_at)


def forget_tokens(*, now: datetime) -> int:
    """Wipe what nobody took in time, and what is over; return how many were."""
    kept = ClusterToken.objects.exclude(sealed="")
    return kept.filter(ClusterToken.is_over_at(now)).update(sealed="")


_WHY_NOT: Final = {
    TokenState.NONE: "nobody asked for one: ask first",
    TokenState.ASKED: "it is not made yet: look again in a few seconds",
    TokenState.TAKEN: "it was shown once already: ask for another",
    TokenState.EXPIRED: "nobody took it in time: ask for another",
    TokenState.REFUSED: "there is none, since {problem}: ask for another",
}


def _waiting(token: ClusterToken) -> Any:
    return ClusterToken.objects.filter(pk=token.pk, made_at=None)


def _record(action: str, reservation: "Reservation", person: User, now: datetime) -> None:
    audit.record(action, subject=reservation.subject, actor=person, at=now, team=reservation.team)
