"""`sessions.services.tokens`: asked here, made by the reconciler, shown once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Cluster
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import selectors, services
from sessions.models import ClusterToken, SessionState, TokenState, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db
MADE = "eyJhbGciOi.a-token"


@pytest.fixture
def booking() -> Reservation:
    """Return one from noon to four, whose workspace is ready, on a cluster that is offered."""
    made = make.reservation(at=make.window(0, 4), state=State.ACTIVE)
    Cluster.objects.update(api_url="https://api.lab.example.com:6443")
    make.session(of=made, state=SessionState.READY)
    return Reservation.objects.get(pk=made.pk)


def _asked(booking: Reservation, now: datetime) -> ClusterToken:
    session = selectors.session_of(booking)
    return services.ask_token(
        reservation=booking, session=session, person=booking.requested_by, now=now
    )


def _made(booking: Reservation, now: datetime) -> ClusterToken:
    token = _asked(booking, now)
    services.record_token(token=token, text=MADE, expires_at=make.at(4), now=now)
    return ClusterToken.objects.get()


def _taken(booking: Reservation, now: datetime) -> dict[str, Any]:
    session = selectors.session_of(booking)
    found, _ = services.take_token(
        reservation=booking, session=session, person=booking.requested_by, now=now
    )
    return found


def test_it_is_kept_sealed_and_shown_once(booking: Reservation) -> None:
    token = _made(booking, make.at(1))

    assert token.state_at(make.at(1)) == TokenState.READY
    assert MADE not in token.sealed
    assert _taken(booking, make.at(1))["users"] == [{"name": "gpuaas", "user": {"token": MADE}}]

    token.refresh_from_db()
    assert (token.state_at(make.at(1)), token.sealed) == (TokenState.TAKEN, "")
    with pytest.raises(services.NoTokenToTake, match="shown once already"):
        _taken(booking, make.at(1))
    actions = AuditEvent.objects.filter(action__startswith="workspace.token").order_by("pk")
    assert [each.action for each in actions] == ["workspace.token_asked", "workspace.token_taken"]
    assert MADE not in str([each.data for each in actions])


def test_asking_again_changes_nothing_until_it_is_taken(booking: Reservation) -> None:
    first = _asked(booking, make.at(1))
    assert _asked(booking, make.at(1)).pk == first.pk
    services.record_token(token=first, text=MADE, expires_at=make.at(4), now=make.at(1))
    assert _asked(booking, make.at(1)).pk == first.pk
    _taken(booking, make.at(1))

    again = _asked(booking, make.at(1))

    assert again.pk != first.pk
    assert again.state_at(make.at(1)) == TokenState.ASKED
    services.record_token(token=first, text="late", expires_at=make.at(4), now=make.at(1))
    again.refresh_from_db()
    assert again.sealed == "", "what was made for an earlier question is not kept"


def test_what_nobody_takes_is_wiped(booking: Reservation) -> None:
    token = _made(booking, make.at(1))
    after = make.at(1) + timedelta(minutes=15)

    assert services.forget_tokens(now=after - timedelta(seconds=1)) == 0
    with pytest.raises(services.NoTokenToTake, match="nobody took it in time"):
        _taken(booking, after)
    assert services.forget_tokens(now=after) == 1
    token.refresh_from_db()
    assert (token.sealed, token.state_at(after)) == ("", TokenState.EXPIRED)


def test_with_the_session_goes_the_token(booking: Reservation) -> None:
    _made(booking, make.at(1))
    WorkspaceSession.objects.update(state=SessionState.STOPPING)

    assert services.forget_tokens(now=make.at(1)) == 1
    with pytest.raises(services.WorkspaceNotReady):
        _taken(booking, make.at(1))


@pytest.mark.parametrize(
    ("hour", "seconds"), [(0, 4 * 3600), (3, 3600), (-20, 12 * 3600)], ids=["all", "rest", "most"]
)
def test_it_works_to_the_end_of_the_window_or_for_twelve_hours(
    booking: Reservation, hour: float, seconds: int
) -> None:
    assert services.seconds_of(token=_asked(booking, make.at(0)), now=make.at(hour)) == seconds


def test_shortly_before_the_end_there_is_none(booking: Reservation) -> None:
    now = make.at(4) - timedelta(minutes=9)

    with pytest.raises(services.TooLateForToken, match=r"ends in 9 minutes.*10 at least"):
        _asked(booking, now)
    assert not ClusterToken.objects.exists()


def test_one_that_would_outlive_the_window_is_not_kept(booking: Reservation) -> None:
    token = _asked(booking, make.at(1))

    services.record_token(token=token, text=MADE, expires_at=make.at(5), now=make.at(1))

    token.refresh_from_db()
    assert (token.sealed, token.state_at(make.at(1))) == ("", TokenState.REFUSED)
    with pytest.raises(services.NoTokenToTake, match="outlive the window"):
        _taken(booking, make.at(1))


def test_a_broken_seal_is_said(booking: Reservation) -> None:
    _made(booking, make.at(1))
    ClusterToken.objects.update(sealed="not sealed")

    with pytest.raises(services.NoTokenToTake, match="seal is broken"):
        _taken(booking, make.at(1))


def test_before_anybody_asked_and_before_it_is_made(booking: Reservation) -> None:
    with pytest.raises(services.NoTokenToTake, match="ask first"):
        _taken(booking, make.at(1))
    _asked(booking, make.at(1))
    with pytest.raises(services.NoTokenToTake, match="not made yet"):
        _taken(booking, make.at(1))


def test_team_mates_neither_ask_nor_look_nor_take(booking: Reservation) -> None:
    _made(booking, make.at(1))
    session, mate = selectors.session_of(booking), make.user(teams=(booking.team,))

    with pytest.raises(services.NotYourWorkspace):
        services.ask_token(reservation=booking, session=session, person=mate, now=make.at(1))
    with pytest.raises(services.NotYourWorkspace):
        services.token_for(reservation=booking, session=session, person=mate)
    with pytest.raises(services.NotYourWorkspace):
        services.take_token(reservation=booking, session=session, person=mate, now=make.at(1))
