"""``manage.py tokenomics SCENARIO.yaml [--json]``: what a scenario file says, on the terminal."""

import json as json_module
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from tokenomics import documents, selectors
from tokenomics.core import report, text


class Command(BaseCommand):
    help = "Plan from a scenario file: cost per million tokens, sizing, break-even, growth."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", help="a scenario; - reads standard input; 'example' is the packaged one"
        )
        parser.add_argument("--json", action="store_true", help="for programs, as the API has it")
        parser.add_argument(
            "--packaged-prices",
            action="store_true",
            help="use the price list that came with the product; needs no database",
        )

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        file: str,
        json: bool,
        packaged_prices: bool,
        **options: object,  # noqa: ARG002
    ) -> None:
        """Write the answers; a file that is no scenario exits 1 with every problem."""
        try:
            scenario = documents.scenario_from(_text_of(file))
            own = scenario.prices is not None or packaged_prices
            installation = documents.packaged_prices() if own else selectors.prices()
            plan = documents.plan_of(scenario, prices=installation)
        except documents.ScenarioRefused as refused:
            problems = (f"  {each.field}: {each.message}" for each in refused.problems)
            raise CommandError("\n".join(["not a scenario:", *problems])) from refused
        found = (
            json_module.dumps(report.as_json(plan), indent=2, ensure_ascii=False) + "\n"
            if json
            else text.as_text(plan)
        )
        self.stdout.write(found, ending="")


def _text_of(file: str) -> str:
    if file == "example":
        return documents.example_text()
    try:
        if file == "-":
            return sys.stdin.read(documents.LONGEST_TEXT + 1)
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(documents.LONGEST_TEXT + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: {error}") from error
