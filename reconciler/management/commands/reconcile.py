"""``manage.py reconcile --once [--dry-run] [--json]``: one pass over every cluster."""

import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand
from django.utils import timezone

from reconciler import cycle
from reconciler.management import once


class Command(BaseCommand):
    help = (
        "Bring every cluster to what the database says, once.  Exits 1 when something was put off."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        once.add_arguments(parser)

    def handle(self, *args: object, dry_run: bool, json: bool, **options: object) -> None:  # noqa: ARG002 -- Django's signature
        reports = cycle.run_on_each_cluster(clock=timezone.now, dry_run=dry_run)
        once.write(reports, out=self.stdout, as_json=json)
        if any(report.put_off for report in reports):
            sys.exit(1)
