"""``/api/v1/templates/``: what one books again and again, under a name."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import TokenScope, User
from gpuaas.api import fields, inputs, once, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import LOCATION, described, listed
from gpuaas.api.v1.reservations import MOST, ReservationOutput, named, shown_as_new
from gpuaas.api.views import APIView
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import selectors as inventory
from reservations import policy, selectors, services

if TYPE_CHECKING:
    from reservations.models import BookingTemplate

LONGEST_MINUTES = int(policy.LONGEST.total_seconds() // 60)


class TemplateInput(inputs.StrictInput):
    """A wish without its start.  CPU, memory and storage left out are the fair share."""

    name = serializers.CharField(max_length=60)
    is_shared = serializers.BooleanField(default=False)
    pool = serializers.CharField(max_length=40)
    team = serializers.CharField(max_length=40)
    resource_name = serializers.CharField(max_length=80)
    units = serializers.IntegerField(min_value=1, max_value=32_767)
    minutes = serializers.IntegerField(min_value=1, max_value=LONGEST_MINUTES)
    mode = serializers.ChoiceField(
        choices=[mode.value for mode in AllocationMode], default=AllocationMode.INTERACTIVE.value
    )
    cpu_millicores = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    memory_mib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    storage_gib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    purpose = serializers.CharField(max_length=120, default="", allow_blank=True)


class TemplateOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    is_shared = serializers.BooleanField()
    pool = serializers.CharField(source="pool.slug")
    team = serializers.CharField(source="team.slug")
    resource_name = serializers.CharField()
    units = serializers.IntegerField()
    minutes = serializers.IntegerField()
    mode = serializers.CharField()
    cpu_millicores = serializers.IntegerField(allow_null=True)
    memory_mib = serializers.IntegerField(allow_null=True)
    storage_gib = serializers.IntegerField(allow_null=True)
    purpose = serializers.CharField()
    created_at = serializers.DateTimeField()


class BookInput(inputs.StrictInput):
    """When; without an end, for as long as the template says."""

    starts_at = fields.InstantField()
    ends_at = fields.InstantField(required=False)


class TemplateList(APIView):
    """One's templates, and those shared with the teams one books for; and making one."""

    takes_scope = TokenScope.BOOK

    @listed("List templates", TemplateOutput, asks=inputs.CursorQuery)
    def get(self, request: Request) -> Response:
        inputs.CursorQuery(data=request.query_params).is_valid(raise_exception=True)
        found = selectors.templates_visible_to(caller(request), now=timezone.now())
        return pages.page_newest_first(found, request, show=_show)

    @described(
        "Make a template",
        takes=TemplateInput,
        answers=TemplateOutput,
        status=201,
        refuses=(409, 422),
        parameters=(LOCATION,),
    )
    def post(self, request: Request) -> Response:
        data = TemplateInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = dict(data.validated_data)
        person, now = caller(request), timezone.now()
        pool = named("pool", given.pop("pool"), inventory.pool_called)
        look = partial(accounts.team_called, reader=person, now=now)
        made = services.save_template(
            owner=person,
            team=named("team", given.pop("team"), look),
            pool=pool,
            name=given.pop("name"),
            is_shared=given.pop("is_shared"),
            pattern=services.Pattern(**{**given, "mode": AllocationMode(given["mode"])}),
            now=now,
        )
        address = reverse("api:template", args=[made.public_id])
        return Response(
            TemplateOutput(made).data,
            status=HTTPStatus.CREATED,
            headers={"Location": request.build_absolute_uri(address)},
        )


class TemplateDetail(APIView):
    """One template."""

    takes_scope = TokenScope.BOOK

    @described("Look at a template", answers=TemplateOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(TemplateOutput(_template(caller(request), public_id)).data)

    @described("Delete a template", status=204, refuses=(403,))
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Forget it; what was booked with it stays."""
        person = caller(request)
        template = _template(person, public_id)
        services.delete_template(template=template, actor=person, now=timezone.now())
        return Response(status=HTTPStatus.NO_CONTENT)


class TemplateBook(APIView):
    """Book what a template says."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @described(
        "Book with a template",
        takes=BookInput,
        answers=ReservationOutput,
        status=201,
        refuses=(409, 422, 503),
        parameters=(LOCATION,),
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        template = _template(person, public_id)
        data = BookInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        wish = services.wish_from(
            template, starts_at=given["starts_at"], ends_at=given.get("ends_at")
        )
        booked = services.admit(
            pool=template.pool,
            team=template.team,
            requested_by=person,
            wish=replace(wish, public_id=once.number_of(request)),
            now=now,
        )
        return shown_as_new(booked, request)


def _show(rows: "Iterable[BookingTemplate]") -> list[dict[str, Any]]:
    return [dict(TemplateOutput(row).data) for row in rows]


def _template(person: User, public_id: UUID) -> "BookingTemplate":
    visible = selectors.templates_visible_to(person, now=timezone.now())
    found: BookingTemplate = get_object_or_404(visible, public_id=public_id)
    return found
