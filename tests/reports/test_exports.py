"""A month as files: whole, the same twice, for who may have them, and whatever crashes."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pypdf import PdfReader

from gpuaas import tasks
from gpuaas.accounts.models import User
from gpuaas.audit.models import AuditEvent
from tests import make
from tests.exports import focus_validator
from tests.reports import months
from tests.reports.months import ENDS, Month
from tests.reports.test_groups import close, with_cost_centre
from tokenomics.core.lines import LineKind
from tokenomics.models import CostAdjustment, CostExport, CostExportPiece, CostLine, CostPeriod
from tokenomics.selectors import exports as files
from tokenomics.selectors import lines as lines_of
from tokenomics.services import exports

pytestmark = pytest.mark.django_db
NOW = ENDS + timedelta(days=5)


@pytest.fixture
def month() -> Month:
    month = Month()
    vision = with_cost_centre("vision", "CC-4711")
    ada = make.user(teams=[vision], username="ada")
    booked = month.booked(team=vision, user=ada, purpose="=1+1")
    month.tell(booked, "qwen", computed=4_000_000, cached=1_000, generated=1_000_000)
    month.tell(booked, "llama", generated=1_000_000)
    month.booked(team=make.team(slug="audio"), used=1, unused=0)
    month.line(LineKind.IDLE, 5_000, hours=100, cost_centre="PLATFORM", pool=month.pool)
    adjustment = CostAdjustment.objects.create(
        period=month.period,
        cost_centre="CC-4711",
        amount_minor=-50,
        currency="EUR",
        reason="Goodwill",
        corrects=month.period.month.replace(month=9),
        entered_by=ada,
        entered_at=NOW,
    )
    month.line(
        LineKind.CORRECTION,
        -50,
        cost_centre="CC-4711",
        reason="Goodwill",
        corrects=adjustment.corrects,
        adjustment=adjustment,
    )
    month.line(
        LineKind.ADJUSTMENT,
        9,
        adjustment=CostAdjustment.objects.create(
            period=month.period,
            amount_minor=9,
            currency="EUR",
            reason="Rounding",
            cost_centre="",
            entered_by=ada,
            entered_at=NOW,
        ),
    )
    return month.summed()


def file_of(period: CostPeriod, form: str, actor: User | None = None, **more: bool) -> bytes:
    made = exports.ask(period=period, form=form, actor=actor or months.finance(), now=NOW, **more)
    assert made.problem == ""
    return b"".join(files.pieces_of(made))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_csv_has_every_line_with_its_categories(month: Month) -> None:
    rows = rows_of(file_of(month.period, "csv"))

    assert len(rows) == CostLine.objects.count() == 7
    assert rows[0]["Kind"] == "Booked, used"
    assert (rows[0]["Capital"], rows[0]["Power"], rows[0]["Amount"]) == ("4.00", "2.00", "6.00")
    assert (rows[0]["Cost centre"], rows[0]["Project"]) == ("CC-4711", "'=1+1")
    assert (rows[0]["GPU-hours"], rows[5]["Corrects"]) == ("1.5000", "2026-09")


def test_a_csv_has_a_byte_order_mark_when_asked(month: Month) -> None:
    plain, marked = file_of(month.period, "csv"), file_of(month.period, "csv", has_bom=True)

    assert marked == b"\xef\xbb\xbf" + plain


def test_a_workbook_has_groups_and_lines_with_totals(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(file_of(month.period, "xlsx"))

    book = openpyxl.load_workbook(path, data_only=True)

    assert book.sheetnames == [
        *("By cost centre", "By team", "By model", "By team, pool and model", "Lines 2026-10")
    ]
    total = {row[0].value: [cell.value for cell in row] for row in book["By model"].iter_rows()}
    assert total["qwen"][7:12] == [8.33, 4_000_000, 1_000, 1_000_000, 8.33]
    assert total["llama"][13] == pytest.approx(1.67)
    assert [row[0].value for row in book["Lines 2026-10"].iter_rows()][-1] == "Total"


def test_a_statement_is_for_signature_and_adds_up(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(file_of(month.period, "pdf"))

    text = "".join(page.extract_text() for page in PdfReader(path).pages)

    for said in ("2026-10 (not closed)", "744 hours", "CC-4711", "59.60", "Approved by: name"):
        assert said in text


def test_focus_has_the_money_in_hours_and_tokens_beside(month: Month) -> None:
    rows = rows_of(file_of(month.period, "focus"))

    assert sum(round(float(row["BilledCost"]) * 100) for row in rows) == 5960
    tokens = [row for row in rows if row["ConsumedUnit"] == "Tokens"]
    assert [(row["SkuId"], row["ConsumedQuantity"]) for row in tokens] == [
        ("llama/Output Tokens", "1000000.0"),
        ("qwen/Input Tokens", "4000000.0"),
        ("qwen/Cache Read Input Tokens", "1000.0"),
        ("qwen/Output Tokens", "1000000.0"),
    ]
    assert {row["x_CostPerMillionTokens"] for row in tokens[:1]} == {"1.67"}
    (correction,) = (row for row in rows if row["ChargeClass"])
    assert (correction["ChargeClass"], correction["ChargePeriodStart"]) == (
        *("Correction", "2026-09-01T00:00:00Z"),
    )


def test_the_validator_has_nothing_against_the_month(month: Month, tmp_path: Path) -> None:
    validator = focus_validator.required()
    file, free = tmp_path / "focus.csv", tmp_path / "rules"
    free.mkdir()
    file.write_bytes(file_of(month.period, "focus"))

    assert focus_validator.failures(file, validator=validator, rules=free) == set()


def test_pieces_are_read_one_after_another(month: Month) -> None:
    lines = CostLine.objects.filter(period=month.period)

    pieces = list(lines_of.in_pieces(month.period, lines, at_once=2))

    assert [len(piece) for piece in pieces] == [2, 2, 2, 1]
    assert [line.number for piece in pieces for line in piece] == sorted(
        lines.values_list("number", flat=True)
    )
    beside = [each for piece in pieces for each in lines_of.tokens_beside(month.period, piece)]
    assert [tokens.model for _, tokens in beside] == ["llama", "qwen"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf", "focus"])
def test_a_closed_month_is_the_same_file_twice(month: Month, form: str) -> None:
    close(month.period)
    month.period.refresh_from_db()
    finn = months.finance()

    first = exports.ask(period=month.period, form=form, actor=finn, now=NOW)
    later = exports.ask(period=month.period, form=form, actor=finn, now=NOW + timedelta(days=90))

    assert first.digest == later.digest != ""
    assert b"".join(files.pieces_of(first)) == b"".join(files.pieces_of(later))


# --- who may have what --------------------------------------------------------------------------


def test_tenants_get_their_own_lines(month: Month) -> None:
    ada = User.objects.get(username="ada")

    rows = rows_of(file_of(month.period, "csv", ada))

    assert [row["Person"] for row in rows] == ["ada", "ada"]


def test_a_statement_to_sign_is_for_finance(month: Month) -> None:
    ada = User.objects.get(username="ada")

    with pytest.raises(exports.NotYourStatement, match="take csv, xlsx or focus"):
        exports.ask(period=month.period, form="pdf", actor=ada, now=NOW)
    assert CostExport.objects.count() == 0


def test_files_are_of_who_asked(month: Month) -> None:
    file_of(month.period, "csv", months.finance())

    assert files.exports_visible_to(User.objects.get(username="ada")).count() == 0
    assert files.exports_visible_to(months.finance()).count() == 1


def test_every_file_leaves_a_row_in_the_trail(month: Month) -> None:
    finn = months.finance()
    file_of(month.period, "focus", finn)

    event = AuditEvent.objects.get(action="costs.exported")

    assert (event.actor, event.subject) == (finn, "period:2026-10")
    assert event.data == {"format": "focus", "lines": 7}


def test_an_unknown_format_names_those_there_are(month: Month) -> None:
    with pytest.raises(exports.UnknownFormat, match="csv, xlsx, pdf, focus"):
        exports.ask(period=month.period, form="docx", actor=months.finance(), now=NOW)


# --- long ones ----------------------------------------------------------------------------------


@pytest.fixture
def long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be too long to wait for."""
    monkeypatch.setattr(exports, "AT_ONCE_LINES", 0)
    monkeypatch.setattr(lines_of, "AT_ONCE", 2)


def asked(month: Month, form: str = "csv") -> CostExport:
    return exports.ask(period=month.period, form=form, actor=months.finance(), now=NOW)


def test_a_long_file_waits_for_a_worker(month: Month, long_ones: None) -> None:
    made = asked(month)
    assert (made.done_at, made.lines) == (None, 7)

    assert exports.make_waiting(clock=lambda: NOW) == 1
    assert exports.make_waiting(clock=lambda: NOW) == 0

    made.refresh_from_db()
    assert (made.done_at, made.lines_done, made.taken) == (NOW, 7, 1)
    assert made.size == len(b"".join(files.pieces_of(made)))


def test_a_worker_tells_how_far_it_is(
    month: Month, long_ones: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    write = files.write

    def watched(*arguments: Any, progress: Callable[[int], object], **more: Any) -> None:
        def told(done: int) -> None:
            progress(done)
            seen.append(CostExport.objects.get().lines_done)

        write(*arguments, progress=told, **more)

    monkeypatch.setattr(files, "write", watched)
    asked(month)
    exports.make_waiting(clock=lambda: NOW)

    assert seen[-1] == 7


def test_one_person_has_so_many_waiting(month: Month, long_ones: None) -> None:
    for _ in range(exports.MOST_WAITING):
        asked(month)

    with pytest.raises(exports.TooManyExports, match="5 of your files"):
        asked(month)


def test_a_file_whose_worker_fell_silent_is_taken_up_again(month: Month, long_ones: None) -> None:
    made = asked(month)
    CostExport.objects.update(taken=1, moved_at=NOW)
    soon, later = NOW + timedelta(seconds=90), NOW + timedelta(minutes=3)

    assert exports.make_waiting(clock=lambda: soon) == 0
    assert exports.make_waiting(clock=lambda: later) == 1

    made.refresh_from_db()
    assert (made.done_at, made.taken) == (later, 2)


def test_what_fails_again_and_again_is_given_up(
    month: Month, long_ones: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(files, "write", broken)
    made = asked(month)
    for minute in range(0, 30, 3):
        at = NOW + timedelta(minutes=minute)
        exports.make_waiting(clock=lambda at=at: at)  # type: ignore[misc]

    made.refresh_from_db()
    assert made.done_at is not None
    assert made.problem == "it could not be made in 3 tries"
    assert CostExportPiece.objects.count() == 0


def test_what_a_format_cannot_hold_is_said(
    month: Month, long_ones: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenomics.exports.xlsx_book.MOST_ROWS", 3)
    made = asked(month, "xlsx")

    exports.make_waiting(clock=lambda: NOW)

    made.refresh_from_db()
    assert "take CSV for more" in made.problem


@pytest.mark.parametrize("times", [1, 99])
def test_a_month_calculated_anew_meanwhile_is_written_anew(
    month: Month, long_ones: None, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    left = [times]
    write = files.write

    def disturbed(period: CostPeriod, *arguments: Any, **more: Any) -> None:
        write(period, *arguments, **more)
        if left[0]:
            left[0] -= 1
            at = NOW + timedelta(minutes=left[0])
            CostPeriod.objects.filter(pk=period.pk).update(calculated_at=at)

    monkeypatch.setattr(files, "write", disturbed)
    made = asked(month)
    exports.make_waiting(clock=lambda: NOW)

    made.refresh_from_db()
    assert bool(made.problem) == (times == 99)
    assert bool(made.size) == (times == 1)


def test_only_one_of_two_workers_keeps_its_file(
    month: Month, long_ones: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files.write

    def overtaken(*arguments: Any, **more: Any) -> None:
        write(*arguments, **more)
        if CostExport.objects.filter(taken=1).exists():
            late = NOW + timedelta(minutes=10)
            exports.make_waiting(clock=lambda: late)

    monkeypatch.setattr(files, "write", overtaken)
    made = asked(month)
    exports.make_waiting(clock=lambda: NOW)

    made.refresh_from_db()
    assert (made.taken, made.done_at) == (2, NOW + timedelta(minutes=10))
    assert CostExportPiece.objects.filter(export=made).count() == 1


def test_two_workers_do_not_take_the_same_file(month: Month, long_ones: None) -> None:
    made = asked(month)
    CostExport.objects.update(taken=1)

    exports._take(made, clock=lambda: NOW)  # noqa: SLF001 -- between looking and taking

    made.refresh_from_db()
    assert (made.taken, made.done_at) == (1, None)


def test_files_are_forgotten(month: Month) -> None:
    file_of(month.period, "csv")

    assert exports.forget(before=NOW) == 0
    assert exports.forget(before=NOW + timedelta(days=8)) == 1
    assert CostExportPiece.objects.count() == 0


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf", "focus"])
def test_the_command_writes_all_of_a_month(month: Month, form: str, tmp_path: Path) -> None:
    out = tmp_path / f"a.{form}"

    call_command("export_costs", period="2026-10", format=form, out=out)

    assert out.read_bytes() == file_of(month.period, form)
    assert AuditEvent.objects.filter(action="costs.exported", actor=None).count() == 1


@pytest.mark.parametrize(
    ("period", "said"),
    [
        ("October", "write it as 2026-10"),
        ("2026-09", "there is no month 2026-09; there are: 2026-10"),
    ],
)
def test_the_command_names_a_month_that_is_not_there(
    month: Month, period: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("export_costs", period=period, format="csv", out=tmp_path / "a")


def test_the_command_says_that_it_could_not_write(month: Month, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing was written"):
        call_command("export_costs", period="2026-10", format="csv", out=tmp_path / "no" / "a")
    assert not AuditEvent.objects.filter(action="costs.exported").exists()


def test_the_task_makes_what_waits_and_forgets_what_is_old(month: Month, long_ones: None) -> None:
    old = exports.ask(period=month.period, form="csv", actor=months.finance(), now=NOW)
    CostExport.objects.update(requested_at=NOW - timedelta(days=3650))
    made = asked(month)
    CostExport.objects.filter(pk=made.pk).update(requested_at=timezone.now())

    tasks.write_exports()

    made.refresh_from_db()
    assert made.done_at is not None
    assert not CostExport.objects.filter(pk=old.pk).exists()
