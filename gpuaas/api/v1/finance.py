"""``/api/v1/costs/``: what finance enters: cost sheets, cost centres and their budgets."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import User
from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.fields import MonthField
from gpuaas.api.shapes import finance as shapes
from gpuaas.api.views import APIView
from tokenomics.models import CostCentre, CostCentreBudget, CostSheet
from tokenomics.selectors import budgets, costs
from tokenomics.services import inputs as entering


class SheetInput(inputs.StrictInput):
    yaml = serializers.CharField(max_length=200_000, trim_whitespace=False)
    reason = serializers.CharField(max_length=entering.LONGEST_REASON)


class CentreInput(inputs.StrictInput):
    """``is_charged``: its statements are booked (chargeback), not only shown (showback)."""

    code = serializers.CharField(max_length=entering.LONGEST_CODE)
    name = serializers.CharField(max_length=entering.LONGEST_NAME, allow_blank=True, default="")
    is_charged = serializers.BooleanField()


class BudgetInput(inputs.StrictInput):
    """``amount_minor`` null ends the budget; ``blocks`` refuses bookings that it does not pay."""

    cost_centre = serializers.CharField(max_length=entering.LONGEST_CODE)
    valid_from = MonthField()
    amount_minor = serializers.IntegerField(
        allow_null=True, min_value=-(2**53), max_value=entering.MOST_MINOR
    )
    currency = serializers.CharField(max_length=3)
    blocks = serializers.BooleanField(default=False)


class BudgetQuery(inputs.CursorQuery):
    cost_centre = serializers.CharField(required=False, max_length=entering.LONGEST_CODE)


class CostSheetList(APIView):
    """The versions of the cost sheet, the last first, for finance and platform administrators."""

    @listed("List versions of the cost sheet", shapes.CostSheetOutput)
    def get(self, request: Request) -> Response:
        of_finance(request)
        return pages.page_of(costs.sheets(), request, by=("-id",), show=_sheets)

    @described(
        "Enter a version of the cost sheet",
        takes=SheetInput,
        answers=shapes.CostSheetTextOutput,
        status=201,
        refuses=(403, 422),
    )
    def post(self, request: Request) -> Response:
        """Make it the sheet of every month that is not closed; nothing of one with a mistake."""
        actor, given = of_finance(request), inputs.read(SheetInput(), request.data)
        made = entering.enter_sheet(
            document=given["yaml"], reason=given["reason"], actor=actor, now=timezone.now()
        )
        return Response(_whole_sheet(made), status=HTTPStatus.CREATED)


class CostSheetDetail(APIView):
    """One version of the cost sheet, with its text as it was entered."""

    @described(
        "Read a version of the cost sheet", answers=shapes.CostSheetTextOutput, refuses=(403,)
    )
    def get(self, request: Request, number: int) -> Response:
        of_finance(request)
        return Response(_whole_sheet(get_object_or_404(costs.sheets(), pk=number)))


class CostCentreList(APIView):
    """Every cost centre that finance or a team has named, with this month's budget."""

    @listed("List cost centres", shapes.CostCentreOutput)
    def get(self, request: Request) -> Response:
        of_finance(request)
        known = {each.code: each for each in costs.cost_centres()}
        return pages.page_after(
            [(code,) for code in costs.cost_centre_codes()],
            request,
            key=lambda each: each,
            show=lambda each: _centre(each[0], known.get(each[0])),
        )

    @described(
        "Name a cost centre",
        takes=CentreInput,
        answers=shapes.CostCentreOutput,
        refuses=(403, 422),
    )
    def post(self, request: Request) -> Response:
        """Name it, whether it was there or not, and say whether its statements are booked."""
        actor, given = of_finance(request), inputs.read(CentreInput(), request.data)
        made = entering.set_cost_centre(**given, actor=actor, now=timezone.now())
        return Response(_centre(made.code, made))


class CostBudgetList(APIView):
    """The budgets of cost centres, the last entered first; of a month the last counts."""

    @listed("List budgets", shapes.CostBudgetOutput, asks=BudgetQuery)
    def get(self, request: Request) -> Response:
        of_finance(request)
        asked = inputs.without_page(inputs.read(BudgetQuery(), request.query_params))
        found = budgets.budgets(cost_centre=asked.get("cost_centre"))
        return pages.page_of(found, request, by=("-id",), show=_budgets)

    @described(
        "Set a budget",
        takes=BudgetInput,
        answers=shapes.CostBudgetOutput,
        status=201,
        refuses=(403, 422),
    )
    def post(self, request: Request) -> Response:
        """Say what a cost centre, which has been named, may spend a month, from a month on."""
        actor, given = of_finance(request), inputs.read(BudgetInput(), request.data)
        centre = costs.cost_centres().filter(code=given.pop("cost_centre")).first()
        if centre is None:
            message = "There is no such cost centre: name it first."
            raise serializers.ValidationError({"cost_centre": [message]}, code="does_not_exist")
        made = entering.set_budget(cost_centre=centre, **given, actor=actor, now=timezone.now())
        return Response(_budgets([made])[0], status=HTTPStatus.CREATED)


def of_finance(request: Request) -> User:
    """Return who is asking; raises `FinanceOnly` unless they may enter costs."""
    person = caller(request)
    entering.check_actor(person)
    return person


def _sheet(sheet: CostSheet) -> dict[str, Any]:
    return {
        "number": sheet.pk,
        "currency": sheet.currency,
        "reason": sheet.reason,
        "entered_by": sheet.entered_by.username,
        "entered_at": sheet.entered_at,
    }


def _sheets(rows: Iterable[CostSheet]) -> list[dict[str, Any]]:
    return [_sheet(row) for row in rows]


def _whole_sheet(sheet: CostSheet) -> dict[str, Any]:
    return {**_sheet(sheet), "yaml": sheet.document}


def _centre(code: str, centre: CostCentre | None) -> dict[str, Any]:
    state = budgets.budget_state(code, now=timezone.now())
    return {
        "code": code,
        "name": centre.name if centre else "",
        "is_charged": bool(centre and centre.is_charged),
        "currency": state.currency,
        "budget_minor": state.budget_minor,
        "blocks": state.blocks,
        "actual_minor": state.actual_minor,
        "committed_minor": state.committed_minor,
        "forecast_minor": state.forecast_minor,
    }


def _budgets(rows: Iterable[CostCentreBudget]) -> list[dict[str, Any]]:
    return [
        {
            "cost_centre": row.cost_centre.code,
            "valid_from": f"{row.valid_from:%Y-%m}",
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "blocks": row.blocks,
            "set_by": row.set_by.username,
            "set_at": row.set_at,
        }
        for row in rows
    ]
