"""`sessions.attendance`: what is not known is never held against anybody."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.attendance import LONGEST_GAP, Evidence, Verdict, judge
from tests import make

MINUTE = timedelta(minutes=1)
NO_SHOW, IDLE = 30 * MINUTE, 60 * MINUTE
WATCHED = Evidence(
    ready_at=make.NOON,
    active_at=None,
    unseen_at=None,
    watched_since=make.at(-5),
    watched_until=make.at(9),
)


def at(minutes: float) -> timedelta:
    return minutes * MINUTE


@pytest.mark.parametrize(
    ("known", "minutes", "verdict"),
    [
        ({}, 29.9, Verdict.NOTHING),
        ({}, 30, Verdict.NO_SHOW),
        ({}, 500, Verdict.NO_SHOW),
        ({"active_at": 5}, 64.9, Verdict.NOTHING),
        ({"active_at": 5}, 65, Verdict.IDLE),
        ({"unseen_at": 10}, 39.9, Verdict.NOTHING),
        ({"unseen_at": 10}, 40, Verdict.NO_SHOW),
        ({"watched_since": 20}, 49.9, Verdict.NOTHING),
        ({"watched_since": 20}, 50, Verdict.NO_SHOW),
        ({"watched_since": 20, "active_at": 5}, 79.9, Verdict.NOTHING),
        ({"watched_since": 20, "active_at": 5}, 80, Verdict.IDLE),
        ({"watched_until": 40}, 42.1, Verdict.NOTHING),
        ({"watched_until": 40}, 42, Verdict.NO_SHOW),
    ],
)
def test_what_the_evidence_says(known: dict[str, float], minutes: float, verdict: Verdict) -> None:
    evidence = replace(WATCHED, **{name: make.NOON + at(each) for name, each in known.items()})

    assert judge(evidence, no_show=NO_SHOW, idle=IDLE, now=make.NOON + at(minutes)) == verdict


def test_without_a_rule_nothing_follows() -> None:
    assert judge(WATCHED, no_show=None, idle=None, now=make.at(8)) == Verdict.NOTHING
    assert judge(WATCHED, no_show=None, idle=IDLE, now=make.at(8)) == Verdict.IDLE


moments = st.integers(0, 600).map(lambda minutes: make.NOON + at(minutes))


@given(
    active_at=st.none() | moments,
    unseen_at=st.none() | moments,
    since=moments,
    until=moments,
    now=moments,
)
def test_nobody_is_given_up_who_was_seen_or_not_watched_for_long_enough(
    active_at: datetime | None,
    unseen_at: datetime | None,
    since: datetime,
    until: datetime,
    now: datetime,
) -> None:
    evidence = replace(
        WATCHED,
        active_at=active_at,
        unseen_at=unseen_at,
        watched_since=since,
        watched_until=until,
    )

    if judge(evidence, no_show=NO_SHOW, idle=None, now=now) == Verdict.NO_SHOW:
        assert active_at is None
        assert now - until <= LONGEST_GAP
        assert now - since >= NO_SHOW
        assert unseen_at is None or now - unseen_at >= NO_SHOW
