"""``manage.py export_costs``: a month as a file, as finance sees it."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.core.errors import DomainError
from tokenomics.models import CostPeriod, Format
from tokenomics.services import exports


class Command(BaseCommand):
    help = "Write a month's cost, all of it, into a file; the audit trail says so."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--period", required=True, metavar="YYYY-MM")
        parser.add_argument("--format", required=True, choices=Format.values)
        parser.add_argument("--out", required=True, type=Path, metavar="PATH")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        period: str,
        format: str,  # noqa: A002 -- the option's name
        out: Path,
        **options: object,  # noqa: ARG002
    ) -> None:
        """Write the file; exit 1 with the reason when there is no such month, or it cannot be."""
        try:
            exports.write_to(
                out, period=_period(period), form=format, actor=None, now=timezone.now()
            )
        except (DomainError, OSError) as refused:
            raise CommandError(f"nothing was written: {refused}") from refused
        self.stdout.write(f"{out}: {out.stat().st_size:,} bytes")


def _period(month: str) -> CostPeriod:
    try:
        first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 -- a month, no instant
    except ValueError as error:
        raise CommandError(f"--period: {month} is no month, write it as 2026-10") from error
    found = CostPeriod.objects.filter(month=first).first()
    if found is None:
        known = ", ".join(map(str, CostPeriod.objects.order_by("month"))) or "none yet"
        raise CommandError(f"--period: there is no month {month}; there are: {known}")
    return found
