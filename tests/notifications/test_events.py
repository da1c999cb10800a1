"""Who is told of what, and what it says: every event, in a table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.notifications import events, wording
from gpuaas.notifications.events import EVENTS, Channel, Recipients
from tests import make

REQUESTER, ACTOR, PERSON = 1, 2, 3
DATA: dict[str, Any] = {
    "requested_by": REQUESTER,
    "actor": ACTOR,
    "person": PERSON,
    "resource_name": make.SLICE,
    "units": 2,
    "purpose": "retraining",
    "starts_at": make.at(1).isoformat(),
    "ends_at": make.at(5).isoformat(),
    "expires_at": make.at(48).isoformat(),
    "reason": "the node lost power",
    "minutes_left": 15,
    "role": "manager",
    "device": "gpu-node-1: Whole GPU #0",
    "node": "gpu-node-1",
    "layout": "gpu-node-1: GPU 0 as one whole GPU",
    "percent": 80,
    "month": "March 2026",
    "spent": "800.00 EUR",
    "budget": "1,000.00 EUR",
    "approver": "manager",
    "idle_since": make.at(2).isoformat(),
    "held_until": make.at(0.5).isoformat(),
}
WHAT = "2 × MIG slice 1g.24gb (retraining)"  # noqa: RUF001 -- a times sign

WHO = {
    "reservation.approved": ({REQUESTER}, "webhook"),
    "reservation.pending": (set(), "managers"),
    "reservation.rejected": ({REQUESTER}, "webhook"),
    "reservation.held": ({REQUESTER}, ""),
    "reservation.hold_lapsed": ({REQUESTER}, ""),
    "reservation.no_show": ({REQUESTER}, "webhook managers"),
    "reservation.idle": ({REQUESTER}, ""),
    "reservation.paused": ({REQUESTER}, ""),
    "reservation.idle_released": ({REQUESTER}, "webhook managers"),
    "reservation.starting": ({REQUESTER}, ""),
    "session.ready": ({REQUESTER}, ""),
    "reservation.ending": ({REQUESTER}, ""),
    "reservation.extended": ({REQUESTER}, "webhook"),
    "reservation.changed": ({REQUESTER}, "webhook"),
    "reservation.completed": ({REQUESTER}, "webhook"),
    "reservation.canceled": ({REQUESTER}, "webhook"),
    "reservation.failed": ({REQUESTER}, "webhook managers"),
    "reservation.moved": ({REQUESTER}, "webhook"),
    "reservation.flagged": ({REQUESTER}, "webhook managers"),
    "budget.threshold": (set(), "managers webhook"),
    "membership.granted": ({PERSON}, ""),
    "membership.ending": ({PERSON}, ""),
    "device.failed": (set(), "admins"),
    "node.frozen": (set(), "admins"),
    "node.differs": (set(), "admins"),
    "layout.failed": (set(), "admins"),
    "layout.late": (set(), "admins"),
}
TITLES = {
    "reservation.approved": f"Booked: {WHAT}",
    "reservation.pending": f"To approve: {WHAT}",
    "reservation.rejected": f"Not approved: {WHAT}",
    "reservation.held": f"Your turn: {WHAT}",
    "reservation.hold_lapsed": f"No longer in line: {WHAT}",
    "reservation.no_show": f"Given back: {WHAT}",
    "reservation.idle": f"Idle: {WHAT}",
    "reservation.paused": f"Paused: {WHAT}",
    "reservation.idle_released": f"Given back: {WHAT}",
    "reservation.starting": f"{WHAT} starts in 15 minutes",
    "session.ready": f"Ready: {WHAT}",
    "reservation.ending": f"{WHAT} ends in 15 minutes",
    "reservation.extended": f"Extended: {WHAT}",
    "reservation.changed": f"Changed: {WHAT}",
    "reservation.completed": f"Over: {WHAT}",
    "reservation.canceled": f"Canceled: {WHAT}",
    "reservation.failed": f"Failed: {WHAT}",
    "reservation.moved": f"Moved to other hardware: {WHAT}",
    "reservation.flagged": f"Needs you: {WHAT}",
    "budget.threshold": "80 % of the budget of Vision for March 2026 is spoken for",
    "membership.granted": "You are now manager of Vision",
    "membership.ending": "Your role in Vision ends soon",
    "device.failed": "Failed: gpu-node-1: Whole GPU #0",
    "node.frozen": "No session starts on gpu-node-1",
    "node.differs": "Other devices than booked with: gpu-node-1",
    "layout.failed": "Not cut as planned: gpu-node-1: GPU 0 as one whole GPU",
    "layout.late": "Not cut back yet: gpu-node-1",
}


def text(event: str, **data: object) -> wording.Text:
    return wording.text_of(event=event, subject="reservation:abc", team="Vision", data=data)


@pytest.mark.parametrize("event", EVENTS)
def test_who_is_told(event: str) -> None:
    people, roles = WHO[event]
    all_but = {
        "reservation.approved": set[int](),
        "reservation.pending": {ACTOR, REQUESTER},
    }.get(event, {ACTOR})

    assert events.recipients(EVENTS[event], DATA) == Recipients(
        people=frozenset(people),
        managers="managers" in roles,
        platform_admins="admins" in roles,
        team_webhook="webhook" in roles,
        all_but=frozenset(all_but),
    )


@pytest.mark.parametrize("event", EVENTS)
def test_what_it_says(event: str) -> None:
    said = text(event, **DATA)

    assert said.title == TITLES[event]
    assert said.body.endswith((".", "Save your work now."))
    assert "None" not in said.body


@pytest.mark.parametrize("event", EVENTS)
def test_what_a_message_lacks_is_left_out(event: str) -> None:
    said = text(event)

    assert said.title
    assert "None" not in f"{said.title} {said.body}"
    assert events.recipients(EVENTS[event], {}).people == frozenset()
    assert events.useless_from(EVENTS[event], {}) is None


def test_moments_are_said_in_utc() -> None:
    assert (
        "from 2026-03-01 13:00 UTC to 2026-03-01 17:00 UTC"
        in text("reservation.approved", **DATA).body
    )


def test_one_minute_is_one_minute() -> None:
    assert "in 1 minute" in text("reservation.ending", **{**DATA, "minutes_left": 1}).title


@pytest.mark.parametrize(
    ("event", "deadline"),
    [
        ("reservation.starting", make.at(1)),
        ("reservation.ending", make.at(5)),
        ("reservation.failed", None),
    ],
)
def test_from_its_deadline_on_a_reminder_is_useless(event: str, deadline: object) -> None:
    assert events.useless_from(EVENTS[event], DATA) == deadline


@given(purpose=st.text(max_size=400))
def test_a_title_is_one_line_of_bounded_length(purpose: str) -> None:
    title = text("reservation.failed", **{**DATA, "purpose": purpose}).title

    assert len(title) <= wording.LONGEST_TITLE
    assert len(title.splitlines()) == 1


@pytest.mark.parametrize(
    ("subject", "path"),
    [("reservation:abc", "/reservations/abc/"), ("team:vision", "/teams/vision/"), ("x:1", "/")],
)
def test_a_message_leads_to_its_page(subject: str, path: str) -> None:
    assert wording.path_of(subject) == path


def test_an_event_of_another_version_still_says_its_name() -> None:
    assert text("reservation.teleported").title == "reservation.teleported"


def test_every_event_is_in_the_portal_unless_somebody_says_otherwise() -> None:
    assert all(Channel.PORTAL in event.channels for event in EVENTS.values())


def test_a_warning_says_what_follows_and_when() -> None:
    plain = text("reservation.idle", **DATA)
    warned = text(
        "reservation.idle",
        **DATA,
        pauses_at=make.at(3).isoformat(),
        released_at=make.at(4).isoformat(),
    )

    assert "If it stays so" not in plain.body
    assert "its workspace is stopped after" in warned.body
    assert "it is given back after" in warned.body
