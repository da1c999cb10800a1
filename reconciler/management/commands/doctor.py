"""``manage.py doctor [--json]``: examine everything, and say what to do.  Exit 1 at an error."""

import dataclasses
import json as json_module
import sys
from argparse import ArgumentParser
from typing import Final

from django.core.management.base import BaseCommand
from django.utils import timezone

from reconciler import doctor
from reconciler.doctor import Finding, Level, clusters, platform

_SIGNS: Final = {Level.WELL: "ok", Level.WARNING: "warning", Level.ERROR: "ERROR"}
EXAMINATIONS: Final = (*platform.EXAMINATIONS, ("clusters", clusters.clusters))


class Command(BaseCommand):
    help = "Examine settings, database, broker, workers, clusters, and say what to do about it."
    requires_system_checks = ()  # they are part of the examination

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: object, json: bool, **options: object) -> None:  # noqa: ARG002 -- Django's signature
        found: list[Finding] = []
        for finding in doctor.examine(EXAMINATIONS, now=timezone.now()):
            found.append(finding)
            if not json:
                self._say(finding)
        if json:
            document = {"findings": [dataclasses.asdict(each) for each in found]}
            self.stdout.write(json_module.dumps(document, indent=2))
        if any(each.level is Level.ERROR for each in found):
            sys.exit(1)

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"{_SIGNS[finding.level]:8}{finding.part}: {finding.found}")
        if finding.advice:
            self.stdout.write(f"{'':8}-> {finding.advice}")
