"""`gpuaas.inventory.closing`: every reason against a closure, at once."""

from datetime import timedelta

import pytest

from gpuaas.inventory.closing import HORIZON, LONGEST, problems_with
from tests import make

NOW = make.NOON + timedelta(seconds=30)
HOUR = timedelta(hours=1)


def codes(starts: timedelta, length: timedelta, reason: str = "new firmware") -> list[str]:
    found = problems_with(
        starts_at=NOW + starts, ends_at=NOW + starts + length, reason=reason, now=NOW
    )
    return [problem.code for problem in found]


@pytest.mark.parametrize(
    ("starts", "length", "expected"),
    [
        (timedelta(), HOUR, []),
        (-timedelta(seconds=30), HOUR, []),  # this very minute
        (-timedelta(seconds=31), HOUR, ["closure_in_the_past"]),
        (HORIZON, LONGEST, []),
        (HORIZON + timedelta(seconds=1), HOUR, ["closure_too_far"]),
        (HOUR, LONGEST + timedelta(seconds=1), ["closure_too_long"]),
        (HOUR, timedelta(), ["closure_ends_first"]),
        (HOUR, -HOUR, ["closure_ends_first"]),
        (-HOUR, -HOUR, ["closure_in_the_past", "closure_ends_first"]),
    ],
)
def test_when(starts: timedelta, length: timedelta, expected: list[str]) -> None:
    assert codes(starts, length) == expected


def test_without_a_reason_nobody_understands_it() -> None:
    assert codes(HOUR, HOUR, reason=" ") == ["reason_missing"]


def test_a_problem_names_the_nearest_yes() -> None:
    (problem,) = problems_with(
        starts_at=make.NOON, ends_at=make.NOON + LONGEST * 2, reason="x", now=make.NOON
    )

    assert (problem.field, "366 days" in problem.message) == ("ends_at", True)
    assert "2027-03-02 12:00 UTC" in problem.message
