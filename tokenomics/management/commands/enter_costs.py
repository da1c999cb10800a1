"""``manage.py enter_costs FILE --by NAME --reason TEXT``: a new version of the cost sheet."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from tokenomics import documents
from tokenomics.services import inputs


class Command(BaseCommand):
    help = "Enter a cost sheet: assets, tariffs, cooling, watts, other costs and rates, as YAML."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="a cost sheet; - reads it; 'example' shows one")
        parser.add_argument("--by", help="user name of who enters it; finance or administrator")
        parser.add_argument("--reason", default="", help="what is new in it, and why")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        file: str,
        by: str | None,
        reason: str,
        **options: object,  # noqa: ARG002
    ) -> None:
        """Enter it and write its version; what is no sheet exits 1 with every problem."""
        if file == "example":
            self.stdout.write(documents.example_sheet(), ending="")
            return
        person = User.objects.filter(username=by).first()
        if person is None:
            raise CommandError("say who enters it: --by USERNAME")
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
            made = inputs.enter_sheet(
                document=text, reason=reason, actor=person, now=timezone.now()
            )
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from error
        except documents.SheetRefused as refused:
            lines = ["not entered:", *map(str, refused.problems)]
            raise CommandError("\n".join(lines)) from refused
        except DomainError as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"entered {made}")
