"""Costs from the terminal, and by the beat."""

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gpuaas import tasks
from tests.costs.october import STARTS, October, enter, october
from tokenomics import documents
from tokenomics.models import CostPeriod, CostSheet, DeviceSpan

pytestmark = pytest.mark.django_db


@pytest.fixture
def month(monkeypatch: pytest.MonkeyPatch) -> October:
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 5, tzinfo=STARTS.tzinfo))
    made = october()
    enter(made.by)
    return made


def run(*arguments: str) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_a_month_is_closed_from_the_terminal(month: October) -> None:
    assert "adds up" in run("close_period", "2026-10", "--calculate")
    assert "2026-10: soft closed" in run("close_period", "2026-10", "--soft", "--by", "fin")
    closed = run("close_period", "2026-10", "--by", "fin")

    assert "2026-10: closed" in closed
    assert "  statement 2026-10/000 sha256 " in closed
    with pytest.raises(CommandError, match="was closed already"):
        run("close_period", "2026-10", "--by", "fin")


def test_what_the_terminal_refuses(month: October) -> None:
    with pytest.raises(CommandError, match="2026-13 is no month"):
        run("close_period", "2026-13")
    with pytest.raises(CommandError, match="say who closes it"):
        run("close_period", "2026-10")
    with pytest.raises(CommandError, match="say who enters it"):
        run("enter_costs", "-")


def test_a_sheet_is_entered_from_a_file(month: October, tmp_path: Path) -> None:
    file = tmp_path / "costs.yaml"
    file.write_text(run("enter_costs", "example"))
    before = CostSheet.objects.count()

    arguments = ("enter_costs", str(file), "--by", "fin")
    assert "entered version" in run(*arguments, "--reason", "new contract")
    assert CostSheet.objects.count() == before + 1

    with pytest.raises(CommandError, match="reason: give one line"):
        run(*arguments)
    file.write_text(documents.example_sheet().replace("60000", "-1"))
    with pytest.raises(CommandError, match=r"line 8, hardware\[0\].price"):
        run(*arguments, "--reason", "x")
    with pytest.raises(CommandError, match="No such file"):
        run("enter_costs", str(tmp_path / "none"), "--by", "fin", "--reason", "x")
    assert CostSheet.objects.count() == before + 1


def test_the_beat_follows_and_calculates(month: October) -> None:
    tasks.follow_past()
    assert DeviceSpan.objects.exists()

    tasks.calculate_costs()
    period = CostPeriod.objects.get()
    assert f"{period}" == "2026-11"
    assert period.calculated_until == period.starts_at + timedelta(days=4)
