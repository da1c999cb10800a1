"""The pure presenters: rows in, finished text out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gpuaas.inventory.models import Pool
from gpuaas.portal.cards import bookings, shortage, story
from gpuaas.portal.cards.ending import CANCEL, GIVE_BACK, Ending
from reservations.capacity import Demand, Window
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import PoolFull, chances
from sessions.models import SessionState, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db
URL = "https://s-1.apps.example.com/"


def told(reservation: Reservation, session: WorkspaceSession | None, hour: float) -> story.Story:
    return story.story_of(
        reservation, session=session, events=[], devices=None, workspace_url=URL, now=make.at(hour)
    )


def progress(of: story.Story) -> list[str]:
    return [step.progress for step in of.steps]


def test_before_its_window_a_booking_counts_down_to_the_start() -> None:
    reservation = make.reservation(at=make.window(1, 5))

    seen = told(reservation, None, 0)

    assert (seen.now.headline, seen.now.counts_down_to) == ("Booked", make.at(1))
    assert progress(seen) == ["current", "todo", "todo", "todo"]


@pytest.mark.parametrize(
    ("minutes_late", "headline"), [(1, "Starting"), (10, "Waiting for the platform")]
)
def test_a_window_that_opened_without_a_session_says_so(minutes_late: int, headline: str) -> None:
    reservation = make.reservation(at=make.window(1, 5))

    assert told(reservation, None, 1 + minutes_late / 60).now.headline == headline


def test_a_booking_waits_for_a_node_that_cannot_be_relied_on_and_says_why() -> None:
    reservation = make.reservation(at=make.window(1, 5))
    node = reservation.placed_on
    node.frozen_because = "its GPUs are being partitioned anew"

    early, late = told(reservation, None, 0.5), told(reservation, None, 1.5)

    assert early.now.headline == "Booked"
    assert late.now.headline == "Waiting for its GPU"
    assert late.now.sentence.startswith(f"{node.name}: its GPUs are being partitioned anew.")


def test_while_it_is_prepared_the_page_says_what_it_waits_for() -> None:
    session = make.session()
    session.waiting_for = "the quota controller has not counted yet"

    seen = told(session.reservation, session, 0.01)

    assert seen.now.headline == "Preparing your workspace"
    assert "the quota controller" in seen.now.sentence
    assert seen.workspace_url == ""


def test_a_ready_session_can_be_opened() -> None:
    session = make.session(state=SessionState.READY)
    session.ready_at = make.at(0.01)

    seen = told(session.reservation, session, 1)

    assert (seen.now.headline, seen.workspace_url) == ("Your workspace is ready", URL)
    assert progress(seen) == ["done", "done", "current", "todo"]


@pytest.mark.parametrize("state", [SessionState.PROVISIONING, SessionState.STOPPING])
def test_only_a_ready_session_can_be_opened(state: SessionState) -> None:
    session = make.session(state=state)

    assert told(session.reservation, session, 1).workspace_url == ""


def test_trouble_is_told_while_it_is_being_repaired() -> None:
    session = make.session()
    session.last_error = "the cluster refused the volume"

    seen = told(session.reservation, session, 0.1)

    assert (seen.now.tone, seen.now.sentence) == ("warning", "The cluster refused the volume.")


def test_after_its_window_a_session_is_ending() -> None:
    session = make.session(state=SessionState.READY)

    assert told(session.reservation, session, 4).now.headline == "Ending"


def test_a_failed_booking_says_why() -> None:
    reservation = make.reservation(state=State.FAILED)
    reservation.state_reason = "not ready after 20 minutes"

    seen = told(reservation, None, 2)

    assert (seen.now.tone, seen.now.sentence) == ("danger", "Not ready after 20 minutes.")
    assert progress(seen)[-1] == "failed"


@pytest.mark.parametrize(
    ("state", "on", "headline"),
    [
        (State.WAITLISTED, PendingOn.APPROVER, "In line"),
        (State.PENDING, PendingOn.APPROVER, "Waiting for approval"),
        (State.PENDING, PendingOn.REQUESTER, "Held for you"),
    ],
)
def test_what_is_no_booking_yet_says_whose_word_it_waits_for(
    state: State, on: PendingOn, headline: str
) -> None:
    reservation = make.reservation(state=state, pending_on=on)

    seen = told(reservation, None, 0)

    assert seen.now.headline == headline
    assert seen.steps[0].name == "Asked"


@pytest.mark.parametrize("state", [State.CANCELED, State.COMPLETED])
@pytest.mark.parametrize(
    ("session_state", "gone"),
    [(SessionState.STOPPING, "is being removed"), (SessionState.ENDED, "is gone")],
)
def test_an_ended_booking_says_what_became_of_the_data(
    state: State, session_state: SessionState, gone: str
) -> None:
    session = make.session(
        of=make.reservation(at=make.window(0, 4), state=state), state=session_state
    )

    assert gone in told(session.reservation, session, 2).now.sentence


@pytest.mark.parametrize(
    ("state", "session_state", "hour", "refreshes"),
    [
        (State.WAITLISTED, None, 0, story.REFRESH_SECONDS_WHILE_FAR_OFF),
        (State.PENDING, None, 0.99, story.REFRESH_SECONDS),
        (State.APPROVED, None, 0.99, story.REFRESH_SECONDS),
        (State.APPROVED, None, 0, story.REFRESH_SECONDS_WHILE_FAR_OFF),
        (State.ACTIVE, SessionState.READY, 2, story.REFRESH_SECONDS),
        (State.COMPLETED, SessionState.STOPPING, 2, story.REFRESH_SECONDS),
        (State.COMPLETED, SessionState.ENDED, 2, None),
        (State.CANCELED, None, 2, None),
    ],
)
def test_the_page_refreshes_until_nothing_can_change(
    state: State, session_state: SessionState | None, hour: float, refreshes: int | None
) -> None:
    reservation = make.reservation(state=state)
    session = make.session(of=reservation, state=session_state) if session_state else None

    assert told(reservation, session, hour).refresh_seconds == refreshes


def test_what_is_shown_alike_has_the_same_fingerprint() -> None:
    reservation = make.reservation()

    assert told(reservation, None, 0).fingerprint == told(reservation, None, 0.1).fingerprint
    assert told(reservation, None, 0).fingerprint != told(reservation, None, 1).fingerprint


@pytest.mark.parametrize(
    ("state", "may_give_back", "may_cancel", "again"),
    [
        (State.WAITLISTED, False, True, False),
        (State.PENDING, False, True, False),
        (State.APPROVED, False, True, False),
        (State.ACTIVE, True, True, False),
        (State.COMPLETED, False, False, True),
        (State.CANCELED, False, False, True),
        (State.FAILED, False, False, True),
    ],
)
def test_a_card_offers_what_the_lifecycle_allows(
    state: State, *, may_give_back: bool, may_cancel: bool, again: bool
) -> None:
    card = bookings.booking_card(make.reservation(state=state), may_change=True, now=make.NOON)

    assert (card.may_give_back, card.may_cancel) == (may_give_back, may_cancel)
    assert bool(card.book_again) == again


@pytest.mark.parametrize("state", State)
def test_a_card_offers_nothing_to_those_who_only_look(state: State) -> None:
    card = bookings.booking_card(make.reservation(state=state), may_change=False, now=make.NOON)

    assert (card.may_give_back, card.may_cancel, card.book_again) == (False, False, "")


@pytest.mark.parametrize("ending", [GIVE_BACK, CANCEL])
def test_ending_a_running_session_warns_of_the_data(ending: Ending) -> None:
    assert "home folder" in " ".join(map(str, ending.consequences(State.ACTIVE)))


def test_canceling_before_the_start_loses_nothing() -> None:
    assert "nothing is lost" in " ".join(map(str, CANCEL.consequences(State.APPROVED)))


def test_a_shortage_names_each_quantity_and_offers_whole_minutes() -> None:
    window = Window(make.at(2) + timedelta(seconds=7), make.at(3) + timedelta(seconds=7))
    wish = make.wish(units=3, at=window)
    full = PoolFull(wish=wish, free=Demand(1, 2_000, 1024, 600), nearest=window)
    chance = chances.Chance(Pool(slug="lab", name="Lab"), wish, make.at(9), 0, "EUR")
    smaller = replace(chance, wish=replace(wish, units=2), is_smaller=True)

    found = shortage.shortage_of(full, windows=[chance], others=[smaller])

    assert found.lines == (
        "MIG slice 1g.24gb: you asked for 3, 1 free throughout on one server",
        "CPU: you asked for 4 cores, 2 cores free throughout on one server",
        "Memory: you asked for 16 GiB, 1 GiB free throughout on one server",
    )
    window_chip, other_chip = found.windows[0], found.others[0]
    kind = "lab/nvidia.com/mig-1g.24gb"
    assert (window_chip.what, window_chip.refill) == (
        "",
        f"2026-03-01T14:01Z|2026-03-01T15:01Z|{kind}|3",
    )
    assert other_chip.what == "2 × MIG slice 1g.24gb, Lab, less than you asked for"  # noqa: RUF001
    assert other_chip.refill.endswith("|2")


def test_a_shortage_without_a_window_offers_none() -> None:
    full = PoolFull(wish=make.wish(), free=Demand(9, 9_000, 99_999, 999), nearest=None)

    found = shortage.shortage_of(full)

    assert (found.windows, found.others) == ((), ())
    assert found.lines == ("No server has all of it free at the same time",)
