"""``/costs/<month>/reconciliation/``: does a month add up, and closing it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import months as cards
from gpuaas.portal.forms.costs import AdjustmentForm, IdlePolicyForm
from gpuaas.portal.views.costs import period_called
from tokenomics.models import PeriodState
from tokenomics.selectors import costs
from tokenomics.services import calculation, periods

_MOVES = {"soft": periods.soft_close, "close": periods.close}


@require_safe
@for_people
def reconciliation(request: PortalRequest, user: User, month: str) -> HttpResponse:
    """Show finance whether lines pay what there is to pay, and hours make up the calendar."""
    _for_finance(user)
    period = period_called(month)
    context: dict[str, Any] = {
        "period": period,
        "card": cards.reconciliation_card(costs.reconciliation(period), period),
        "statements": costs.statements(period),
        "adjustments": cards.adjustment_cards(costs.adjustments(period)),
        "adjustment_form": AdjustmentForm(),
        "idle_form": IdlePolicyForm(initial={"policy": period.idle_policy}),
        "person_name": user.username,
        "is_open": period.state == PeriodState.OPEN,
        "is_closed": period.state == PeriodState.CLOSED,
    }
    return render(request, "portal/cost_reconciliation.html", context)


@require_POST
@for_people
def move(request: PortalRequest, user: User, month: str) -> HttpResponse:
    """Calculate the month anew, close it softly, or for good."""
    _for_finance(user)
    period, step = period_called(month), request.POST.get("step", "")
    try:
        if step in _MOVES and "sure" in request.POST:
            moved = _MOVES[step](period=period, actor=user, now=timezone.now())
            messages.success(
                request,
                gettext("{moved} is {lower}.").format(
                    moved=moved, lower=moved.get_state_display().lower()
                ),
            )
        elif step == "calculate":
            calculation.calculate(period, now=timezone.now())
            messages.success(
                request, gettext("{period} was calculated anew.").format(period=period)
            )
        else:
            messages.error(request, gettext("Nothing was changed: say that you are sure."))
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    return redirect("portal:cost_reconciliation", month)


def _for_finance(user: User) -> None:
    if not costs.may_enter_costs(user):
        raise PermissionDenied
