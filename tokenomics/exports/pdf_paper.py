"""PDF on A4: facts, tables and lines to sign on.  The same paper makes the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Table as Grid

from gpuaas.core.money import digits_of
from tokenomics.exports.tables import Cell, Column, Kind, Table, major, written

MOST_ROWS: Final = 2_000
"""Nobody signs more; what a statement is the sum of goes into CSV or XLSX."""

_FONTS: Final = Path(__file__).parent / "fonts"
_TEXT, _BOLD, _EAST_ASIAN = "Inter-Regular", "Inter-SemiBold", "DroidSansFallback"
_INK, _FAINT, _RULE, _SHADE = map(HexColor, ("#182433", "#5b6776", "#c8d0d9", "#f3f5f8"))
_MARGIN: Final = 18 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed: under the title the facts, then the tables, then who signs."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    notes: Sequence[str]
    signatures: Sequence[str]
    foot: str


def write(path: Path, paper: Paper) -> None:
    """Write the paper; a table longer than `MOST_ROWS` is cut, and says so."""
    _register()
    document = BaseDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 6 * mm,
        invariant=1,
        title=paper.title,
        author="GPUaaS",
        lang="en",
    )
    frame = Frame(document.leftMargin, document.bottomMargin, _WIDTH, document.height, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", [frame]))
    story: list[Flowable] = [
        _paragraph(paper.title, 17, bold=True, after=1),
        _paragraph(paper.subtitle, 10, faint=True, after=5 * mm),
        _facts(paper.facts),
    ]
    for table in paper.tables:
        story += [Spacer(0, 6 * mm), *_table(table)]
    story += [Spacer(0, 4 * mm), *(_paragraph(n, _SIZE, faint=True, after=2) for n in paper.notes)]
    if paper.signatures:
        story.append(KeepTogether([Spacer(0, 14 * mm), _signatures(paper.signatures)]))
    document.build(story, canvasmaker=lambda *a, **k: _Pages(paper.foot, *a, **k))


class _Pages(Canvas):  # type: ignore[misc]
    """A canvas that knows how many pages there are before it writes the feet."""

    def __init__(self, foot: str, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._foot = foot
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 -- the library's name
        self._kept.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, state in enumerate(self._kept, start=1):
            self.__dict__.update(state)
            self._write_foot(f"Page {number} of {len(self._kept)}")
            super().showPage()
        super().save()

    def _write_foot(self, page: str) -> None:
        self.setStrokeColor(_RULE)
        self.line(_MARGIN, _MARGIN, A4[0] - _MARGIN, _MARGIN)
        self.setFillColor(_FAINT)
        self.setFont(_TEXT, 7)
        self.drawString(_MARGIN, _MARGIN - 4 * mm, self._foot)
        self.drawRightString(A4[0] - _MARGIN, _MARGIN - 4 * mm, page)


def _facts(facts: Sequence[tuple[str, str]]) -> Flowable:
    rows = [[_paragraph(name, _SIZE, faint=True), _paragraph(of, _SIZE)] for name, of in facts]
    grid = Grid(rows, colWidths=[42 * mm, _WIDTH - 42 * mm], hAlign="LEFT")
    grid.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(1.2 * mm)]))
    return grid


def _table(table: Table) -> list[Flowable]:
    rows, more = [], 0
    sums: dict[int, int | Decimal] = dict.fromkeys(range(len(table.columns)), 0)
    for number, row in enumerate(table.rows):
        for index, cell in enumerate(row):
            if table.columns[index].is_summed and isinstance(cell, int | Decimal):
                sums[index] += cell
        if number < MOST_ROWS:
            rows.append([_cell(cell, table.columns[i], table) for i, cell in enumerate(row)])
        else:
            more += 1
    head = [_paragraph(c.name, 7, bold=True, right=_is_number(c)) for c in table.columns]
    foot = []
    if any(column.is_summed for column in table.columns):
        total: list[Cell] = [sums[i] if c.is_summed else None for i, c in enumerate(table.columns)]
        foot = [[_cell(cell, table.columns[i], table, bold=True) for i, cell in enumerate(total)]]
        foot[0][0] = _paragraph("Total", _SIZE, bold=True)
    grid = Grid([head, *rows, *foot], colWidths=_widths(table.columns), repeatRows=1)
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
        *_padding(1.4 * mm),
    ]
    if foot:
        style.append(("LINEABOVE", (0, -1), (-1, -1), 0.9, _INK))
    grid.setStyle(TableStyle(style))
    found: list[Flowable] = [_paragraph(table.title, 11, bold=True, after=2 * mm), grid]
    if more:
        found.append(
            _paragraph(f"And {more:,} more lines, which the total has.", _SIZE, faint=True)
        )
    return found


def _signatures(names: Sequence[str]) -> Flowable:
    gap = 8 * mm
    width = (_WIDTH - gap * (len(names) - 1)) / len(names)
    row: list[Any] = []
    widths: list[float] = []
    lines = []
    for index, name in enumerate(names):
        if index:
            row.append("")
            widths.append(gap)
        lines.append(("LINEABOVE", (len(row), 0), (len(row), 0), 0.7, _INK))
        row.append(_paragraph(f"{name}: name, date, signature", 7, faint=True))
        widths.append(width)
    grid = Grid([row], colWidths=widths)
    grid.setStyle(TableStyle([*lines, *_padding(1 * mm)]))
    return grid


def _cell(cell: Cell, column: Column, table: Table, *, bold: bool = False) -> Flowable:
    return _paragraph(_said(cell, column.kind, table), _SIZE, bold=bold, right=_is_number(column))


def _said(cell: Cell, kind: Kind, table: Table) -> str:
    """Return a cell as people read it: thousands apart, and text as it is."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if kind is Kind.MONEY and isinstance(cell, int):
        return f"{major(cell, table.currency):,.{digits_of(table.currency)}f}"
    if kind in {Kind.COUNT, Kind.HOURS, Kind.RATE}:
        return f"{cell:,}"
    return written(cell, kind, table.currency)


def _is_number(column: Column) -> bool:
    return column.kind in {Kind.MONEY, Kind.COUNT, Kind.HOURS, Kind.RATE}


def _widths(columns: Sequence[Column]) -> list[float]:
    shares = [1.6 if column.kind is Kind.TEXT else 1.0 for column in columns]
    return [_WIDTH * share / sum(shares) for share in shares]


def _padding(size: float) -> list[tuple[Any, ...]]:
    sides = ("LEFTPADDING", "RIGHTPADDING", "TOPPADDING", "BOTTOMPADDING")
    return [(side, (0, 0), (-1, -1), size) for side in sides]


def _paragraph(
    text: str,
    size: float,
    *,
    bold: bool = False,
    faint: bool = False,
    right: bool = False,
    after: float = 0,
) -> Paragraph:
    font = _BOLD if bold else _TEXT
    style = ParagraphStyle(
        "any",
        fontName=font,
        fontSize=size,
        leading=size * 1.32,
        textColor=_FAINT if faint else _INK,
        alignment=2 if right else 0,
        spaceAfter=after,
        splitLongWords=1,
    )
    return Paragraph(_marked(text, font), style)


def _marked(text: str, font: str) -> str:
    """Return text as markup; what Inter cannot write, another font in the paper does."""
    known = _glyphs(font)
    parts = []
    for is_known, letters in groupby(text, key=lambda letter: ord(letter) in known):
        part = escape("".join(letters))
        parts.append(part if is_known else f'<font name="{_EAST_ASIAN}">{part}</font>')
    return "".join(parts)


@cache
def _glyphs(font: str) -> frozenset[int]:
    return frozenset(pdfmetrics.getFont(font).face.charToGlyph) | {0x0A, 0x0D}


@cache
def _register() -> None:
    for name in (_TEXT, _BOLD, _EAST_ASIAN):
        pdfmetrics.registerFont(TTFont(name, str(_FONTS / f"{name}.ttf")))
