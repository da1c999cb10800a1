"""Booking for somebody else: a manager for a mate of the team."""

from datetime import datetime

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from reservations import policy
from reservations.services.refusals import NotYourTeam, WishRefused
from reservations.services.rules import authority_over


def check_may_book_for_others(team: Team, *, actor: User, now: datetime) -> None:
    """Refuse whoever does not manage ``team``.

    Raises:
        NotYourTeam: ``actor`` is neither its manager nor a platform administrator.
    """
    if authority_over(team, person=actor, now=now) is None:
        raise NotYourTeam(f"only a manager of {team} books for somebody else")


def mate(*, name: str, team: Team, actor: User, now: datetime) -> User:
    """Return whom ``actor`` books for: who has that user name, and may book for ``team``.

    Raises:
        NotYourTeam: ``actor`` may not book for others.
        WishRefused: nobody of that name books for ``team``.
    """
    if name == actor.username:
        return actor
    check_may_book_for_others(team, actor=actor, now=now)
    found = accounts.bookers_of(team, now=now).filter(username=name).first()
    if found is None:
        message = f"{name!r} is nobody who books for {team}: make them a member first"
        raise WishRefused([policy.Problem("unknown_person", "on_behalf_of", message)])
    return found
