"""A month's lines as tables, as charges of FOCUS and as the statement for signature."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from gpuaas.core.money import digits_of
from tokenomics.core.groups import BookingTokens, Group, rates_by_kind
from tokenomics.core.ledger import month_after
from tokenomics.core.lines import LineKind, StatementLine
from tokenomics.core.per_million import Denominator, Tokens
from tokenomics.exports.focus import Charge, Status
from tokenomics.exports.pdf_paper import Paper
from tokenomics.exports.tables import Cell, Column, Kind, Row, Table

NO_COST_CENTRE: Final = "(none)"
SAID: Final = {
    LineKind.BOOKED_USED: "Booked, used",
    LineKind.BOOKED_UNUSED: "Booked, unused",
    LineKind.FAILED: "Failed by the platform",
    LineKind.IDLE: "Idle",
    LineKind.STRANDED: "Stranded",
    LineKind.OUTAGE: "Outage",
    LineKind.VARIANCE: "Variance",
    LineKind.ADJUSTMENT: "Adjustment",
    LineKind.CORRECTION: "Correction",
}
_STATUS: Final = {
    LineKind.BOOKED_USED: Status.USED,
    LineKind.BOOKED_UNUSED: Status.UNUSED,
    LineKind.FAILED: Status.UNUSED,
}
_ENTERED: Final = frozenset({LineKind.VARIANCE, LineKind.ADJUSTMENT, LineKind.CORRECTION})
_HOURS: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Month:
    """The month that is reported.  ``categories`` are those of its lines, in order.

    ``statement`` is the number of the statement of a closed month, else what its state is called.
    """

    month: date
    starts_at: datetime
    ends_at: datetime
    currency: str
    statement: str
    categories: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.month:%Y-%m}"


def lines_table(of: Month, lines: Iterable[StatementLine]) -> Table:
    """Return every line with all that is known of it, a column for each category."""
    columns = (
        Column("Line", Kind.COUNT),
        *(Column(name) for name in ("Month", "Kind", "Cost centre", "Team", "Person", "Project")),
        *(Column(name) for name in ("Pool", "Node", "Device", "Resource", "Reservation")),
        *(Column(name, Kind.INSTANT) for name in ("Starts at (UTC)", "Ends at (UTC)")),
        *(Column(name, Kind.HOURS, is_summed=True) for name in ("Device hours", "GPU-hours")),
        *(Column(_title(name), Kind.MONEY, is_summed=True) for name in of.categories),
        Column("Amount", Kind.MONEY, is_summed=True),
        *(Column(name) for name in ("Currency", "Activity", "Corrects", "Reason", "Approved by")),
    )
    return Table(f"Lines {of.name}", of.currency, columns, (_line(of, each) for each in lines))


def groups_table(of: Month, title: str, first: str, groups: Iterable[Group]) -> Table:
    """Return groups with what they used, what it cost, and what a million tokens came to."""
    columns = (
        Column(first),
        Column("Bookings", Kind.COUNT, is_summed=True),
        Column("GPU-hours", Kind.HOURS, is_summed=True),
        *(Column(n, Kind.MONEY, is_summed=True) for n in ("Booked, used", "Booked, unused")),
        *(Column(n, Kind.MONEY, is_summed=True) for n in ("Idle and stranded", "Other", "Amount")),
        *(Column(n, Kind.COUNT, is_summed=True) for n in ("Prompt computed", "Prompt cached")),
        Column("Generated", Kind.COUNT, is_summed=True),
        Column("Amount with tokens", Kind.MONEY, is_summed=True),
        *(Column(f"{of.currency} per million, {by.value}", Kind.RATE) for by in Denominator),
    )
    return Table(title, of.currency, columns, (_group(of, each) for each in groups))


def matrix_table(of: Month, rows: Iterable[tuple[str, str, str, int, Tokens]]) -> Table:
    """Return what each team paid in each pool for each model, and the tokens that it got."""
    columns = (
        *(Column(name) for name in ("Team", "Pool", "Model")),
        Column("Amount", Kind.MONEY, is_summed=True),
        *(Column(n, Kind.COUNT, is_summed=True) for n in ("Prompt computed", "Prompt cached")),
        Column("Generated", Kind.COUNT, is_summed=True),
    )
    cells = (
        (team, pool, model, amount, t.prompt_computed, t.prompt_cached, t.generated)
        for team, pool, model, amount, t in rows
    )
    return Table("By team, pool and model", of.currency, columns, cells)


def statement(
    of: Month, facts: Sequence[tuple[str, str]], groups: Sequence[Group], lines: Sequence[Row]
) -> Paper:
    """Return the statement to sign: what each cost centre pays, and by category."""
    by_centre = Table(
        "What each cost centre pays",
        of.currency,
        (
            Column("Cost centre"),
            Column("GPU-hours", Kind.HOURS),
            Column("Booked, used", Kind.MONEY, is_summed=True),
            Column("Booked, unused", Kind.MONEY, is_summed=True),
            Column("Idle, stranded", Kind.MONEY, is_summed=True),
            Column("Other", Kind.MONEY, is_summed=True),
            Column("Amount", Kind.MONEY, is_summed=True),
        ),
        [
            (
                each.name,
                rounded(each.gpu_hours, 2),
                each.used_minor,
                each.unused_minor,
                each.idle_minor,
                each.other_minor,
                each.total_minor,
            )
            for each in groups
        ],
    )
    by_category = Table(
        "Of which",
        of.currency,
        (Column("Category"), Column("Amount", Kind.MONEY, is_summed=True)),
        lines,
    )
    return Paper(
        title=f"Cost statement {of.statement}",
        subtitle=f"{of.month:%B %Y}, all amounts in {of.currency}",
        facts=facts,
        tables=(by_centre, by_category),
        notes=(
            "GPU-hours are hours of whole physical GPUs; a slice counts by its size.",
            "Booked, unused: reserved, so that nobody else could have it, and not worked on.",
        ),
        signatures=("Prepared by", "Approved by"),
        foot=f"GPUaaS cost statement {of.statement}",
    )


def charges(of: Month, lines: Iterable[StatementLine]) -> Iterator[Charge]:
    """Return every line as a charge."""
    return (_charge(of, line) for line in lines)


def _line(of: Month, line: StatementLine) -> Row:
    activity = {True: "measured", False: "not measured", None: None}[line.is_measured]
    cells: list[Cell] = [line.number, of.name, SAID[line.kind], line.cost_centre, line.team]
    cells += [line.user, line.purpose, line.pool, line.node, line.device, line.resource_name]
    cells += [line.reservation, line.starts_at, line.ends_at]
    cells += [line.hours.quantize(_HOURS), line.gpu_hours.quantize(_HOURS)]
    cells += [line.amounts.get(name, 0) for name in of.categories]
    corrects = f"{line.corrects:%Y-%m}" if line.corrects else None
    cells += [line.amount_minor, line.currency, activity, corrects, line.reason, line.approved_by]
    return cells


def _group(of: Month, group: Group) -> Row:
    rates = [group.per_million(by) for by in Denominator]
    return [
        group.name,
        group.bookings,
        rounded(group.gpu_hours, 2),
        group.used_minor,
        group.unused_minor,
        group.idle_minor,
        group.other_minor,
        group.total_minor,
        group.tokens.prompt_computed,
        group.tokens.prompt_cached,
        group.tokens.generated,
        group.covered_minor,
        *(None if rate is None else rate.scaleb(-digits_of(of.currency)) for rate in rates),
    ]


def rounded(number: Decimal | None, digits: int) -> Decimal | None:
    """Return ``number`` half up to ``digits`` digits."""
    if number is None:
        return None
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _charge(of: Month, line: StatementLine) -> Charge:
    since, until = _charged(of, line)
    is_entered = line.kind in _ENTERED
    what = line.resource_name or "GPU capacity"
    details = {f"x_{name}": _plain(of, line.amounts.get(name, 0)) for name in of.categories}
    tags = {"kind": line.kind.value, "team": line.team, "user": line.user, "project": line.purpose}
    reservation = f"urn:gpuaas:reservation:{line.reservation}" if line.reservation else ""
    return Charge(
        billed_from=of.starts_at,
        billed_until=of.ends_at,
        charged_from=since,
        charged_until=until,
        currency=of.currency,
        amount_minor=line.amount_minor,
        description=line.reason or f"{SAID[line.kind]}: {what}",
        invoice=of.statement,
        sku=f"gpuaas/{line.resource_name or line.kind.value}",
        meter="GPU Hours",
        resource_id="/".join(filter(None, (line.pool, line.node, line.device))) or line.kind.value,
        resource_name=line.device or line.node or line.pool or SAID[line.kind],
        resource_type=what,
        region=line.pool,
        sub_account=line.cost_centre or NO_COST_CENTRE,
        sub_account_name=line.cost_centre or NO_COST_CENTRE,
        hours=line.gpu_hours.quantize(_HOURS),
        reservation="" if is_entered else reservation,
        status=_STATUS.get(line.kind) if reservation and not is_entered else None,
        is_correction=line.kind is LineKind.CORRECTION,
        is_adjustment=is_entered,
        details=details,
        tags={name: value for name, value in tags.items() if value},
    )


def token_charges(of: Month, line: StatementLine, each: BookingTokens) -> Iterator[Charge]:
    """Return the tokens of a model, a charge for each kind, in the booking of ``line``."""
    base = _charge(of, line)
    prices = rates_by_kind(each.amount_minor, each.tokens)
    counts = (each.tokens.prompt_computed, each.tokens.prompt_cached, each.tokens.generated)
    meters = ("Input Tokens", "Cache Read Input Tokens", "Output Tokens")
    for meter, count, price in zip(meters, counts, prices, strict=True):
        if count:
            yield Charge(
                **{
                    **{name: getattr(base, name) for name in _OF_THE_BOOKING},
                    "amount_minor": 0,
                    "description": f"{meter} of {each.model}",
                    "sku": f"{each.model}/{meter}",
                    "meter": meter,
                    "tokens": count,
                    "cost_per_million": None
                    if price is None
                    else price.scaleb(-digits_of(of.currency)),
                    "status": Status.USED,
                    "details": {"x_Model": each.model, "x_TokenType": meter},
                }
            )


_OF_THE_BOOKING: Final = (
    *("billed_from", "billed_until", "charged_from", "charged_until", "currency", "invoice"),
    *("resource_id", "resource_name", "resource_type", "region", "sub_account"),
    *("sub_account_name", "reservation", "tags"),
)


def _charged(of: Month, line: StatementLine) -> tuple[datetime, datetime]:
    """Return when it was used: within the month, or the closed month that it corrects."""
    if line.corrects:
        return _midnight(line.corrects), _midnight(month_after(line.corrects))
    since = max(line.starts_at or of.starts_at, of.starts_at)
    until = min(line.ends_at or of.ends_at, of.ends_at)
    return (since, until) if since < until else (of.starts_at, of.ends_at)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)


def _plain(of: Month, minor: int) -> str:
    return f"{Decimal(minor).scaleb(-digits_of(of.currency)):f}"


def _title(category: str) -> str:
    return category[:1].upper() + category[1:]
