"""What the contracts promise about imports, seen in running processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "gpuaas.settings.test"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_web_tier_runs_without_the_kubernetes_client_and_without_the_simulator() -> None:
    result = run(
        "import sys; sys.modules['kubernetes'] = sys.modules['simcluster'] = None\n"
        "import gpuaas.wsgi\n"
        "from django.urls import get_resolver\n"
        "assert get_resolver().url_patterns\n"
        "loaded = [m for m in sys.modules if m.startswith('reconciler.')]\n"
        "assert loaded == ['reconciler.apps'], loaded\n"
    )

    assert result.returncode == 0, result.stderr


def test_beat_runs_without_the_reconciler() -> None:
    result = run(
        "import sys; sys.modules['kubernetes'] = None\n"
        "from gpuaas.celery import app\n"
        "assert app.conf.beat_schedule['reconcile']['task'] == 'reconciler.reconcile'\n"
        "assert 'reconciler.cycle' not in sys.modules\n"
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("module", ["reservations.placement", "tokenomics.core"])
def test_the_pure_middle_needs_no_django(module: str) -> None:
    result = run(f"import sys; sys.modules['django'] = None; import {module}")

    assert result.returncode == 0, result.stderr
