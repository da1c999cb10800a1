"""``/api/v1/series/``: the same wish for many windows, each with its own answer."""

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import TokenScope
from gpuaas.api import fields, inputs, once, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import LOCATION, described, listed
from gpuaas.api.v1.reservations import MOST, ReservationOutput, named, wish_in
from gpuaas.api.views import APIView
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import selectors as inventory
from reservations import recurrence, selectors, services

if TYPE_CHECKING:
    from reservations.models import Series, SeriesOccurrence

DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")


class RepeatInput(inputs.StrictInput):
    """How often: so many times, or to a last day.  By the clocks of ``time_zone``."""

    every = serializers.ChoiceField(choices=[each.value for each in recurrence.Every])
    on = serializers.ListField(
        child=serializers.ChoiceField(choices=DAYS), required=False, max_length=7
    )
    count = serializers.IntegerField(min_value=2, max_value=recurrence.MOST, required=False)
    until = serializers.DateField(required=False)
    time_zone = fields.ZoneField(required=False)


class SeriesInput(inputs.StrictInput):
    """A wish, as for one booking, and how its window is repeated."""

    pool = serializers.CharField(max_length=40)
    team = serializers.CharField(max_length=40)
    resource_name = serializers.CharField(max_length=80)
    units = serializers.IntegerField(min_value=1, max_value=32_767)
    starts_at = fields.InstantField()
    ends_at = fields.InstantField()
    mode = serializers.ChoiceField(
        choices=[mode.value for mode in AllocationMode], default=AllocationMode.INTERACTIVE.value
    )
    cpu_millicores = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    memory_mib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    storage_gib = serializers.IntegerField(min_value=1, max_value=MOST, required=False)
    purpose = serializers.CharField(max_length=120, default="", allow_blank=True)
    ask_approval = serializers.BooleanField(default=False)
    waitlist = serializers.BooleanField(default=False)
    on_behalf_of = serializers.CharField(max_length=150, required=False)
    repeat = RepeatInput()


class OccurrenceOutput(serializers.Serializer[Any]):
    """One window: ``booked``, with its booking; ``refused``, with the reason; or ``undecided``."""

    number = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=["booked", "refused", "undecided"])
    code = serializers.CharField()
    message = serializers.CharField()
    nearest_starts_at = serializers.DateTimeField(allow_null=True)
    nearest_ends_at = serializers.DateTimeField(allow_null=True)
    reservation = serializers.UUIDField(allow_null=True)
    state = serializers.CharField()


class SeriesOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    pool = serializers.CharField(source="pool.slug")
    team = serializers.CharField(source="team.slug")
    requested_by = serializers.CharField(source="requested_by.username")
    resource_name = serializers.CharField()
    units = serializers.IntegerField()
    purpose = serializers.CharField()
    every = serializers.CharField()
    time_zone = serializers.CharField()
    created_at = serializers.DateTimeField()
    canceled_at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField()
    booked = serializers.IntegerField()
    refused = serializers.IntegerField()


class SeriesDetailOutput(SeriesOutput):
    occurrences = OccurrenceOutput(many=True)


class CanceledOutput(serializers.Serializer[Any]):
    """What was canceled just now."""

    canceled = ReservationOutput(many=True)


class SeriesFilter(inputs.CursorQuery):
    team = serializers.CharField(source="team__slug", max_length=40, required=False)
    pool = serializers.CharField(source="pool__slug", max_length=40, required=False)


class SeriesList(APIView):
    """The series of the teams the caller sees, the newest first; and booking one."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @listed("List series", SeriesOutput, asks=SeriesFilter)
    def get(self, request: Request) -> Response:
        wanted = SeriesFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        visible = selectors.series_visible_to(caller(request), now=timezone.now())
        found = visible.filter(**inputs.without_page(wanted.validated_data))
        return pages.page_newest_first(selectors.with_counts(found), request, show=_show)

    @described(
        "Book a series",
        takes=SeriesInput,
        answers=SeriesDetailOutput,
        status=201,
        refuses=(422, 503),
        parameters=(LOCATION,),
        example={
            "pool": "demo",
            "team": "vision",
            "resource_name": "nvidia.com/mig-1g.24gb",
            "units": 1,
            "starts_at": "2030-01-07T08:00:00Z",
            "ends_at": "2030-01-07T12:00:00Z",
            "repeat": {
                "every": "week",
                "on": ["mo", "we"],
                "count": 8,
                "time_zone": "Europe/Berlin",
            },
        },
    )
    def post(self, request: Request) -> Response:
        """Book each window by itself: the answer says of each what became of it."""
        data = SeriesInput(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        now, person = timezone.now(), caller(request)
        pool = named("pool", given["pool"], inventory.pool_called)
        team = named("team", given["team"], partial(accounts.team_called, reader=person, now=now))
        whose = person
        if "on_behalf_of" in given:
            name = given["on_behalf_of"]
            whose = services.mate(name=name, team=team, actor=person, now=now)
        booked = services.book_series(
            pool=pool,
            team=team,
            requested_by=whose,
            booked_by=person,
            wish=wish_in(given, pool=pool, number=once.number_of(request)),
            repeat=_repeat(given["repeat"]),
            ways=services.Ways(given["ask_approval"], given["waitlist"]),
            now=now,
        )
        address = reverse("api:series", args=[booked.public_id])
        return Response(
            _detail(person, booked.public_id),
            status=HTTPStatus.CREATED,
            headers={"Location": request.build_absolute_uri(address)},
        )


class SeriesDetail(APIView):
    """One series, with what became of each of its windows."""

    @described("Look at a series", answers=SeriesDetailOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(_detail(caller(request), public_id))


class SeriesCancel(APIView):
    """Cancel what of a series has not started; what runs goes on."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @described("Cancel a series", answers=CanceledOutput, refuses=(403,))
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        series = get_object_or_404(
            selectors.series_visible_to(person, now=now), public_id=public_id
        )
        mine = selectors.series_changeable_by(person, now=now)
        if not mine.filter(public_id=public_id).exists():
            raise services.NotYourTeam(f"you may look at the bookings of {series.team}, not more")
        canceled = services.cancel_series(series=series, actor=person, now=now)
        return Response({"canceled": [dict(ReservationOutput(each).data) for each in canceled]})


def _repeat(given: dict[str, Any]) -> recurrence.Repeat:
    return recurrence.Repeat(
        every=recurrence.Every(given["every"]),
        zone=given.get("time_zone", fields.UTC_ZONE),
        count=given.get("count"),
        until=given.get("until"),
        on=frozenset(DAYS.index(each) for each in given.get("on", ())),
    )


def _show(rows: Any) -> list[dict[str, Any]]:
    return [dict(SeriesOutput(row).data) for row in rows]


def _detail(person: Any, public_id: UUID) -> dict[str, Any]:
    visible = selectors.with_counts(selectors.series_visible_to(person, now=timezone.now()))
    series: Series = get_object_or_404(visible, public_id=public_id)
    found = [_occurrence(each) for each in selectors.occurrences_of(series)]
    return {**SeriesOutput(series).data, "occurrences": found}


def _occurrence(each: "SeriesOccurrence") -> dict[str, Any]:
    booked = each.reservation
    outcome = "booked" if booked else "refused" if each.code else "undecided"
    return {
        "number": each.number,
        "starts_at": booked.starts_at if booked else each.starts_at,
        "ends_at": booked.ends_at if booked else each.ends_at,
        "outcome": outcome,
        "code": each.code,
        "message": each.message,
        "nearest_starts_at": each.nearest_starts_at,
        "nearest_ends_at": each.nearest_ends_at,
        "reservation": booked and booked.public_id,
        "state": booked.state if booked else "",
    }
