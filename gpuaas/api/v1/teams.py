"""``/api/v1/teams/``: the tenants, and who is in them."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import permissions, selectors, services
from gpuaas.accounts.models import Membership, MembershipRole, Team
from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.views import APIView


class TeamInput(inputs.StrictInput):
    name = serializers.CharField(max_length=80)
    slug = serializers.SlugField(max_length=40)
    cost_centre = serializers.CharField(max_length=40, allow_blank=True, required=False)
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)


class TeamChanges(inputs.StrictInput):
    name = serializers.CharField(max_length=80, required=False)
    cost_centre = serializers.CharField(max_length=40, allow_blank=True, required=False)
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    is_active = serializers.BooleanField(required=False)


class TeamOutput(serializers.Serializer[Team]):
    """A team; ``is_active`` is false when it is archived."""

    slug = serializers.CharField()
    name = serializers.CharField()
    cost_centre = serializers.CharField()
    description = serializers.CharField()
    is_active = serializers.BooleanField()


class MemberInput(inputs.StrictInput):
    """``person``: a user name, or the e-mail address of one person alone."""

    person = serializers.CharField(max_length=254)
    role = serializers.ChoiceField(choices=MembershipRole.values)
    expires_at = fields.InstantField(required=False, allow_null=True, default=None)


class MemberChanges(inputs.StrictInput):
    role = serializers.ChoiceField(choices=MembershipRole.values, required=False)
    expires_at = fields.InstantField(required=False, allow_null=True)


class MemberOutput(serializers.Serializer[Membership]):
    """A membership; one whose ``expires_at`` has passed counts no more."""

    id = serializers.IntegerField(source="pk")
    person = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.get_full_name")
    role = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a name that Field has too
    granted_by = serializers.CharField(source="granted_by.username", default=None, allow_null=True)
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


def _show(rows: Iterable[Team]) -> list[dict[str, Any]]:
    return [dict(TeamOutput(row).data) for row in rows]


def _show_members(rows: Iterable[Membership]) -> list[dict[str, Any]]:
    return [dict(MemberOutput(row).data) for row in rows]


def _team(request: Request, slug: str) -> Team:
    visible = selectors.teams_visible_to(caller(request), now=timezone.now())
    return get_object_or_404(visible, slug=slug)


class TeamList(APIView):
    """The teams one sees, by name; and, for platform administrators, making one."""

    @listed("List teams", TeamOutput)
    def get(self, request: Request) -> Response:
        visible = selectors.teams_visible_to(caller(request), now=timezone.now())
        return pages.page_of(visible, request, by=("name", "id"), show=_show)

    @described("Make a team", takes=TeamInput, answers=TeamOutput, status=201, refuses=(409,))
    def post(self, request: Request) -> Response:
        data = TeamInput(data=request.data)
        data.is_valid(raise_exception=True)
        made = services.create_team(
            **data.validated_data, actor=caller(request), now=timezone.now()
        )
        return Response(TeamOutput(made).data, status=HTTPStatus.CREATED)


class TeamDetail(APIView):
    """One team."""

    @described("Look at a team", answers=TeamOutput)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TeamOutput(_team(request, slug)).data)

    @described("Change or archive a team", takes=TeamChanges, answers=TeamOutput, refuses=(409,))
    def patch(self, request: Request, slug: str) -> Response:
        """Change or archive it; platform administrators only."""
        team = _team(request, slug)
        data = TeamChanges(data=request.data)
        data.is_valid(raise_exception=True)
        services.change_team(
            team=team, changes=data.validated_data, actor=caller(request), now=timezone.now()
        )
        return Response(TeamOutput(team).data)


class MemberList(APIView):
    """Who is in a team; and letting somebody in."""

    @listed("List a team's members", MemberOutput)
    def get(self, request: Request, slug: str) -> Response:
        members = selectors.members_of(_team(request, slug))
        return pages.page_of(members, request, by=("user__username", "id"), show=_show_members)

    @described(
        "Let somebody in",
        takes=MemberInput,
        answers=MemberOutput,
        status=201,
        refuses=(409, 422),
    )
    def post(self, request: Request, slug: str) -> Response:
        team, actor, now = _team(request, slug), caller(request), timezone.now()
        if not permissions.may_manage_team(user=actor, team=team, now=now):
            raise services.NotManager(f"members of {team} are changed by its managers: ask one")
        data = MemberInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        person = selectors.person_called(given["person"])
        if person is None:
            message = "There is nobody with that user name or address, or more than one."
            raise serializers.ValidationError({"person": [message]}, code="unknown")
        made = services.invite(
            team=team,
            user=person,
            role=MembershipRole(given["role"]),
            expires_at=given["expires_at"],
            actor=actor,
            now=now,
        )
        return Response(MemberOutput(made).data, status=HTTPStatus.CREATED)


class MemberDetail(APIView):
    """One membership."""

    @described("Change a membership", takes=MemberChanges, answers=MemberOutput, refuses=(409, 422))
    def patch(self, request: Request, slug: str, number: int) -> Response:
        membership = get_object_or_404(selectors.members_of(_team(request, slug)), pk=number)
        data = MemberChanges(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        changed = services.change_member(
            membership=membership,
            role=MembershipRole(given.get("role", membership.role)),
            expires_at=given.get("expires_at", membership.expires_at),
            actor=caller(request),
            now=timezone.now(),
        )
        return Response(MemberOutput(changed).data)

    @described("Take somebody out", status=204, refuses=(409,))
    def delete(self, request: Request, slug: str, number: int) -> Response:
        """Take somebody out of the team."""
        membership = get_object_or_404(selectors.members_of(_team(request, slug)), pk=number)
        services.remove_member(membership=membership, actor=caller(request), now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)
