"""Tables and charges that tests of several formats write."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from tokenomics.exports.focus import Charge, Provider, Status
from tokenomics.exports.tables import Column, Kind, Row, Table

COLUMNS: Final = (
    Column("Cost centre"),
    Column("Day", Kind.DAY),
    Column("Since", Kind.INSTANT),
    Column("GPU-hours", Kind.HOURS, is_summed=True),
    Column("Tokens", Kind.COUNT, is_summed=True),
    Column("Amount", Kind.MONEY, is_summed=True),
    Column("Per million", Kind.RATE),
)
HOSTILE: Final = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1")
BY: Final = Provider("Platform team", "gpuaas", "GPUaaS")


def row(name: str = "Vision", *, minor: int | None = 22_854) -> Row:
    return (
        name,
        date(2026, 10, 1),
        datetime(2026, 10, 1, 8, tzinfo=UTC),
        Decimal("186.00"),
        1_250_000,
        minor,
        Decimal("1.2345"),
    )


def table(*rows: Row, currency: str = "EUR", title: str = "October") -> Table:
    return Table(title, currency, COLUMNS, rows)


def charge() -> Charge:
    """Return a charge for used hours of a slice."""
    first, last = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    return Charge(
        billed_from=first,
        billed_until=last,
        charged_from=first,
        charged_until=last,
        currency="EUR",
        amount_minor=12_570,
        description="Power, booked and used",
        invoice="2026-10/1",
        sku="mig-1g.24gb/power",
        meter="Slice Hours",
        resource_id="node-1/gpu-0/slice-0",
        resource_name="node-1, slice 0 of GPU 0",
        resource_type="nvidia.com/mig-1g.24gb",
        region="lab",
        sub_account="cc-4711",
        sub_account_name="Risk analytics",
        hours=Decimal("102.3"),
        reservation="urn:gpuaas:reservation:1",
        status=Status.USED,
        details={"x_Category": "power"},
        tags={"team": "risk", "user": "ada"},
    )


def charges() -> Iterable[Charge]:
    """Return a charge of every sort that a month has."""
    used = charge()
    yield used
    yield replace(used, status=Status.UNUSED, amount_minor=10_284, hours=Decimal("83.7"))
    for meter, tokens, cost in (
        ("Input Tokens", 8_400_000, Decimal("5.25")),
        ("Output Tokens", 2_100_000, Decimal("25.5")),
        ("Cache Read Input Tokens", 50_000_000, None),
    ):
        yield replace(
            used, amount_minor=0, meter=meter, sku=meter, tokens=tokens, cost_per_million=cost
        )
    idle = replace(used, reservation="", status=None, description="Idle", tags={})
    yield replace(idle, sub_account="platform", sub_account_name="Platform")
    earlier = datetime(2026, 9, 3, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
    correction = replace(idle, is_correction=True, amount_minor=-100, hours=Decimal(-2))
    yield replace(correction, charged_from=earlier[0], charged_until=earlier[1])
    yield replace(idle, is_adjustment=True, amount_minor=333, description="Rounding of a contract")
