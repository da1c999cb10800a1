"""`python -m tests.exports.focus_validator`: the FOCUS validator, installed once, away from ours.

It wants older libraries than we do, so it lies in a folder of its own in the user's cache, whose
name is a digest of what shapes it.  It runs without a network.  What to know of version 2.2.1:

* It asks for Python 3.12 because of one line; on 3.11 that line is written so that 3.11 reads it.
* It opens a file relative to the working directory, and always ends with 0: its words count.
* Two conditions of its rule model 1.2.0.1 are written in a form that it drops, so that
  CapacityReservationStatus-C-003 and C-004 fail whatever the file says.  A copy repairs them.
* InvoiceId-C-004 ("must be null") and C-005 ("must not") carry no condition: one always fails.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

from onebox import controlplane_build as cache

HERE: Final = Path(__file__).parent
RECIPE: Final = ("focus-validator.txt", "focus_validator.py")
MODEL: Final = "model-1.2.0.1.json"
ALWAYS_FAILS: Final = {"InvoiceId-C-004-C"}
APPLICABLE: Final = (
    "ACCOUNT_NAMING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "REGION_SUPPORTED",
    "TAGGING_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "CAPACITY_RESERVATION_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
)
_REPAIRED: Final = {"CapacityReservationStatus-C-003-C", "CapacityReservationStatus-C-004-C"}
_NEWER_SYNTAX: Final = (
    "focus_validator/config_objects/focus_to_duckdb_converter.py",
    """f"'{k.replace('\\"', '\\"\\"')}'" for k""",
    """"'" + k.replace('"', '""') + "'" for k""",
)


def required() -> Path:
    """Return the validator's folder; without it skip, and where it is promised (CI) fail."""
    folder = _folder()
    if folder.is_dir():
        return folder
    reason = "the FOCUS validator is not installed: make focus-validator"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def failures(file: Path, *, validator: Path, rules: Path) -> set[str]:
    """Return the rules that ``file`` fails and that a file can keep; ``rules`` is a free folder."""
    _repair(validator, into=rules)
    arguments = ("--data-file", file, "--validate-version", "1.2", "--block-download")
    more = ("--rule-set-path", rules, "--applicability-criteria", ",".join(APPLICABLE))
    call = (sys.executable, "-c", "from focus_validator.main import main; main()")
    done = subprocess.run(
        (*call, *arguments, *more),
        cwd=validator,
        env={**os.environ, "PYTHONPATH": str(validator), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    if not any(line.startswith("Total:") for line in lines):
        pytest.fail(f"the validator did not run: {done.stderr[-800:]}")
    failed = {line.partition(":")[0][2:] for line in lines if line.startswith("\u274c")}
    return failed - ALWAYS_FAILS


def install() -> None:
    """Install what is missing; safe to interrupt: the folder gets its name when it is whole."""
    folder = _folder()
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder.parent))
    try:
        uv = Path(sys.executable).with_name("uv")
        _run(uv, "pip", "install", "-q", "--target", draft / "pip", "pip")
        # pip and not uv: uv cannot be told that a package's wish for Python 3.12 is no reason.
        wanted = ("--require-hashes", "-r", HERE / "focus-validator.txt")
        options = ("--quiet", "--ignore-requires-python", "--disable-pip-version-check")
        path = {"PYTHONPATH": str(draft / "pip")}
        pip = (sys.executable, "-m", "pip", "install", *options, "--target", draft / "site")
        _run(*pip, *wanted, environment=path)
        file, before, after = _NEWER_SYNTAX
        source = draft / "site" / file
        source.write_text(source.read_text().replace(before, after))
        if not folder.is_dir():
            (draft / "site").rename(folder)
    finally:
        shutil.rmtree(draft)


def _folder() -> Path:
    recipe = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in RECIPE:
        recipe.update(hashlib.sha256((HERE / name).read_bytes()).digest())
    return cache.cache_root().parent / "focus-validator" / recipe.hexdigest()[:16]


def _repair(validator: Path, *, into: Path) -> None:
    model = json.loads((validator / "focus_validator" / "rules" / MODEL).read_text())
    repaired: set[str] = set()
    _walk(model, repaired)
    assert repaired == _REPAIRED, f"the rule model is another one: {sorted(repaired)}"
    (into / MODEL).write_text(json.dumps(model))


def _walk(node: Any, repaired: set[str]) -> None:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        if isinstance(child, dict) and "ValidationCriteria" in child:
            criteria = child["ValidationCriteria"]
            items = (criteria.get("Condition") or {}).get("AND")
            if items:
                whole = {"CheckFunction": "AND", "Items": items}
                criteria["Condition"] = whole if isinstance(items, list) else items
                repaired.add(str(name))
        elif isinstance(child, dict | list):
            _walk(child, repaired)


def _run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last_words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SystemExit(f"{command[0]}: {last_words}")


if __name__ == "__main__":
    install()
