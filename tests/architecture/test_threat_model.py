"""The table of tricks in the threat model names tests that exist."""

import re

from onebox.state import ROOT

TESTS = ("tests/cluster", "tests/reconciler")


def test_every_trick_is_played_by_a_test() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text()
    section = page.partition("## Tricks, and what refuses them")[2].partition("\n## ")[0]
    rows = [line.split("|")[-2] for line in section.splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`([a-z0-9_-]+)`", row)}
    code = "".join(
        path.read_text() for folder in TESTS for path in (ROOT / folder).glob("test_*.py")
    )
    known = set(re.findall(r'id="([a-z0-9-]+)"', code)) | set(re.findall(r"def (test_\w+)", code))

    assert len(named) > 60, "the table was not found"
    assert named - known == set()


def test_every_escape_that_is_tested_is_in_the_table() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text()
    code = (ROOT / "tests" / "cluster" / "test_escapes.py").read_text()

    played = set(re.findall(r'id="([a-z0-9-]+)"', code))

    assert {name for name in played if f"`{name}`" not in page} == set()
