"""``/api/v1/calendar-feeds/``: the secret addresses of the caller's calendars."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import ApiToken
from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.people import FeedOutput, NewFeedOutput
from gpuaas.api.views import APIView
from gpuaas.feeds import selectors, services
from gpuaas.feeds.models import CalendarFeed
from gpuaas.inventory import selectors as inventory


class FeedInput(inputs.StrictInput):
    """Of a team, or of a pool; without either of what the caller books."""

    team = serializers.CharField(required=False, max_length=50)
    pool = serializers.CharField(required=False, max_length=50)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "team" in attrs and "pool" in attrs:
            message = "A calendar is of a team or of a pool: leave one of the two out."
            raise serializers.ValidationError({"pool": message}, code="one_of_the_two")
        return attrs


def _show(rows: Iterable[CalendarFeed]) -> list[dict[str, Any]]:
    return [_feed(each) for each in rows]


def _feed(feed: CalendarFeed) -> dict[str, Any]:
    return {
        "id": feed.pk,
        "of": feed.kind,
        "team": feed.team and feed.team.slug,
        "pool": feed.pool and feed.pool.slug,
        "created_at": feed.created_at,
    }


class FeedList(APIView):
    """One's calendar links that were not revoked, newest first; and making one."""

    answers_secret = True

    @listed("List your calendar links", FeedOutput)
    def get(self, request: Request) -> Response:
        return pages.page_of(selectors.feeds_of(caller(request)), request, by=("-id",), show=_show)

    @described(
        "Make a calendar link",
        takes=FeedInput,
        answers=NewFeedOutput,
        status=201,
        refuses=(404, 409),
    )
    def post(self, request: Request) -> Response:
        """Answer with the address: this once."""
        if isinstance(request.auth, ApiToken):
            # A stolen token must leave nothing behind that outlives it.
            raise PermissionDenied("Log in to make a calendar link.", "login_needed")
        person, now = caller(request), timezone.now()
        data = FeedInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        team = pool = None
        if "team" in given:
            visible = accounts.teams_visible_to(person, now=now)
            team = get_object_or_404(visible, slug=given["team"])
        if "pool" in given:
            pool = get_object_or_404(inventory.pools(), slug=given["pool"])
        feed, secret = services.create_feed(person=person, team=team, pool=pool, now=now)
        url = settings.BASE_URL.rstrip("/") + reverse("portal:calendar", args=[secret])
        return Response({**_feed(feed), "url": url}, status=HTTPStatus.CREATED)


class FeedDetail(APIView):
    """One link of the caller."""

    @described("Revoke a calendar link", status=204)
    def delete(self, request: Request, number: int) -> Response:
        """Revoke it."""
        feed = get_object_or_404(selectors.feeds_of(caller(request)), pk=number)
        services.revoke_feed(feed=feed, now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)
