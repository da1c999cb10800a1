"""``/api/v1/costs/months/<month>/``: a month's adjustments, whether it adds up, and closing it."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import Team, User
from gpuaas.accounts.selectors import teams_visible_to
from gpuaas.api import inputs, pages
from gpuaas.api.described import described, listed
from gpuaas.api.fields import MonthField
from gpuaas.api.shapes import finance as shapes
from gpuaas.api.v1.costs import period_called
from gpuaas.api.v1.finance import of_finance
from gpuaas.api.views import APIView
from tokenomics.models import CostAdjustment, CostPeriod, CostStatement, IdlePolicy
from tokenomics.selectors import costs
from tokenomics.services import adjustments, calculation, periods
from tokenomics.services import inputs as entering

NS_PER_HOUR: Final = 3_600_000_000_000
CHANGES: Final = (403, 409, 422)


class PolicyInput(inputs.StrictInput):
    """Who pays for what nobody booked."""

    idle_policy = serializers.ChoiceField(choices=IdlePolicy.choices)


class AdjustmentInput(inputs.StrictInput):
    """Less than nothing is given back.  ``corrects`` is the closed month that it is about."""

    cost_centre = serializers.CharField(max_length=entering.LONGEST_CODE)
    team = serializers.CharField(max_length=50, required=False)
    category = serializers.CharField(max_length=entering.LONGEST_CODE, default="adjustment")
    amount_minor = serializers.IntegerField(min_value=-(2**53), max_value=2**53)
    currency = serializers.CharField(max_length=3)
    reason = serializers.CharField(max_length=adjustments.LONGEST_REASON)
    corrects = MonthField(required=False)


class CostMonth(APIView):
    """A month as finance sees it; while it is open, who pays for what nobody booked."""

    @described("Look at a month", answers=shapes.CostPeriodOutput, refuses=(403,))
    def get(self, request: Request, month: str) -> Response:
        of_finance(request)
        return Response(_period(period_called(month)))

    @described(
        "Say who pays what is idle",
        takes=PolicyInput,
        answers=shapes.CostPeriodOutput,
        refuses=CHANGES,
    )
    def patch(self, request: Request, month: str) -> Response:
        actor, period = of_finance(request), period_called(month)
        policy = IdlePolicy(inputs.read(PolicyInput(), request.data)["idle_policy"])
        changed = periods.set_idle_policy(
            period=period, policy=policy, actor=actor, now=timezone.now()
        )
        return Response(_period(changed))


class _Move(APIView):
    commits_itself: ClassVar[bool] = True

    def moved(self, request: Request, month: str, move: Callable[..., CostPeriod]) -> Response:
        actor = of_finance(request)
        return Response(_period(move(period=period_called(month), actor=actor, now=timezone.now())))


class CostMonthCalculate(_Move):
    """A month's lines, made anew with the last cost sheet."""

    @described("Calculate a month anew", answers=shapes.CostPeriodOutput, refuses=(403, 409))
    def post(self, request: Request, month: str) -> Response:
        return self.moved(request, month, _calculate)


class CostMonthSoftClose(_Move):
    """The end of a month, but for usage that comes late."""

    @described("Close a month softly", answers=shapes.CostPeriodOutput, refuses=(403, 409))
    def post(self, request: Request, month: str) -> Response:
        return self.moved(request, month, periods.soft_close)


class CostMonthClose(_Move):
    """The end of a month for good."""

    @described("Close a month for good", answers=shapes.CostPeriodOutput, refuses=(403, 409, 503))
    def post(self, request: Request, month: str) -> Response:
        """Make its statements; from then on nothing of it changes."""
        return self.moved(request, month, periods.close)


class CostMonthReconciliation(APIView):
    """Whether lines pay what there is to pay, and hours make up the calendar."""

    @described("See whether a month adds up", answers=shapes.ReconciliationOutput, refuses=(403,))
    def get(self, request: Request, month: str) -> Response:
        of_finance(request)
        found = costs.reconciliation(period_called(month))
        return Response(
            {
                "is_even": found.is_even,
                "balances": [_balance(each) for each in found.balances],
                "by_cost_centre": found.by_centre,
                "hours": {name: _hours(ns) for name, ns in found.hours.items()},
                "calendar_hours": _hours(found.calendar_ns),
                "hours_difference_ns": found.hours_difference_ns,
                "wrong_lines": found.wrong_lines,
            }
        )


class AdjustmentList(APIView):
    """What people entered for a month, approved or not, the last first."""

    @listed("List a month's adjustments", shapes.AdjustmentOutput)
    def get(self, request: Request, month: str) -> Response:
        of_finance(request)
        found = costs.adjustments(period_called(month))
        return pages.page_of(found, request, by=("-id",), show=_adjustments)

    @described(
        "Enter an adjustment",
        takes=AdjustmentInput,
        answers=shapes.AdjustmentOutput,
        status=201,
        refuses=CHANGES,
    )
    def post(self, request: Request, month: str) -> Response:
        """Enter an amount with its reason; it counts once another person has approved it."""
        actor, period, now = of_finance(request), period_called(month), timezone.now()
        given = inputs.read(AdjustmentInput(), request.data)
        slug = given.pop("team", None)
        made = adjustments.enter_adjustment(
            period=period,
            team=None if slug is None else _team(slug, actor=actor, now=now),
            **given,
            actor=actor,
            now=now,
        )
        return Response(_adjustment(made), status=HTTPStatus.CREATED)


class AdjustmentApprove(APIView):
    """An adjustment, by somebody else than who entered it."""

    @described("Approve an adjustment", answers=shapes.AdjustmentOutput, refuses=(403, 409))
    def post(self, request: Request, month: str, public_id: UUID) -> Response:
        """Make it a line of its month."""
        return _decided(request, month, public_id, adjustments.approve_adjustment)


class AdjustmentReject(APIView):
    """An adjustment that is not to count."""

    @described("Reject an adjustment", answers=shapes.AdjustmentOutput, refuses=(403, 409))
    def post(self, request: Request, month: str, public_id: UUID) -> Response:
        return _decided(request, month, public_id, adjustments.reject_adjustment)


class StatementList(APIView):
    """The statements of a closed month: first that over all cost centres, then one for each."""

    @listed("List a month's statements", shapes.StatementOutput)
    def get(self, request: Request, month: str) -> Response:
        of_finance(request)
        found = costs.statements(period_called(month))
        return pages.page_of(found, request, by=("id",), show=_statements)


def _decided(
    request: Request, month: str, public_id: UUID, decide: Callable[..., object]
) -> Response:
    actor = of_finance(request)
    found = costs.adjustments(period_called(month))
    decide(
        adjustment=get_object_or_404(found, public_id=public_id), actor=actor, now=timezone.now()
    )
    return Response(_adjustment(found.get(public_id=public_id)))


def _calculate(*, period: CostPeriod, actor: User, now: datetime) -> CostPeriod:  # noqa: ARG001 -- as the others
    return calculation.calculate(period, now=now)


def _team(slug: str, *, actor: User, now: datetime) -> Team:
    team = teams_visible_to(actor, now=now).filter(slug=slug).first()
    if team is None:
        raise serializers.ValidationError({"team": ["No such team."]}, code="does_not_exist")
    return team


def _period(period: CostPeriod) -> dict[str, Any]:
    return {
        "month": str(period),
        "state": period.state,
        "idle_policy": period.idle_policy,
        "currency": period.currency,
        "cost_sheet": period.sheet_id,
        "calculated_at": period.calculated_at,
        "calculated_until": period.calculated_until,
        "problem": period.problem,
        "soft_closed_at": period.soft_closed_at,
        "soft_closed_by": _name(period.soft_closed_by),
        "closed_at": period.closed_at,
        "closed_by": _name(period.closed_by),
    }


def _balance(each: costs.Balance) -> dict[str, Any]:
    return {
        name: getattr(each, name)
        for name in ("pool", "category", "due_minor", "paid_minor", "difference_minor")
    }


def _adjustments(rows: Iterable[CostAdjustment]) -> list[dict[str, Any]]:
    return [_adjustment(row) for row in rows]


def _adjustment(of: CostAdjustment) -> dict[str, Any]:
    return {
        "id": of.public_id,
        "month": str(of.period),
        "cost_centre": of.cost_centre,
        "team": of.team.slug if of.team else None,
        "category": of.category,
        "amount_minor": of.amount_minor,
        "currency": of.currency,
        "reason": of.reason,
        "corrects": _month(of.corrects),
        "entered_by": of.entered_by.username,
        "entered_at": of.entered_at,
        "approved_by": _name(of.approved_by),
        "approved_at": of.approved_at,
        "rejected_at": of.rejected_at,
    }


def _statements(rows: Iterable[CostStatement]) -> list[dict[str, Any]]:
    return [
        {
            "number": row.number,
            "cost_centre": row.cost_centre,
            "is_charged": row.is_charged,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "lines": row.lines,
            "lines_sha256": row.lines_digest,
            "sha256": row.digest,
            "made_at": row.made_at,
            "document": row.document,
        }
        for row in rows
    ]


def _name(person: User | None) -> str | None:
    return person.username if person else None


def _month(first: date | None) -> str | None:
    return f"{first:%Y-%m}" if first else None


def _hours(ns: int) -> str:
    return f"{ns / NS_PER_HOUR:.4f}"
