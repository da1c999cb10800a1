"""``manage.py close_period MONTH --by NAME [--soft | --calculate]``: a month by command."""

import re
from argparse import ArgumentParser
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.money import Money
from tokenomics.models import CostPeriod
from tokenomics.selectors import costs as selectors
from tokenomics.services import calculation, periods

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


class Command(BaseCommand):
    help = "Calculate, soft close or close a month of costs, and show whether it adds up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", help="e.g. 2026-10")
        parser.add_argument("--by", help="user name of who closes it; finance or administrator")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--soft", action="store_true", help="but for what comes late")
        how.add_argument("--calculate", action="store_true", help="calculate it, close nothing")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        month: str,
        by: str | None,
        soft: bool,
        calculate: bool,
        **options: object,  # noqa: ARG002
    ) -> None:
        """Write totals by cost centre and whether all adds up; refusals exit 1."""
        found, now = _MONTH.fullmatch(month), timezone.now()
        if not found:
            raise CommandError(f"{month} is no month such as 2026-10")
        try:
            period = periods.open_period(month=date(int(found[1]), int(found[2]), 1), now=now)
            if calculate:
                period = calculation.calculate(period, now=now)
            else:
                close = periods.soft_close if soft else periods.close
                period = close(period=period, actor=_person(by), now=now)
        except DomainError as refused:
            raise CommandError(str(refused)) from refused
        self._show(period)

    def _show(self, period: CostPeriod) -> None:
        found = selectors.reconciliation(period)
        self.stdout.write(f"{period}: {period.get_state_display().lower()}")
        for centre, amounts in found.by_centre.items():
            total = Money(sum(amounts.values()), period.currency)
            self.stdout.write(f"  {centre or '(none)':<20} {total}")
        for statement in selectors.statements(period):
            self.stdout.write(f"  statement {statement.number} sha256 {statement.digest}")
        self.stdout.write("adds up" if found.is_even else "DOES NOT ADD UP")


def _person(name: str | None) -> User:
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError("say who closes it: --by USERNAME")
    return person
