"""``manage.py tokenomics``."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gpuaas.accounts.models import OrganisationRole
from tests import make
from tests.unit.planning.scenarios import scenario
from tokenomics import documents, services


def run(file: str, **options: bool) -> str:
    output = io.StringIO()
    call_command("tokenomics", file, stdout=output, **options)
    return output.getvalue()


def test_the_example_needs_no_database() -> None:
    assert "* Right: 2 GPUs needed" in run("example", packaged_prices=True)


def test_json_is_that_of_the_api() -> None:
    found = json.loads(run("example", packaged_prices=True, json=True))

    assert found["forward"]["total"] == "21869.99"


@pytest.mark.django_db
def test_the_installations_prices_count(tmp_path: Path) -> None:
    finance = make.user(organisation_role=OrganisationRole.FINANCE)
    entered = "currency: USD\nread_on: 2026-01-02\nsource: an offer\n"
    services.enter_prices(document=entered, actor=finance, now=make.NOON)
    file = tmp_path / "mine.yaml"
    unpriced = documents.yaml_of(scenario()).replace("compare_with", "# compare_with")
    file.write_text(unpriced, encoding="utf-8")

    assert json.loads(run(str(file), json=True))["prices"]["read_on"] == "2026-01-02"


def test_a_scenario_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(documents.example_text()))

    assert run("-", packaged_prices=True).startswith("Reference server")


def test_what_is_no_scenario_is_refused_with_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("utilisation: 2\nnonsense: 1\n", encoding="utf-8")

    with pytest.raises(CommandError) as refused:
        run(str(file))

    assert "  utilisation: 2 is not a number above 0 to 1" in str(refused.value)
    assert "  nonsense: unknown field" in str(refused.value)


def test_a_price_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(documents.yaml_of(scenario()), encoding="utf-8")

    with pytest.raises(CommandError, match="compare_with: small is none of"):
        run(str(file), packaged_prices=True)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "bad.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CommandError, match=r"bad\.yaml"):
        run(str(file))
