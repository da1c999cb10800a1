"""``/api/v1/notices/``: what the caller was told, what they want to hear of, and their webhooks."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.people import MarkedOutput, NoticeOutput, PreferenceOutput, WebhookOutput
from gpuaas.api.views import APIView
from gpuaas.notifications import selectors, services, wording
from gpuaas.notifications.events import EVENTS, Channel
from gpuaas.notifications.models import Notice, Webhook


class ListFilter(inputs.CursorQuery):
    unread = serializers.BooleanField(default=False)


class PreferenceInput(inputs.StrictInput):
    event = serializers.ChoiceField(choices=list(EVENTS))
    channel = serializers.ChoiceField(choices=[channel.value for channel in Channel])
    is_on = serializers.BooleanField()


class WebhookInput(inputs.StrictInput):
    url = serializers.CharField(max_length=500)


def _show(rows: Iterable[Notice]) -> list[dict[str, Any]]:
    return [_notice(each) for each in rows]


def _notice(notice: Notice) -> dict[str, Any]:
    message = notice.message
    text = wording.text_of(
        event=message.event,
        subject=message.subject,
        team=message.team.name if message.team else "",
        data=message.data,
    )
    return {
        "id": notice.pk,
        "event": message.event,
        "subject": message.subject,
        "team": message.team and message.team.slug,
        "title": text.title,
        "body": text.body,
        "link": settings.BASE_URL.rstrip("/") + text.path,
        "created_at": message.created_at,
        "read_at": notice.read_at,
    }


class NoticeList(APIView):
    """What the caller was told and may still know, newest first."""

    @listed("List your notices", NoticeOutput, asks=ListFilter)
    def get(self, request: Request) -> Response:
        person, now = caller(request), timezone.now()
        wanted = ListFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        chosen = (
            selectors.unread_by if wanted.validated_data["unread"] else selectors.notices_visible_to
        )
        return pages.page_of(chosen(person, now=now), request, by=("-id",), show=_show)


class NoticesRead(APIView):
    """Mark every notice as read."""

    @described("Mark every notice as read", answers=MarkedOutput)
    def post(self, request: Request) -> Response:
        marked = services.mark_read(person=caller(request), notice=None, now=timezone.now())
        return Response({"marked": marked})


class NoticeRead(APIView):
    """Mark one notice as read; doing it again changes nothing."""

    @described("Mark a notice as read", answers=NoticeOutput)
    def post(self, request: Request, number: int) -> Response:
        person, now = caller(request), timezone.now()
        visible = selectors.notices_visible_to(person, now=now)
        notice = get_object_or_404(visible, pk=number)
        services.mark_read(person=person, notice=notice, now=now)
        return Response(_notice(visible.get(pk=number)))


class Preferences(APIView):
    """What the caller hears of, and over which channels."""

    @described("See what you hear of", answers=PreferenceOutput(many=True))
    def get(self, request: Request) -> Response:
        return Response(_preferences(caller(request)))

    @described(
        "Set one thing you hear of",
        takes=PreferenceInput,
        answers=PreferenceOutput(many=True),
        refuses=(422,),
    )
    def patch(self, request: Request) -> Response:
        """Set one cell of the table."""
        person = caller(request)
        data = PreferenceInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        services.prefer(
            person=person,
            event=given["event"],
            channel=Channel(given["channel"]),
            is_on=given["is_on"],
        )
        return Response(_preferences(person))


def _preferences(person: User) -> list[dict[str, Any]]:
    return [
        {"event": event, "channel": channel.value, "is_on": is_on}
        for (event, channel), is_on in selectors.preferences_of(person).items()
    ]


class WebhookView(APIView):
    """One's own webhook, or that of a team one manages.  The secret signs what is sent."""

    @described("Look at a webhook", answers=WebhookOutput)
    def get(self, request: Request, team: str = "") -> Response:
        person, of = self._whose(request, team)
        webhook = selectors.webhook_of(person=None if of else person, team=of)
        return Response(_webhook(webhook))

    @described(
        "Set or replace a webhook", takes=WebhookInput, answers=WebhookOutput, refuses=(422,)
    )
    def put(self, request: Request, team: str = "") -> Response:
        """Set or replace it; the secret is new each time."""
        person, of = self._whose(request, team)
        data = WebhookInput(data=request.data)
        data.is_valid(raise_exception=True)
        url = data.validated_data["url"]
        webhook = services.set_webhook(actor=person, team=of, url=url, now=timezone.now())
        return Response(_webhook(webhook))

    @described("Remove a webhook", status=204)
    def delete(self, request: Request, team: str = "") -> Response:
        person, of = self._whose(request, team)
        services.remove_webhook(actor=person, team=of, now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)

    def _whose(self, request: Request, team: str) -> tuple[User, Team | None]:
        person = caller(request)
        managed = accounts.teams_managed_by(person, now=timezone.now())
        return person, get_object_or_404(managed, slug=team) if team else None


def _webhook(webhook: Webhook | None) -> dict[str, Any]:
    return {
        "url": webhook.url if webhook else None,
        "secret": webhook.secret if webhook else None,
        "created_at": webhook.created_at if webhook else None,
    }
