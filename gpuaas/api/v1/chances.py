"""``/api/v1/pools/<slug>/free-windows/`` and ``.../alternatives/``: what can be booked instead."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team
from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.fields import InstantField
from gpuaas.api.inputs import StrictInput
from gpuaas.api.shapes.booking import AlternativesOutput, FreeWindowsOutput
from gpuaas.api.v1.reservations import MOST
from gpuaas.api.views import APIView
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window

LOOK_AHEAD: Final = timedelta(days=14)
FURTHEST: Final = timedelta(days=90)
MINUTES_AT_MOST: Final = 14 * 24 * 60
STEP: Final = timedelta(minutes=5)


class ChanceQuery(StrictInput):
    """A wish without a fixed window: how much of what, for how long, from when until when."""

    team = serializers.CharField(max_length=40)
    resource_name = serializers.CharField(max_length=80)
    units = serializers.IntegerField(min_value=1, max_value=32_767, default=1)
    minutes = serializers.IntegerField(min_value=1, max_value=MINUTES_AT_MOST)
    starts_at = InstantField(required=False)
    until = InstantField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=20, default=10)
    cpu_millicores = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    memory_mib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    storage_gib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)


class FreeWindows(APIView):
    """The windows in which a wish can be booked: there is room, and rules allow it."""

    @described("Find free windows", asks=ChanceQuery, answers=FreeWindowsOutput, refuses=(422,))
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        pool, team, wish, until, given = _asked(request, slug, now)
        found = services.chances.free_windows(
            pool=pool, team=team, wish=wish, until=until, now=now, at_most=given["limit"]
        )
        return Response({"windows": [_show(each) for each in found]})


class Alternatives(APIView):
    """What else does the same work: other types of the pool, or the same type in others."""

    @described("Find alternatives", asks=ChanceQuery, answers=AlternativesOutput, refuses=(422,))
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        pool, team, wish, until, given = _asked(request, slug, now)
        found = services.chances.alternatives(pool=pool, team=team, wish=wish, until=until, now=now)
        return Response({"alternatives": [_show(each) for each in found[: given["limit"]]]})


def _asked(
    request: Request, slug: str, now: datetime
) -> tuple[Pool, Team, services.Wish, datetime, dict[str, Any]]:
    query = ChanceQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    given = query.validated_data
    pool = inventory.pools().filter(slug=slug).first()
    teams = accounts.teams_visible_to(caller(request), now=now)
    team = teams.filter(slug=given["team"]).first()
    if pool is None or team is None:
        raise Http404("There is no such pool or team.")
    if given["resource_name"] not in {each.resource_name for each in resource_types.of(pool)}:
        message = f"There is no {given['resource_name']!r} in {pool}."
        raise serializers.ValidationError({"resource_name": [message]}, code="unknown")
    starts_at = max(given.get("starts_at", now), _next_step(now))
    until = given.get("until", starts_at + LOOK_AHEAD)
    if not starts_at < until <= now + FURTHEST:
        message = f"Ask for a time after the start, and at most {FURTHEST.days} days ahead."
        raise serializers.ValidationError({"until": [message]}, code="window")
    usual = services.usual_demand(
        pool=pool, resource_name=given["resource_name"], units=given["units"]
    )
    wish = services.Wish(
        resource_name=given["resource_name"],
        units=given["units"],
        window=Window(starts_at, starts_at + timedelta(minutes=given["minutes"])),
        mode=AllocationMode.INTERACTIVE,
        cpu_millicores=given.get("cpu_millicores", usual.cpu_millicores),
        memory_mib=given.get("memory_mib", usual.memory_mib),
        storage_gib=given.get("storage_gib", usual.storage_gib),
    )
    return pool, team, wish, until, given


def _next_step(now: datetime) -> datetime:
    """Return the next full five minutes: an answer that begins now is past when it is booked."""
    since = now.replace(minute=0, second=0, microsecond=0)
    return since + STEP * (-((since - now) // STEP))


def _show(chance: services.chances.Chance) -> dict[str, object]:
    """Return it as what can be posted to book it, with until when it is free and its price."""
    wish = chance.wish
    return {
        "pool": chance.pool.slug,
        "resource_name": wish.resource_name,
        "units": wish.units,
        "starts_at": _text(wish.window.starts_at),
        "ends_at": _text(wish.window.ends_at),
        "cpu_millicores": wish.cpu_millicores,
        "memory_mib": wish.memory_mib,
        "storage_gib": wish.storage_gib,
        "free_until": _text(chance.free_until),
        "cost_minor": chance.cost_minor,
        "currency": chance.currency,
        "gpu_memory_gb": chance.gpu_memory_gb or None,
        "is_smaller": chance.is_smaller,
    }


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
