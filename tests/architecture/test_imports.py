"""The contracts of `.importlinter` hold, and each of them notices when it is broken."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PACKAGES = ("gpuaas", "reservations", "sessions", "tokenomics", "reconciler", "gpuaas_cli")

VIOLATIONS = [
    ("reservations/services/moves.py", "import kubernetes", "only-the-client-knows-kubernetes"),
    ("reconciler/provision.py", "import kubernetes", "only-the-client-knows-kubernetes"),
    ("gpuaas/portal/urls.py", "import kubernetes", "only-the-client-knows-kubernetes"),
    ("gpuaas/api/__init__.py", "from reconciler import provision", "tiers"),
    ("gpuaas/portal/__init__.py", "from gpuaas.api import errors", "tiers"),
    ("reconciler/cycle.py", "from gpuaas.api import v1", "tiers"),
    ("reservations/models.py", "from sessions import spec", "tiers"),
    ("gpuaas/inventory/models.py", "from reservations import capacity", "tiers"),
    ("gpuaas/core/locks.py", "from gpuaas.accounts.models import User", "tiers"),
    ("gpuaas/notifications/models.py", "from gpuaas.inventory import quantities", "tiers"),
    ("gpuaas/audit/services.py", "from gpuaas.notifications import models", "tiers"),
    ("gpuaas/audit/services.py", "from gpuaas.identity import models", "tiers"),
    (
        "reservations/services/moves.py",
        "from guardian import shortcuts",
        "only-permissions-knows-guardian",
    ),
    ("tokenomics/core/__init__.py", "from django.conf import settings", "tokenomics-core-is-pure"),
    ("tokenomics/core/__init__.py", "from reservations import capacity", "tokenomics-core-is-pure"),
    ("reservations/placement.py", "from django.db import connection", "rules-are-pure"),
    ("gpuaas/inventory/labels.py", "from gpuaas.inventory import models", "rules-are-pure"),
    ("gpuaas/inventory/mig.py", "from gpuaas.inventory import models", "rules-are-pure"),
    ("gpuaas/notifications/events.py", "from django.db import models", "rules-are-pure"),
    (
        "gpuaas/notifications/wording.py",
        "from gpuaas.notifications import models",
        "rules-are-pure",
    ),
    ("gpuaas/tasks.py", "from gpuaas.portal import wording", "tiers"),
    ("reconciler/manifests/namespace.py", "from sessions.models import x", "manifests-are-pure"),
    ("sessions/spec.py", "from django.utils import timezone", "manifests-are-pure"),
    ("sessions/services/life.py", "from celery import shared_task", "domains-are-headless"),
    ("reservations/selectors.py", "from rest_framework import fields", "domains-are-headless"),
    ("gpuaas/notifications/services.py", "from celery import shared_task", "domains-are-headless"),
    ("reservations/utils.py", "", "inside-a-domain-app"),
    ("reservations/selectors.py", "from reservations import services", "inside-a-domain-app"),
    ("reservations/capacity.py", "from reservations import policy", "inside-a-domain-app"),
    ("reconciler/helpers.py", "", "inside-the-reconciler"),
    ("reconciler/naming.py", "from reconciler import manifests", "inside-the-reconciler"),
    (
        "sessions/services/life.py",
        "from reservations.models import x",
        "reservation-models-are-private",
    ),
    ("reconciler/cycle.py", "from reservations.models import x", "reservation-models-are-private"),
    ("gpuaas/api/v1/urls.py", "from sessions.models import x", "session-models-are-private"),
    ("gpuaas_cli/client.py", "from gpuaas.core import errors", "the-command-line-speaks-http"),
    ("gpuaas_cli/when.py", "from django.utils import timezone", "the-command-line-speaks-http"),
    ("gpuaas/api/errors.py", "from gpuaas_cli import trouble", "nobody-needs-the-command-line"),
    ("gpuaas_cli/client.py", "from gpuaas_cli import bookings", "inside-the-command-line"),
    ("gpuaas_cli/helpers.py", "", "inside-the-command-line"),
    ("tokenomics/exports/focus.py", "from django.db import models", "tokenomics-exports-are-pure"),
    ("reservations/policy/product.py", "from reservations import services", "no-cycles"),
    ("reconciler/naming.py", "from reconciler import manifests", "no-cycles"),
]


def lint_imports(tree: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [LINT_IMPORTS, *options], cwd=tree, capture_output=True, text=True, check=False
    )


def contract_names() -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {
        section.removeprefix(prefix): parser[section]["name"]
        for section in parser.sections()
        if section.startswith(prefix)
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the product's packages that a test may break."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, copy / package, ignore=lambda _, names: [n for n in names if "pyc" in n]
        )
    shutil.copy(ROOT / ".importlinter", copy)
    return copy


def test_every_contract_is_kept() -> None:
    result = lint_imports(ROOT)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("file", "line", "contract"), VIOLATIONS)
def test_a_planted_violation_is_found(tree: Path, file: str, line: str, contract: str) -> None:
    path = tree / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint_imports(tree, "--contract", contract)
    finally:
        path.unlink() if before is None else path.write_text(before)

    assert result.returncode != 0, result.stdout
    # The report wraps names at the width of a terminal.
    assert f"{contract_names()[contract]} BROKEN" in " ".join(result.stdout.split())


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract for _, _, contract in VIOLATIONS} == set(contract_names())
