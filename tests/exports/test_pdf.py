"""The statement for signature, read back by another library."""

from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from tests.exports import rows
from tokenomics.exports import pdf_paper
from tokenomics.exports.pdf_paper import Paper
from tokenomics.exports.tables import Column, Row, Table


def paper(*some: Row, currency: str = "EUR") -> Paper:
    return Paper(
        title="Statement 2026-10/1",
        subtitle="October 2026",
        facts=[("Hash", "0" * 64)],
        tables=[rows.table(*some, currency=currency)],
        notes=["Hours are GPU-hours."],
        signatures=["Prepared by", "Approved by"],
        foot="Statement 2026-10/1",
    )


def pages_of(path: Path, of: Paper) -> list[str]:
    pdf_paper.write(path, of)
    return [page.extract_text() for page in PdfReader(path).pages]


def test_it_says_what_is_due_and_who_signs(tmp_path: Path) -> None:
    (page,) = pages_of(tmp_path / "a.pdf", paper(rows.row(), rows.row(minor=-1_000_54)))

    for said in (
        *("Statement 2026-10/1", "October 2026", "0" * 64, "Hours are GPU-hours.", "-1,000.54"),
        *("228.54", "-772.00", "2,500,000", "372.00", "Prepared by: name", "Approved by: name"),
        *("Page 1 of 1", "2026-10-01T"),
    ):
        assert said in page


def test_amounts_have_the_digits_of_their_currency(tmp_path: Path) -> None:
    (page,) = pages_of(tmp_path / "a.pdf", paper(rows.row(minor=1_234_567), currency="JPY"))

    assert "1,234,567" in page


def test_long_names_and_other_scripts_do_not_break_it(tmp_path: Path) -> None:
    name = "統計部 Łódź <b>&amp; " + "x" * 300

    pages = pages_of(tmp_path / "a.pdf", paper(rows.row(name), rows.row("")))

    assert "Łódź" in pages[0]
    assert "<b>&amp;" in pages[0]


@pytest.mark.parametrize("name", ["統計部", "研究开发", "かいはつ部カ", "연구개발"])
def test_east_asian_names_bring_their_letters_along(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.pdf"

    (page,) = pages_of(path, paper(rows.row(name)))

    assert name in page
    resources: Any = PdfReader(path).pages[0]["/Resources"]
    fonts = resources["/Font"].values()
    embedded = {
        str(font["/BaseFont"]): "/FontFile2" in font["/FontDescriptor"]
        for font in (each.get_object() for each in fonts)
        if "/FontDescriptor" in font
    }
    assert len(embedded) == 3
    assert all(embedded.values())
    letters = pdf_paper._glyphs("DroidSansFallback")  # noqa: SLF001 -- that none is a blank box
    assert {ord(letter) for letter in name} <= letters


def test_a_long_table_goes_on_and_says_of_how_many_pages(tmp_path: Path) -> None:
    pages = pages_of(tmp_path / "a.pdf", paper(*[rows.row()] * 100))

    assert len(pages) > 2
    assert all(f"Page {n} of {len(pages)}" in page for n, page in enumerate(pages, start=1))
    assert all("Cost centre" in page for page in pages[:2])


def test_what_is_too_long_to_sign_is_counted_and_summed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_paper, "MOST_ROWS", 2)

    (page,) = pages_of(tmp_path / "a.pdf", paper(*[rows.row(minor=100)] * 5))

    assert "And 3 more lines, which the total has." in page
    assert "5.00" in page


def test_the_same_paper_makes_the_same_bytes_without_a_time(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        pdf_paper.write(tmp_path / name, paper(rows.row("統計部")))

    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    told = PdfReader(tmp_path / "a.pdf").metadata
    assert told is not None
    assert str(told["/CreationDate"]).startswith("D:2000")


def test_a_table_without_sums_and_nobody_to_sign(tmp_path: Path) -> None:
    table = Table("Notes", "EUR", (Column("Note"),), [(None,), ("a note",)])

    (page,) = pages_of(tmp_path / "a.pdf", Paper("Notes", "", [("", "")], [table], [], [], ""))

    assert "a note" in page
    assert "Total" not in page
