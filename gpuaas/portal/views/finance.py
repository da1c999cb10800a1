"""``/costs/finance/`` and a month's adjustments: what finance enters."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import finance as cards
from gpuaas.portal.forms.costs import (
    AdjustmentForm,
    BudgetForm,
    CostCentreForm,
    IdlePolicyForm,
    SheetForm,
)
from gpuaas.portal.views.costs import period_called
from tokenomics import documents
from tokenomics.models import CostPeriod
from tokenomics.selectors import budgets, costs
from tokenomics.services import adjustments, inputs, periods

SHEETS_AT_MOST: Final = 10


@require_safe
@for_people
def finance(request: PortalRequest, user: User) -> HttpResponse:
    """Show cost centres with their budgets, and the versions of the cost sheet."""
    _for_finance(user)
    return _page(request)


@require_POST
@for_people
def set_centre(request: PortalRequest, user: User) -> HttpResponse:
    """Name a cost centre, and say whether its statements are booked."""
    _for_finance(user)
    form = CostCentreForm(request.POST)

    def keep() -> str:
        made = inputs.set_cost_centre(**form.cleaned_data, actor=user, now=timezone.now())
        return gettext("{made} is kept.").format(made=made)

    return _done(request, form, keep, "centre_form")


@require_POST
@for_people
def set_budget(request: PortalRequest, user: User) -> HttpResponse:
    """Say what a cost centre may spend in a month, from a month on."""
    _for_finance(user)
    form = BudgetForm(request.POST)

    def keep() -> str:
        given = dict(form.cleaned_data)
        code, now = given.pop("code"), timezone.now()
        centre = costs.cost_centres().filter(code=code).first() or inputs.set_cost_centre(
            code=code, name="", is_charged=False, actor=user, now=now
        )
        made = inputs.set_budget(
            cost_centre=centre, **given, currency=settings.CURRENCY, actor=user, now=now
        )
        return gettext("The budget of {made} is kept.").format(made=made)

    return _done(request, form, keep, "budget_form")


@require_POST
@for_people
def enter_sheet(request: PortalRequest, user: User) -> HttpResponse:
    """Enter a version of the cost sheet; nothing of one with a mistake in it."""
    _for_finance(user)
    form = SheetForm(request.POST)

    def keep() -> str:
        sheet = inputs.enter_sheet(**form.cleaned_data, actor=user, now=timezone.now())
        return gettext(
            "Version {sheet_pk} counts from now on. Months that are not closed follow it."
        ).format(sheet_pk=sheet.pk)

    return _done(request, form, keep, "sheet_form")


@require_POST
@for_people
def adjust(request: PortalRequest, user: User, month: str) -> HttpResponse:
    """Enter an amount for a month; it counts once another person has approved it."""
    _for_finance(user)
    period, form = period_called(month), AdjustmentForm(request.POST)

    def keep() -> str:
        adjustments.enter_adjustment(
            period=period,
            **form.cleaned_data,
            currency=settings.CURRENCY,
            actor=user,
            now=timezone.now(),
        )
        return gettext("The amount is entered. It counts once somebody else has approved it.")

    return _back(request, period, form, keep)


@require_POST
@for_people
def decide(request: PortalRequest, user: User, month: str, public_id: UUID) -> HttpResponse:
    """Approve or reject an amount that somebody entered."""
    _for_finance(user)
    period = period_called(month)
    adjustment = get_object_or_404(costs.adjustments(period), public_id=public_id)
    is_approved = request.POST.get("step") == "approve"
    act = adjustments.approve_adjustment if is_approved else adjustments.reject_adjustment

    def keep() -> str:
        act(adjustment=adjustment, actor=user, now=timezone.now())
        return (
            gettext("It is a line of the month now.")
            if is_approved
            else gettext("It was rejected.")
        )

    return _back(request, period, None, keep)


@require_POST
@for_people
def set_idle_policy(request: PortalRequest, user: User, month: str) -> HttpResponse:
    """Say who pays for what nobody booked, while the month is open."""
    _for_finance(user)
    period, form = period_called(month), IdlePolicyForm(request.POST)

    def keep() -> str:
        periods.set_idle_policy(period=period, **form.cleaned_data, actor=user, now=timezone.now())
        return gettext("Kept. Calculate the month anew to see what it comes to.")

    return _back(request, period, form, keep)


def _done(
    request: PortalRequest, form: forms.Form, keep: Callable[[], str], name: str
) -> HttpResponse:
    """Keep what a form says, or show the page with it as it was typed and what is wrong."""
    if form.is_valid():
        try:
            messages.success(request, keep())
        except documents.SheetRefused as refused:
            for problem in refused.problems:
                form.add_error(None, str(problem))
        except inputs.BadInput as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("portal:finance")
    return _page(request, status=HTTPStatus.UNPROCESSABLE_ENTITY, **{name: form})


def _back(
    request: PortalRequest,
    period: CostPeriod,
    form: forms.Form | None,
    keep: Callable[[], str],
) -> HttpResponse:
    """Do it, say how it went, and go back to the month."""
    if form is not None and not form.is_valid():
        told = [
            f"{form[name].label}: {text}" for name, all_of in form.errors.items() for text in all_of
        ]
        messages.error(request, gettext("Nothing was changed. {join}").format(join=" ".join(told)))
    else:
        try:
            messages.success(request, keep())
        except DomainError as refused:
            messages.error(
                request,
                gettext("Nothing was changed: {refused}.").format(
                    refused=in_language(str(refused))
                ),
            )
    return redirect(f"{reverse('portal:cost_reconciliation', args=[period])}#adjustments")


def _page(
    request: PortalRequest, *, status: HTTPStatus = HTTPStatus.OK, **bound: forms.Form
) -> HttpResponse:
    now = timezone.now()
    states = [budgets.budget_state(code, now=now) for code in costs.cost_centre_codes()]
    sheets = list(costs.sheets()[:SHEETS_AT_MOST])
    current = sheets[0].document if sheets else documents.example_sheet()
    context: dict[str, Any] = {
        "centres": cards.centre_cards(costs.cost_centres(), states),
        "sheets": sheets,
        "centre_form": CostCentreForm(),
        "budget_form": BudgetForm(initial={"valid_from": f"{now:%Y-%m}"}),
        "sheet_form": SheetForm(initial={"document": current}),
        "currency": settings.CURRENCY,
        **bound,
    }
    return render(request, "portal/finance.html", context, status=status)


def _for_finance(user: User) -> None:
    if not costs.may_enter_costs(user):
        raise PermissionDenied
