"""Rules and dashboard of deploy/observability: valid, true to the metrics, and they fire."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from tests import make

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "observability"
OURS = re.compile(r"\bgpuaas_[a-z0-9_]+")


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions_of_the_dashboard() -> list[str]:
    document = json.loads((FOLDER / "dashboard.json").read_text())
    panels = [each["expr"] for panel in document["panels"] for each in panel["targets"]]
    variables = [
        each["query"]["query"] for each in document["templating"]["list"] if each["type"] == "query"
    ]
    return panels + variables


def promtool(*arguments: str) -> str:
    path = shutil.which("promtool")
    if path is None:
        reason = "promtool is not installed (Debian: prometheus)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [path, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "alerts.yaml")


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yaml")


def test_each_alert_is_tested() -> None:
    tested = (FOLDER / "alerts_test.yaml").read_text()

    assert [rule["alert"] for rule in rules() if f"alertname: {rule['alert']}" not in tested] == []


def test_each_alert_names_a_runbook_page_that_exists() -> None:
    for rule in rules():
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.django_db
def test_whatever_they_ask_for_is_exposed(settings: Settings) -> None:
    settings.METRICS_TOKEN = "let-me-in"  # noqa: S105 -- of this test
    make.cluster()
    text = Client().get("/metrics", headers={"authorization": "Bearer let-me-in"}).content.decode()
    exposed = {
        name
        for family in text_string_to_metric_families(text)
        for name in [family.name, *(sample.name for sample in family.samples)]
        + [f"{family.name}{end}" for end in ("_total", "_bucket")]
    }

    asked = {
        name
        for expression in [*(rule["expr"] for rule in rules()), *expressions_of_the_dashboard()]
        for name in OURS.findall(expression)
    }

    assert asked
    assert asked - exposed == set()
