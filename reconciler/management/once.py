"""What the operators' commands have in common: once, dry, as JSON."""

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import OutputWrapper


def add_arguments(parser: ArgumentParser) -> None:
    """Add ``--once`` (the only way there is, said aloud), ``--dry-run`` and ``--json``."""
    parser.add_argument("--once", action="store_true", help="one pass, in the foreground")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")


def write(reports: Sequence[Any], *, out: OutputWrapper, as_json: bool) -> None:
    """Write the reports: an object for programs, or a line a fact for people."""
    if as_json:
        document = {"clusters": [dataclasses.asdict(report) for report in reports]}
        out.write(json.dumps(document, indent=2, sort_keys=True))
        return
    for report in reports:
        fields = dataclasses.asdict(report)
        out.write(f"cluster {fields.pop('cluster')}")
        for name, value in fields.items():
            for line in _lines(value):
                out.write(f"  {name.replace('_', ' ')}: {line}")


def _lines(value: object) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {each}" for key, each in value.items()]
    if isinstance(value, list):
        return [str(each) for each in value]
    return [str(value)] if value else []
