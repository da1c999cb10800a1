"""Rules of pools, limits of teams, prices: everybody may read what binds them, few may set it."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.booking import LimitsOutput, RulesOutput
from gpuaas.api.views import APIView
from gpuaas.inventory import selectors as inventory
from reservations import facts, services


def _limit() -> serializers.IntegerField:
    """Return a field for a number or null; which numbers make sense is the domain's to say."""
    return serializers.IntegerField(
        min_value=-(2**53), max_value=2**53, required=False, allow_null=True
    )


class ApprovalLimits(inputs.StrictInput):
    concurrent_units = _limit()
    gpu_hours_per_week = _limit()
    longest_minutes = _limit()
    horizon_days = _limit()
    approval_above_units = _limit()
    approval_above_minutes = _limit()
    approval_above_cost_minor = _limit()


class PoolRulesInput(ApprovalLimits):
    """Any of the rules; null takes one away."""

    time_zone = serializers.CharField(max_length=64, required=False)
    shortest_minutes = _limit()
    lead_time_minutes = _limit()
    cool_down_minutes = _limit()
    quiet_from = fields.LocalTimeField(required=False, allow_null=True)
    quiet_until = fields.LocalTimeField(required=False, allow_null=True)
    managers_may_approve = serializers.BooleanField(required=False)
    hold_minutes = _limit()
    no_show_minutes = _limit()
    idle_minutes = _limit()
    idle_pause_minutes = _limit()
    idle_release_minutes = _limit()


class TeamLimitsInput(ApprovalLimits):
    """Any of the limits; null takes one away.  ``pools`` replaces the allowed ones; [] is every."""

    budget_minor = _limit()
    currency = serializers.CharField(max_length=3, required=False, allow_blank=True)
    pools = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=500
    )


class PriceInput(inputs.StrictInput):
    resource_name = serializers.CharField(max_length=80)
    minor_units_per_unit_hour = serializers.IntegerField(min_value=-(2**53), max_value=2**53)
    currency = serializers.CharField(max_length=3)
    valid_from = fields.InstantField(required=False)


class PriceOutput(serializers.Serializer[Any]):
    resource_name = serializers.CharField()
    minor_units_per_unit_hour = serializers.IntegerField()
    currency = serializers.CharField()
    valid_from = serializers.DateTimeField()
    set_at = serializers.DateTimeField()


class PoolRulesDetail(APIView):
    """The rules of a pool: read by everybody, set by platform administrators."""

    @described("Look at a pool's rules", answers=RulesOutput)
    def get(self, request: Request, slug: str) -> Response:  # noqa: ARG002 -- the same for everybody
        pool = get_object_or_404(inventory.pools(), slug=slug)
        rules = facts.pool_rules(pool)
        return Response(
            {name: getattr(rules, name) for name in (*facts.OF_POOL, *facts.OF_POOL_LATER)}
        )

    @described(
        "Change a pool's rules", takes=PoolRulesInput, answers=RulesOutput, refuses=(409, 422)
    )
    def patch(self, request: Request, slug: str) -> Response:
        pool = get_object_or_404(inventory.pools(), slug=slug)
        data = PoolRulesInput(data=request.data)
        data.is_valid(raise_exception=True)
        services.set_pool_rules(
            pool=pool, changes=data.validated_data, actor=caller(request), now=timezone.now()
        )
        return self.get(request, slug)


class TeamLimits(APIView):
    """The limits of a team, with what is used and left: read by those who see the team."""

    @described("Look at a team's limits", answers=LimitsOutput)
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        team = get_object_or_404(accounts.teams_visible_to(caller(request), now=now), slug=slug)
        (rules, pools), used = facts.team_rules(team), facts.used_by(team, now=now)
        budget, hours, units = (
            rules.budget_minor,
            rules.gpu_hours_per_week,
            rules.concurrent_units,
        )
        return Response(
            {
                **{name: getattr(rules, name) for name in facts.OF_TEAM},
                "currency": rules.currency,
                "pools": [pool.slug for pool in pools],
                "used": {
                    "month_from": used.month.starts_at,
                    "spent_minor": used.spent_minor,
                    "week_from": used.week.starts_at,
                    "gpu_hours": round(float(used.gpu_hours), 2),
                    "units_now": used.units_now,
                    "no_shows": used.no_shows,
                },
                "left": {
                    "budget_minor": None if budget is None else max(budget - used.spent_minor, 0),
                    "gpu_hours": (
                        None if hours is None else max(round(float(hours - used.gpu_hours), 2), 0)
                    ),
                    "units_now": None if units is None else max(units - used.units_now, 0),
                },
            }
        )

    @described(
        "Change a team's limits", takes=TeamLimitsInput, answers=LimitsOutput, refuses=(409, 422)
    )
    def patch(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        team = get_object_or_404(accounts.teams_visible_to(caller(request), now=now), slug=slug)
        data = TeamLimitsInput(data=request.data)
        data.is_valid(raise_exception=True)
        changes = dict(data.validated_data)
        slugs = changes.pop("pools", None)
        services.set_team_rules(
            team=team,
            changes=changes,
            pools=None if slugs is None else _pools(slugs),
            actor=caller(request),
            now=now,
        )
        return self.get(request, slug)


class PriceList(APIView):
    """The prices of a pool, past and to come: read by everybody, added to by administrators."""

    @listed("List a pool's prices", PriceOutput)
    def get(self, request: Request, slug: str) -> Response:
        pool = get_object_or_404(inventory.pools(), slug=slug)
        by = ("resource_name", "-valid_from", "-id")
        return pages.page_of(facts.prices_of(pool), request, by=by, show=_show)

    @described("Set a price", takes=PriceInput, answers=PriceOutput, status=201, refuses=(409, 422))
    def post(self, request: Request, slug: str) -> Response:
        pool, now = get_object_or_404(inventory.pools(), slug=slug), timezone.now()
        data = PriceInput(data=request.data)
        data.is_valid(raise_exception=True)
        values = {"valid_from": now, **data.validated_data}
        price = services.set_price(pool=pool, actor=caller(request), now=now, **values)
        return Response(PriceOutput(price).data, status=HTTPStatus.CREATED)


def _pools(slugs: list[str]) -> list[Any]:
    found = {pool.slug: pool for pool in inventory.pools().filter(slug__in=slugs)}
    if unknown := [slug for slug in slugs if slug not in found]:
        message = f"There is no pool {', '.join(unknown)}."
        raise serializers.ValidationError({"pools": [message]}, code="does_not_exist")
    return list(found.values())


def _show(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(PriceOutput(row).data) for row in rows]
