"""Which hour and which month an entry of the ledger counts in, and what is no entry."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tokenomics.core import ledger

NOV = date(2026, 11, 1)
DEC = date(2026, 12, 1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def usage(**changes: object) -> ledger.Usage:
    given: dict[str, object] = {
        "source": "gateway",
        "event_id": "1",
        "booking": ledger.Booking(1, 2, 3, utc("2026-11-10T08:00"), utc("2026-11-10T12:00")),
        "engine": "vllm",
        "model": "qwen",
        "started_at": utc("2026-11-10T09:00"),
        "ended_at": utc("2026-11-10T09:01"),
        "generated": 5,
    }
    return ledger.Usage(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("started", "ended", "hour"),
    [
        ("2026-11-10T09:00", "2026-11-10T09:01", "2026-11-10T09:00"),
        ("2026-11-10T09:59:30", "2026-11-10T10:00:30", "2026-11-10T10:00"),
        ("2026-11-10T09:59", "2026-11-10T10:00", "2026-11-10T09:00"),  # ends with the hour
        ("2026-11-10T10:00", "2026-11-10T10:00", "2026-11-10T10:00"),  # takes no time
    ],
)
def test_an_entry_counts_in_the_hour_in_which_it_ended(started: str, ended: str, hour: str) -> None:
    assert ledger.hour_of(utc(started), utc(ended)) == utc(hour)


@pytest.mark.parametrize(
    ("arrived", "closed_before", "month"),
    [
        ("2026-11-30T23:30", None, NOV),
        ("2026-12-03T23:59:59", None, NOV),  # within three days
        ("2026-12-04T00:00", None, DEC),  # and not after
        ("2027-01-20T00:00", None, date(2027, 1, 1)),
        ("2026-12-02T00:00", DEC, DEC),  # closed early
        ("2026-12-02T00:00", NOV, NOV),
        ("2026-12-20T00:00", date(2027, 2, 1), date(2027, 2, 1)),  # closed ahead of time
    ],
)
def test_late_data_goes_into_its_month_within_grace_then_into_the_open_one(
    arrived: str, closed_before: date | None, month: date
) -> None:
    hour = utc("2026-11-30T23:00")

    assert ledger.charged_month(hour, arrived_at=utc(arrived), closed_before=closed_before) == month


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"generated": -1}, "generated"),
        ({"prompt_computed": 10**12 + 1}, "prompt_computed"),
        ({"requests": 10**9 + 1}, "requests"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"model": "a\0b"}, "model"),
        ({"ended_at": utc("2026-11-10T08:59")}, "ended_at"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ledger.BadEntry) as refused:
        usage(**changes)

    assert refused.value.field == field


@pytest.mark.parametrize(
    "changes",
    [
        {"generated": 6},
        {"generated": None},
        {"prompt_cached": 0},  # unknown is not 0
        {"model": "other"},
        {"ended_at": utc("2026-11-10T09:02")},
        {"booking": ledger.Booking(9, 2, 3, utc("2026-11-10T08:00"), utc("2026-11-10T12:00"))},
    ],
)
def test_the_digest_tells_bodies_apart(changes: dict[str, object]) -> None:
    assert usage(**changes).digest != usage().digest


def test_the_digest_is_of_the_instant_whatever_its_zone() -> None:
    elsewhere = utc("2026-11-10T09:00").astimezone(tz=None)

    assert usage(started_at=elsewhere, evidence={"from": 1}).digest == usage().digest
    assert ledger.month_after(date(2026, 12, 1)) == date(2027, 1, 1)
    assert timedelta(days=3) == ledger.GRACE
