"""``/api/v1/me/``: who is asking."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors
from gpuaas.accounts.models import CAN_BOOK, ApiToken, Membership, User
from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.views import APIView


class PersonOutput(serializers.Serializer[User]):
    username = serializers.CharField()
    name = serializers.CharField(source="get_full_name")
    email = serializers.CharField()
    organisation_role = serializers.CharField()


class OwnTeamOutput(serializers.Serializer[Membership]):
    """A membership that has not expired; ``may_book`` is false for viewers and archived teams."""

    slug = serializers.CharField(source="team.slug")
    name = serializers.CharField(source="team.name")
    role = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    may_book = serializers.SerializerMethodField()

    def get_may_book(self, membership: Membership) -> bool:
        return membership.role in CAN_BOOK and membership.team.is_active


class OwnTokenOutput(serializers.Serializer[ApiToken]):
    name = serializers.CharField()
    scope = serializers.CharField()
    expires_at = serializers.DateTimeField()


class MeOutput(PersonOutput):
    """Who asks: ``token`` is null without one, in the portal's session."""

    token = OwnTokenOutput(allow_null=True)
    teams = OwnTeamOutput(many=True)


class Me(APIView):
    """The person who asks, their teams, and the token with which they ask, if it is one."""

    @described("See who you are", answers=MeOutput)
    def get(self, request: Request) -> Response:
        person = caller(request)
        token = request.auth if isinstance(request.auth, ApiToken) else None
        memberships: Any = selectors.memberships_of(person, now=timezone.now())
        return Response(
            {
                **PersonOutput(person).data,
                "token": token and OwnTokenOutput(token).data,
                "teams": OwnTeamOutput(memberships, many=True).data,
            }
        )
