"""When a layout may be, and which step comes next."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.inventory import layouts
from gpuaas.inventory.layouts import CHANGE_TAKES, Seen, Span, State, Step, Times
from tests import make
from tests.make import GPU, SLICE

TIMES = Times(make.at(8), make.at(20))
EMPTY = Seen(is_in_use=False, is_cordoned=True, is_cut=True)
NOTHING = Seen(is_in_use=False, is_cordoned=True, is_cut=False)
BUSY = Seen(is_in_use=True, is_cordoned=True, is_cut=True)
BROKEN = Seen(is_in_use=False, is_cordoned=True, is_cut=False, failed_because="it failed")
OPEN = Seen(is_in_use=False, is_cordoned=False, is_cut=True)


@pytest.mark.parametrize(
    ("state", "hour", "seen", "step"),
    [
        (State.PLANNED, 7.9, EMPTY, None),
        (State.PLANNED, 8, OPEN, Step(State.CLEARING)),
        (State.PLANNED, 8.25, OPEN, State.FAILED),
        (State.CLEARING, 8.1, OPEN, None),
        (State.CLEARING, 8.1, BUSY, None),
        (State.CLEARING, 8.1, NOTHING, None),
        (State.CLEARING, 8.1, EMPTY, Step(State.CUTTING)),
        (State.CLEARING, 8.25, BUSY, State.FAILED),
        (State.CLEARING, 8.25, NOTHING, State.FAILED),
        (State.CUTTING, 8.2, NOTHING, None),
        (State.CUTTING, 8.2, EMPTY, Step(State.STANDS)),
        (State.CUTTING, 8.2, BROKEN, Step(State.ROLLING_BACK, "it failed")),
        (State.CUTTING, 8.5, NOTHING, State.ROLLING_BACK),
        (State.STANDS, 19, EMPTY, None),
        (State.STANDS, 20, EMPTY, Step(State.CLEARING_BACK)),
        (State.CLEARING_BACK, 20.1, BUSY, None),
        (State.CLEARING_BACK, 20.1, OPEN, None),
        (State.CLEARING_BACK, 20.1, NOTHING, Step(State.CUTTING_BACK)),
        (State.CUTTING_BACK, 20.1, NOTHING, None),
        (State.CUTTING_BACK, 20.1, EMPTY, Step(State.OVER)),
        (State.ROLLING_BACK, 9, BROKEN, None),
        (State.ROLLING_BACK, 9, EMPTY, Step(State.FAILED)),
        (State.OVER, 30, EMPTY, None),
    ],
)
def test_the_next_step(state: State, hour: float, seen: Seen, step: Step | State | None) -> None:
    found = layouts.next_step(state, TIMES, seen, since=make.at(8), now=make.at(hour))

    if isinstance(step, State):
        assert found is not None
        assert found.reason
        assert found.to == step
    else:
        assert found == step
    assert found is None or found.to in layouts.TRANSITIONS[state]


@pytest.mark.parametrize(
    ("state", "hour", "seen", "is_late"),
    [
        (State.CUTTING, 30, BROKEN, False),
        (State.CLEARING_BACK, 20.2, BUSY, False),
        (State.CLEARING_BACK, 20.25, BUSY, True),
        (State.CLEARING_BACK, 20.25, OPEN, True),
        (State.CUTTING_BACK, 8.1, BROKEN, True),
        (State.CUTTING_BACK, 8.1, NOTHING, False),
        (State.CUTTING_BACK, 8.25, NOTHING, True),
        (State.ROLLING_BACK, 8.1, BROKEN, False),
        (State.ROLLING_BACK, 8.25, BROKEN, True),
    ],
)
def test_when_people_should_look(state: State, hour: float, seen: Seen, is_late: bool) -> None:
    why = layouts.is_late(state, TIMES, seen, since=make.at(8), now=make.at(hour))

    assert bool(why) == is_late


def test_every_state_has_a_label_and_ends() -> None:
    assert {each.label for each in State}
    assert {State.OVER, State.FAILED, State.CANCELED} == layouts.TERMINAL
    assert layouts.CHANGING < layouts.STANDING


def test_cuts_in_words() -> None:
    assert layouts.in_words({GPU: 1}) == "one whole GPU"
    assert layouts.in_words({SLICE: 1}) == "1 slice of 1g.24gb"
    assert layouts.in_words({SLICE: 2, "nvidia.com/mig-2g.48gb": 1}) == (
        "2 slices of 1g.24gb, 1 slice of 2g.48gb"
    )


@pytest.mark.parametrize(
    ("starts", "ends", "reason", "codes"),
    [
        (make.at(1), make.at(5), "why", []),
        (make.at(1), make.at(5), " ", ["reason_missing"]),
        (make.at(-1), make.at(5), "why", ["layout_in_the_past"]),
        (make.at(24 * 733), make.at(24 * 734), "why", ["layout_too_far"]),
        (make.at(1), make.at(1.5), "why", ["layout_too_short"]),
        (make.at(1), make.at(0), "why", ["layout_too_short"]),
        (make.at(1), make.at(24 * 62), "why", ["layout_too_long"]),
    ],
)
def test_the_rules(starts: datetime, ends: datetime, reason: str, codes: list[str]) -> None:
    found = layouts.problems_with(starts_at=starts, ends_at=ends, reason=reason, now=make.NOON)

    assert [each.code for each in found] == codes


hours = st.integers(0, 60)
spans = st.builds(lambda a, n: Span(make.at(a), make.at(a + n)), hours, st.integers(1, 10))


def fits(times: Times, node: list[Span], devices: list[Span]) -> bool:
    return not any(
        layouts.in_the_way(times, of_the_node=each, is_displaced=False) for each in node
    ) and not any(
        layouts.in_the_way(times, of_the_node=each, is_displaced=True) for each in devices
    )


@given(st.lists(spans, max_size=6), st.lists(spans, max_size=4), hours, st.integers(1, 12))
def test_the_nearest_that_fits_is_the_nearest_there_is(
    node: list[Span], devices: list[Span], start: int, length: int
) -> None:
    wanted = Times(make.at(start), make.at(start + length))

    found = layouts.nearest(
        wanted, on_the_node=node, displaced=devices, earliest=make.at(0), latest=make.at(100)
    )

    assert found is not None  # after the last of them there is room
    assert fits(found, node, devices)
    away = abs(found.starts_at - wanted.starts_at)
    for quarter in range(4 * 100 + 1):
        at = make.at(quarter / 4)
        other = Times(at, at + timedelta(hours=length))
        assert not fits(other, node, devices) or abs(at - wanted.starts_at) >= away


def test_there_may_be_none() -> None:
    found = layouts.nearest(
        TIMES,
        on_the_node=[],
        displaced=[Span(make.at(0), make.at(100))],
        earliest=make.at(0),
        latest=make.at(50),
    )

    assert found is None


@given(spans)
def test_what_fits_lies_in_one_cut_alone(booked: Span) -> None:
    if layouts.in_the_way(TIMES, of_the_node=booked, is_displaced=False):
        return

    before = booked.ends_at <= TIMES.starts_at
    after = booked.starts_at >= TIMES.ends_at + CHANGE_TAKES
    exist = TIMES.planned_exist
    within = exist.starts_at <= booked.starts_at and booked.ends_at <= exist.ends_at
    assert before + after + within == 1
