"""``manage.py import_inventory FILE``: nodes and devices from a YAML file."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.core.errors import DomainError
from gpuaas.inventory import files, services


class Command(BaseCommand):
    help = "Make a cluster's inventory what a YAML file says (docs/design/inventory.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the file's path")
        parser.add_argument("--dry-run", action="store_true", help="show the difference only")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        file: str,
        dry_run: bool,
        **options: object,  # noqa: ARG002
    ) -> None:
        try:
            report = services.import_file(
                content=Path(file).read_bytes(), actor=None, now=timezone.now(), dry_run=dry_run
            )
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        except files.FileRefused as refused:
            raise CommandError("\n".join(f"{file}: {each}" for each in refused.problems)) from None
        except DomainError as refused:
            raise CommandError(str(refused)) from refused
        for change in report.changes or ("nothing differs",):
            self.stdout.write(change)
