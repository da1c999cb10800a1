"""`tokenomics.core.months`: local months, their hours, and parts of them."""

from datetime import UTC, date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from tokenomics.core.months import Month, hours_between, month_at, months_since

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("month", "hours"), [(date(2026, 3, 1), 743), (date(2026, 10, 1), 745), (date(2026, 5, 1), 744)]
)
def test_months_in_which_the_clock_changes(month: date, hours: int) -> None:
    found = Month(month, BERLIN)

    assert len(list(hours_between(found.starts_at, found.ends_at))) == hours


def test_a_month_begins_at_local_midnight() -> None:
    assert Month(date(2026, 10, 1), BERLIN).starts_at == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert month_at(datetime(2026, 9, 30, 23, tzinfo=UTC), BERLIN).month == date(2026, 10, 1)


def test_the_part_of_a_month_that_has_passed() -> None:
    month = Month(date(2026, 11, 1), UTC_ZONE)

    assert month.part_until(datetime(2026, 10, 1, tzinfo=UTC)) == 0
    assert month.part_until(datetime(2026, 11, 16, tzinfo=UTC)) == Fraction(1, 2)
    assert month.part_until(datetime(2027, 1, 1, tzinfo=UTC)) == 1


def test_months_since_a_day() -> None:
    day = date(2026, 11, 16)

    assert months_since(day, datetime(2026, 12, 1, tzinfo=UTC), UTC_ZONE) == Fraction(1, 2)
    assert months_since(day, datetime(2027, 12, 1, tzinfo=UTC), UTC_ZONE) == Fraction(25, 2)
    assert months_since(day, datetime(2026, 1, 1, tzinfo=UTC), UTC_ZONE) == 0
