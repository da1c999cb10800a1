"""`sessions.attendance`: what is not known is never held against anybody."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.attendance import (
    LONGEST_GAP,
    PROBED_EVERY_AT_LEAST,
    Evidence,
    Limits,
    Verdict,
    judge,
)
from tests import make

MINUTE = timedelta(minutes=1)
NO_SHOW, IDLE = 30 * MINUTE, 60 * MINUTE
RULES = Limits(NO_SHOW, IDLE, pause=75 * MINUTE, release=90 * MINUTE)
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
        ({"active_at": 5}, 500, Verdict.NOTHING),
        ({"unseen_at": 10}, 39.9, Verdict.NOTHING),
        ({"unseen_at": 10}, 40, Verdict.NO_SHOW),
        ({"watched_since": 20}, 49.9, Verdict.NOTHING),
        ({"watched_since": 20}, 50, Verdict.NO_SHOW),
        ({"watched_until": 40}, 42.1, Verdict.NOTHING),
        ({"watched_until": 40}, 42, Verdict.NO_SHOW),
    ],
)
def test_what_the_evidence_says(known: dict[str, float], minutes: float, verdict: Verdict) -> None:
    moments: dict[str, Any] = {name: make.NOON + at(each) for name, each in known.items()}
    evidence = replace(WATCHED, **moments)

    assert judge(evidence, RULES, now=make.NOON + at(minutes)) == verdict


@pytest.mark.parametrize(
    ("known", "minutes", "verdict"),
    [
        ({}, 500, Verdict.NOTHING),  # never probed
        ({"quiet_since": 10}, 69.9, Verdict.NOTHING),
        ({"quiet_since": 10}, 70, Verdict.IDLE),
        ({"quiet_since": 10, "told_at": 5}, 70, Verdict.IDLE),  # told of another time
        ({"quiet_since": 10, "told_at": 70}, 84.9, Verdict.NOTHING),
        ({"quiet_since": 10, "told_at": 70}, 85, Verdict.PAUSE),
        ({"quiet_since": 10, "told_at": 70}, 100, Verdict.RELEASE),
        ({"quiet_since": 10, "told_at": 95}, 100, Verdict.NOTHING),  # warned for too short a time
    ],
)
def test_what_quiet_probes_say(known: dict[str, float], minutes: float, verdict: Verdict) -> None:
    now = make.NOON + at(minutes)
    moments: dict[str, Any] = {name: make.NOON + at(each) for name, each in known.items()}
    evidence = replace(WATCHED, active_at=make.NOON, watched_until=now, probed_at=now, **moments)

    assert judge(evidence, RULES, now=now) == verdict
    # A probe that did not come is no quiet probe.
    late = replace(evidence, probed_at=now - PROBED_EVERY_AT_LEAST - MINUTE)
    assert judge(late, RULES, now=now) == Verdict.NOTHING
    assert judge(replace(evidence, probed_at=None), RULES, now=now) == Verdict.NOTHING


def test_what_is_paused_is_not_paused_again_and_is_given_back_all_the_same() -> None:
    def verdict(minutes: float, limits: Limits) -> Verdict:
        now = make.NOON + at(minutes)
        evidence = replace(
            WATCHED,
            active_at=make.NOON,
            watched_until=now,
            probed_at=now,
            quiet_since=make.NOON,
            told_at=make.NOON + IDLE,
            is_paused=True,
        )
        return judge(evidence, limits, now=now)

    assert verdict(80, RULES) == Verdict.NOTHING
    assert verdict(90, RULES) == Verdict.RELEASE
    assert verdict(500, replace(RULES, release=None)) == Verdict.NOTHING
    assert verdict(500, Limits(idle=IDLE)) == Verdict.NOTHING


def test_without_a_rule_nothing_follows() -> None:
    assert judge(WATCHED, Limits(), now=make.at(8)) == Verdict.NOTHING
    quiet = replace(WATCHED, quiet_since=make.NOON, probed_at=make.at(8))
    assert judge(quiet, Limits(), now=make.at(8)) == Verdict.NOTHING


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

    if judge(evidence, Limits(no_show=NO_SHOW), now=now) == Verdict.NO_SHOW:
        assert active_at is None
        assert now - until <= LONGEST_GAP
        assert now - since >= NO_SHOW
        assert unseen_at is None or now - unseen_at >= NO_SHOW
