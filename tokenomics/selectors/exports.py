"""A month as files: what goes into each, and the files that were asked for."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from gpuaas.accounts.models import User
from tokenomics.core.groups import Group
from tokenomics.core.lines import StatementLine
from tokenomics.exports import costs, csv_text, focus, pdf_paper, xlsx_book
from tokenomics.exports.tables import Row, Table
from tokenomics.models.costs import CostLine, CostPeriod, CostPool, CostStatement, PeriodState
from tokenomics.models.exports import CostExport, CostExportPiece, Format
from tokenomics.selectors import lines as lines_of
from tokenomics.selectors import reports

CONTENT_TYPES: Final = {
    Format.CSV.value: "text/csv; charset=utf-8",
    Format.FOCUS.value: "text/csv; charset=utf-8",
    Format.PDF.value: "application/pdf",
    Format.XLSX.value: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MEDIA_TYPES: Final = [kind.partition(";")[0] for kind in CONTENT_TYPES.values()]
Progress = Callable[[int], object]
_BY: Final = (("cost_centre", "Cost centre"), ("team", "Team"), ("model", "Model"))


def exports_visible_to(user: User) -> QuerySet[CostExport]:
    """Return the files that ``user`` asked for: nobody else's, for they may show more."""
    return CostExport.objects.filter(requested_by=user).select_related("period")


def pieces_of(export: CostExport) -> Iterator[bytes]:
    """Return a file piece by piece."""
    pieces = CostExportPiece.objects.filter(export=export).order_by("number")
    for number in range(pieces.count()):
        yield bytes(pieces.values_list("content", flat=True).get(number=number))


def file_name(period: CostPeriod, form: str) -> str:
    """Return what a month's file is called."""
    ending = {"focus": "focus.csv"}.get(form, form)
    return f"costs-{period}.{ending}"


def may_export(user: User | None, form: str) -> bool:
    """Return whether ``user`` may have a month in that format: a statement is for finance."""
    return form != Format.PDF or user is None or reports.sees_all_money(user)


def count(period: CostPeriod, user: User | None, *, now: datetime) -> int:
    """Return how many lines of ``period`` there are for ``user``."""
    return reports.lines_visible_to(user, now=now).filter(period=period).count()


def write(
    period: CostPeriod,
    form: str,
    path: Path,
    *,
    user: User | None,
    now: datetime,
    has_bom: bool = False,
    progress: Progress = lambda _: None,
) -> None:
    """Write what ``user`` may see of ``period`` into ``path``.

    The same lines make the same bytes; those of a closed month never change.  ``progress`` is told
    how many lines are written.  Raises `xlsx_book.TooManyRows`.
    """
    of, visible = month_of(period), reports.lines_visible_to(user, now=now)
    if form == Format.FOCUS:
        _write(path, focus.pieces(_charges(of, period, visible, progress), by=_provider()))
    elif form == Format.CSV:
        table = costs.lines_table(of, _lines(period, visible, progress))
        _write(path, csv_text.pieces(table, bom=has_bom))
    elif form == Format.XLSX:
        tables = [*_groups(of, period, user, now)]
        lines = costs.lines_table(of, _lines(period, visible, progress))
        xlsx_book.write(path, [*tables, lines])
    else:
        centres = reports.grouped(period, by="cost_centre", user=user, now=now)
        pdf_paper.write(path, costs.statement(of, _facts(of, period), centres, _categories(period)))
        progress(count(period, user, now=now))


def month_of(period: CostPeriod) -> costs.Month:
    """Return the month as files have it: with the number of its statement, once it is closed."""
    whole = CostStatement.objects.filter(period=period, cost_centre=None).first()
    pools = CostPool.objects.filter(period=period).order_by("category")
    entered = CostLine.objects.filter(period=period, adjustment__isnull=False)
    names = set(pools.values_list("category", flat=True).distinct())
    names |= {name for amounts in entered.values_list("amounts", flat=True) for name in amounts}
    return costs.Month(
        month=period.month,
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        currency=period.currency,
        statement=whole.number if whole else f"{period} (not closed)",
        categories=tuple(sorted(names)),
    )


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)


def _lines(
    period: CostPeriod, visible: QuerySet[CostLine], progress: Progress
) -> Iterator[StatementLine]:
    done = 0
    for piece in lines_of.in_pieces(period, visible):
        yield from piece
        done += len(piece)
        progress(done)


def _charges(
    of: costs.Month, period: CostPeriod, visible: QuerySet[CostLine], progress: Progress
) -> Iterator[focus.Charge]:
    done = 0
    for piece in lines_of.in_pieces(period, visible):
        yield from costs.charges(of, piece)
        for line, tokens in lines_of.tokens_beside(period, piece):
            yield from costs.token_charges(of, line, tokens)
        done += len(piece)
        progress(done)


def _groups(
    of: costs.Month, period: CostPeriod, user: User | None, now: datetime
) -> Iterator[Table]:
    for by, first in _BY:
        groups: list[Group] = reports.grouped(period, by=by, user=user, now=now)
        yield costs.groups_table(of, f"By {first.lower()}", first, groups)
    yield costs.matrix_table(of, reports.by_team_pool_and_model(period, user=user, now=now))


def _categories(period: CostPeriod) -> list[Row]:
    """Return what the lines come to by category."""
    sums: dict[str, int] = {}
    every = CostLine.objects.filter(period=period).values_list("amounts", flat=True)
    for amounts in every.iterator(chunk_size=lines_of.AT_ONCE):
        for name, amount in amounts.items():
            sums[name] = sums.get(name, 0) + amount
    return [(name.capitalize(), amount) for name, amount in sorted(sums.items())]


def _facts(of: costs.Month, period: CostPeriod) -> list[tuple[str, str]]:
    hours = (period.ends_at - period.starts_at).total_seconds() / 3600
    whole = CostStatement.objects.filter(period=period, cost_centre=None).first()
    facts = [
        ("Month", f"{of.name}, {hours:.0f} hours, {period.time_zone}"),
        ("State", PeriodState(period.state).label),
        ("Who pays what is idle", period.get_idle_policy_display()),
        ("Inputs", f"Cost sheet {period.sheet}" if period.sheet else "no cost sheet"),
    ]
    if whole:
        closed_by = period.closed_by.username if period.closed_by else ""
        facts += [
            ("Closed", f"{period.closed_at:%Y-%m-%d %H:%M} UTC by {closed_by}"),
            ("Lines", f"{whole.lines:,}, SHA-256 {whole.lines_digest}"),
            ("Statement", f"SHA-256 {whole.digest}"),
        ]
    return facts


def _provider() -> focus.Provider:
    return focus.Provider("GPUaaS platform", settings.PLATFORM_COST_CENTRE, "GPUaaS platform")
