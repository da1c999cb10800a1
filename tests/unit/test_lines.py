"""Lines of a month's cost as plain data: hours, and canonical JSON."""

from datetime import UTC, date, datetime
from decimal import Decimal

from tokenomics.core.lines import (
    NS_PER_HOUR,
    LineKind,
    StatementLine,
    canonical,
)

LINE = StatementLine(
    number=1,
    period=date(2026, 10, 1),
    currency="EUR",
    kind=LineKind.BOOKED_USED,
    amounts={"power": 2, "capital": 100},
    amount_minor=102,
    team="vision",
    starts_at=datetime(2026, 10, 3, 8, tzinfo=UTC),
    device_ms=5_400_000,
    gpu_ns=NS_PER_HOUR * 3 // 8,
    is_measured=False,
)


def test_hours_are_exact() -> None:
    assert (LINE.hours, LINE.gpu_hours) == (Decimal("1.5"), Decimal("0.375"))


def test_the_same_values_are_the_same_bytes_in_whatever_order() -> None:
    assert canonical({"b": 1, "a": {"d": "ü", "c": date(2026, 1, 1)}}) == (
        '{"a":{"c":"2026-01-01","d":"ü"},"b":1}'.encode()
    )
