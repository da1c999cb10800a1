"""``manage.py verify_audit``: is the audit trail as it was written.  Exit 1 if not."""

import json as json_module
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Final

from django.core.management.base import BaseCommand, CommandError

from gpuaas.audit import selectors
from gpuaas.audit.chain import Finding, Head

HEAD: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def head(text: str) -> Head:
    """Return the position and digest that ``text`` has; ArgumentTypeError if it has none."""
    found = HEAD.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError("write POSITION:DIGEST, as it was logged")
    return Head(int(found[1]), bytes.fromhex(found[2]))


class Command(BaseCommand):
    help = "Recompute the chain over the audit trail; exit 1 at a fault (docs/design/audit.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from",
            dest="first",
            type=int,
            metavar="N",
            help="start at position N instead of the first that is kept",
        )
        parser.add_argument(
            "--expect",
            type=head,
            action="append",
            default=[],
            metavar="POSITION:DIGEST",
            help="a head kept elsewhere; may be given more than once",
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        first: int | None,
        expect: list[Head],
        json: bool,
        **options: object,  # noqa: ARG002
    ) -> None:
        """Write how far the chain holds; a fault goes to standard error, and exits 1."""
        if first is None:
            first = selectors.beginning().position + 1
        after = selectors.head_at(first - 1) if first > 0 else None
        if after is None:
            raise CommandError(f"there is no position {first - 1} to start after")
        early = [each.position for each in expect if each.position < after.position]
        if early:
            raise CommandError(
                f"--expect {early[0]} lies before position {first}, the first to be read"
            )
        kept = {each.position: each.digest for each in expect}
        reached, finding = selectors.verified(after=after, kept=kept)
        if json:
            self.stdout.write(json_module.dumps(_as_json(first, reached, finding), indent=2))
        else:
            self._say(first, reached, finding)
        if finding is not None:
            sys.exit(1)

    def _say(self, first: int, reached: Head, finding: Finding | None) -> None:
        count = reached.position - first + 1
        self.stdout.write(f"{count} events from position {first} on are as they were written")
        if finding is None:
            self.stdout.write(f"head {reached}")
        else:
            where = "" if finding.position is None else f" at position {finding.position}"
            self.stderr.write(f"{finding.fault}{where}: {finding.says}")


def _as_json(first: int, reached: Head, finding: Finding | None) -> dict[str, object]:
    return {
        "verified": finding is None,
        "from": first,
        "reached": {"position": reached.position, "digest": reached.digest.hex()},
        "fault": finding
        and {
            "code": finding.fault.value,
            "position": finding.position,
            "message": finding.says,
        },
    }
