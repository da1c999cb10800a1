"""What finance puts in: cost sheets, cost centres and their budgets."""

from datetime import date, datetime
from typing import ClassVar, Final

from django.conf import settings
from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core.errors import DomainError
from gpuaas.inventory import selectors as inventory
from tokenomics import documents
from tokenomics.core.fields import Problem
from tokenomics.models import CostCentre, CostCentreBudget, CostSheet
from tokenomics.selectors import costs as selectors

MOST_MINOR: Final = 2**53
LONGEST_REASON: Final = 200
LONGEST_CODE: Final = 40
LONGEST_NAME: Final = 80


class FinanceOnly(DomainError):
    """Costs are entered by finance and the platform administrators."""

    code: ClassVar[str] = "finance_only"


class BadInput(DomainError):
    """An input that makes no sense; ``field`` names which."""

    code: ClassVar[str] = "bad_input"

    def __init__(self, field: str, message: str) -> None:
        self.field: Final = field
        self.message: Final = message
        super().__init__(f"{field}: {message}")


def enter_sheet(*, document: str, reason: str, actor: User, now: datetime) -> CostSheet:
    """Make ``document``, YAML, the cost sheet of every month that is not closed.

    Raises `FinanceOnly`, `BadInput` or `documents.SheetRefused`.
    """
    check_actor(actor)
    check_text("reason", reason, LONGEST_REASON)
    sheet = documents.sheet_from(document)
    problems = []
    if sheet.currency != settings.CURRENCY:
        message = f"this installation counts in {settings.CURRENCY}, not in {sheet.currency}"
        problems.append(Problem("currency", "mixed_currencies", message))
    known = set(inventory.pools().values_list("slug", flat=True))
    problems += [
        Problem(field, "unknown_pool", f"there is no pool {pool}")
        for pool, field in sheet.pools.items()
        if pool not in known
    ]
    if problems:
        raise documents.sheet_refused(document, problems)
    with transaction.atomic():
        made = CostSheet.objects.create(
            document=document,
            currency=sheet.currency,
            reason=reason.strip(),
            entered_by=actor,
            entered_at=now,
        )
        subject = f"cost_sheet:{made.pk}"
        audit.record("cost_sheet.entered", subject=subject, actor=actor, at=now, reason=reason)
    return made


def set_cost_centre(
    *, code: str, name: str, is_charged: bool, actor: User, now: datetime
) -> CostCentre:
    """Name a cost centre, and say whether it is charged or only shown its cost.

    Raises `FinanceOnly` or `BadInput`.
    """
    check_actor(actor)
    check_text("code", code, LONGEST_CODE)
    if len(name) > LONGEST_NAME:
        raise BadInput("name", f"give at most {LONGEST_NAME} characters")
    with transaction.atomic():
        made, _ = CostCentre.objects.update_or_create(
            code=code, defaults={"name": name, "is_charged": is_charged}
        )
        audit.record(
            "cost_centre.set",
            subject=f"cost_centre:{code}",
            actor=actor,
            at=now,
            name=name,
            is_charged=is_charged,
        )
    return made


def set_budget(
    *,
    cost_centre: CostCentre,
    valid_from: date,
    amount_minor: int | None,
    currency: str,
    blocks: bool,
    actor: User,
    now: datetime,
) -> CostCentreBudget:
    """Set what ``cost_centre`` may spend a month, in minor units, from a month on; None ends it.

    With ``blocks`` bookings that it does not pay are refused.  Raises `FinanceOnly` or `BadInput`.
    """
    check_actor(actor)
    if valid_from.day != 1:
        first = valid_from.replace(day=1).isoformat()
        raise BadInput("valid_from", f"a budget is for whole months: give {first}")
    if amount_minor is not None and not 0 <= amount_minor <= MOST_MINOR:
        raise BadInput("amount_minor", f"give between 0 and {MOST_MINOR} minor units")
    check_currency(currency)
    with transaction.atomic():
        made = CostCentreBudget.objects.create(
            cost_centre=cost_centre,
            valid_from=valid_from,
            amount_minor=amount_minor,
            currency=currency,
            blocks=blocks,
            set_by=actor,
            set_at=now,
        )
        audit.record(
            "cost_centre.budget_set",
            subject=f"cost_centre:{cost_centre}",
            actor=actor,
            at=now,
            valid_from=valid_from.isoformat(),
            amount_minor=amount_minor,
            currency=currency,
            blocks=blocks,
        )
    return made


def check_actor(actor: User) -> None:
    """Raise `FinanceOnly` unless ``actor`` is of finance, or administers the platform."""
    if not selectors.may_enter_costs(actor):
        raise FinanceOnly("costs are entered by finance or a platform administrator")


def check_text(field: str, text: str, most: int) -> None:
    """Raise `BadInput` unless ``text`` has something to say in at most ``most`` characters."""
    if not text.strip() or len(text) > most or not text.isprintable():
        raise BadInput(field, f"give one line of 1 to {most} characters")


def check_currency(currency: str) -> None:
    """Raise `BadInput` unless it is the one that this installation counts in."""
    if currency != settings.CURRENCY:
        message = f"this installation counts in {settings.CURRENCY}, not in {currency or 'none'}"
        raise BadInput("currency", message)
