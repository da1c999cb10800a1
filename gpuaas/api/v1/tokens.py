"""``/api/v1/tokens/``: the caller's own API tokens."""

from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors, services
from gpuaas.accounts.models import ApiToken, TokenScope
from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.views import APIView


class TokenInput(inputs.StrictInput):
    name = serializers.CharField(max_length=60)
    expires_at = fields.InstantField()
    scope = serializers.ChoiceField(choices=TokenScope.values, default=TokenScope.FULL.value)


class TokenOutput(serializers.Serializer[ApiToken]):
    """A token without its secret; ``last_used_at`` is right to the hour."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    scope = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewTokenOutput(TokenOutput):
    """A token with itself, this once."""

    token = serializers.CharField()


def _show(rows: Iterable[ApiToken]) -> list[dict[str, Any]]:
    return [dict(TokenOutput(row).data) for row in rows]


class TokenList(APIView):
    """One's tokens, newest first, the ended ones too; and making one."""

    answers_secret = True

    @listed("List your tokens", TokenOutput)
    def get(self, request: Request) -> Response:
        return pages.page_of(selectors.tokens_of(caller(request)), request, by=("-id",), show=_show)

    @described(
        "Make a token",
        takes=TokenInput,
        answers=NewTokenOutput,
        status=201,
        refuses=(409, 422),
    )
    def post(self, request: Request) -> Response:
        """Answer with the token itself: this once."""
        if isinstance(request.auth, ApiToken):
            # A stolen token must not outlive its own end by making another.
            raise PermissionDenied("Log in to make a token: a token makes none.", "login_needed")
        data = TokenInput(data=request.data)
        data.is_valid(raise_exception=True)
        made, text = services.create_token(
            person=caller(request),
            name=data.validated_data["name"],
            expires_at=data.validated_data["expires_at"],
            scope=TokenScope(data.validated_data["scope"]),
            longest=timedelta(days=settings.API_TOKEN_MAX_DAYS),
            now=timezone.now(),
        )
        return Response({**TokenOutput(made).data, "token": text}, status=HTTPStatus.CREATED)


class TokenDetail(APIView):
    """One token of the caller."""

    @described("Revoke a token", status=204)
    def delete(self, request: Request, public_id: str) -> Response:
        """Revoke it; its row stays."""
        person = caller(request)
        token = get_object_or_404(selectors.tokens_of(person), public_id=public_id)
        services.revoke_token(token=token, actor=person, now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)
