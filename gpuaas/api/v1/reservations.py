"""``/api/v1/reservations/``: book, look, cancel, give back."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import TokenScope, User
from gpuaas.api import fields, inputs, offers, once, pages, preconditions, reach
from gpuaas.api.callers import caller
from gpuaas.api.described import ETAG, IF_MATCH, LOCATION, described, listed, moved
from gpuaas.api.shapes.booking import (
    ExtensionOutput,
    HeldDeviceOutput,
    OfferOutput,
    promised_device,
)
from gpuaas.api.views import APIView
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import selectors as inventory
from reservations import lifecycle, policy, selectors, services
from reservations.capacity import Window
from sessions import selectors as sessions

if TYPE_CHECKING:
    from gpuaas.inventory.models import Pool
    from reservations.models import Reservation

# Bounds that keep nonsense out of arithmetic and columns; the rules proper are the domain's.
MOST: Final = 2**31 - 1
DEMAND: Final = ("cpu_millicores", "memory_mib", "storage_gib")

M = TypeVar("M", bound=Model)


class ReservationInput(serializers.Serializer[None]):
    """A wish.  CPU, memory and storage default to a fair share of the node."""

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
    override = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=20
    )
    reason = serializers.CharField(max_length=200, default="", allow_blank=True)
    ask_approval = serializers.BooleanField(default=False)
    waitlist = serializers.BooleanField(default=False)
    on_behalf_of = serializers.CharField(max_length=150, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["waitlist"] and attrs.get("override"):
            message = "Rules are looked at again when its turn comes: nobody can override them now."
            raise serializers.ValidationError({"waitlist": [message]}, code="not_with_override")
        return attrs


class FlagOutput(serializers.Serializer[Any]):
    """Why a booking is in trouble, and since when."""

    cause = serializers.CharField()
    detail = serializers.CharField()
    since = serializers.DateTimeField()


class OfferChoice(inputs.StrictInput):
    """The offer that is accepted, by the name it came with."""

    offer = serializers.CharField(max_length=300)


class ReservationOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    pool = serializers.CharField(source="pool.slug")
    team = serializers.CharField(source="team.slug")
    requested_by = serializers.CharField(source="requested_by.username")
    resource_name = serializers.CharField()
    units = serializers.IntegerField()
    mode = serializers.CharField()
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    storage_gib = serializers.IntegerField()
    purpose = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    state = serializers.CharField()
    state_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    released_at = serializers.DateTimeField(allow_null=True)
    cost_minor = serializers.IntegerField()
    currency = serializers.CharField()
    overridden = serializers.ListField(child=serializers.CharField())
    version = serializers.IntegerField()
    pending_on = serializers.CharField()
    approver = serializers.SerializerMethodField()
    held_until = serializers.DateTimeField(allow_null=True)
    queue_position = serializers.SerializerMethodField()
    is_no_show = serializers.BooleanField()
    waiting_for = serializers.SerializerMethodField()
    flag = serializers.SerializerMethodField()

    def get_approver(self, reservation: Any) -> str:
        return policy.Approver(reservation.approver).name.lower() if reservation.approver else ""

    def get_waiting_for(self, reservation: Any) -> str:
        """Say why its node lets it wait although its window is open; empty if it does not."""
        return selectors.why_it_waits(reservation, now=timezone.now())

    def get_queue_position(self, reservation: Any) -> int | None:
        return selectors.queue_position(reservation)

    @extend_schema_field(FlagOutput(allow_null=True))
    def get_flag(self, reservation: Any) -> dict[str, Any] | None:
        flag = selectors.flag_of(reservation)
        return None if flag is None else dict(FlagOutput(flag).data)


class WorkspaceOutput(serializers.Serializer[Any]):
    state = serializers.CharField()
    waiting_for = serializers.CharField()
    last_error = serializers.CharField()
    ready_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField()

    def get_url(self, workspace: Any) -> str:
        return sessions.workspace_url(workspace)


class ReservationDetailOutput(ReservationOutput):
    """A booking with its devices and workspace, and what it can be exchanged for."""

    devices = HeldDeviceOutput(many=True)
    workspace = WorkspaceOutput(allow_null=True)
    offers = OfferOutput(many=True)


class ListFilter(inputs.CursorQuery):
    """Each narrows what the others leave."""

    state = serializers.ChoiceField(
        choices=[state.value for state in lifecycle.State], required=False
    )
    team = serializers.CharField(source="team__slug", max_length=40, required=False)
    pool = serializers.CharField(source="pool__slug", max_length=40, required=False)
    flagged = serializers.BooleanField(required=False)
    pending_on = serializers.ChoiceField(
        choices=[each.value for each in lifecycle.PendingOn], required=False
    )
    to_approve = serializers.BooleanField(required=False, default=False)


# Made once: to make their fields anew takes longer than to use them.
_INPUT: Final = ReservationInput()
_OUTPUT: Final = ReservationOutput()


def _body(reservation: Any) -> dict[str, Any]:
    return dict(_OUTPUT.to_representation(reservation))


def _show(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [_body(row) for row in rows]


class ReservationList(APIView):
    """The bookings of the teams the caller sees, the latest start first; and booking."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @listed("List bookings", ReservationOutput, asks=ListFilter)
    def get(self, request: Request) -> Response:
        wanted = ListFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        given = inputs.without_page(wanted.validated_data)
        person, now = caller(request), timezone.now()
        visible = (
            selectors.approvals_for(person, now=now)
            if given.pop("to_approve")
            else selectors.reservations_visible_to(person, now=now)
        )
        if "flagged" in request.query_params:
            in_trouble = selectors.flagged(visible)
            among = given.pop("flagged")
            visible = in_trouble if among else visible.exclude(pk__in=in_trouble.values("pk"))
        given.pop("flagged", None)
        found = selectors.with_queue_position(selectors.with_flags(visible.filter(**given)))
        return pages.page_by_start(found, request, show=_show)

    @described(
        "Book",
        takes=ReservationInput,
        answers=ReservationOutput,
        status=201,
        refuses=(409, 422, 503),
        parameters=(LOCATION,),
        example={
            "pool": "demo",
            "team": "vision",
            "resource_name": "nvidia.com/mig-1g.24gb",
            "units": 1,
            "starts_at": "2030-01-07T08:00:00Z",
            "ends_at": "2030-01-07T12:00:00Z",
            "purpose": "Fine-tuning, second run",
        },
    )
    def post(self, request: Request) -> Response:
        given = inputs.read(_INPUT, request.data)
        now, person = timezone.now(), caller(request)
        pool = named("pool", given["pool"], inventory.pool_called)
        # A team that the caller cannot see and one that does not exist look the same.
        look = partial(accounts.team_called, reader=person, now=now)
        team = named("team", given["team"], look)
        whose = person
        if "on_behalf_of" in given:
            name = given["on_behalf_of"]
            whose = services.mate(name=name, team=team, actor=person, now=now)
        book = (
            services.book_or_wait
            if given["waitlist"]
            else partial(services.admit, approval=_approval(person, given))
        )
        reservation = book(
            pool=pool,
            team=team,
            requested_by=whose,
            wish=wish_in(given, pool=pool, number=once.number_of(request)),
            now=now,
            ask_approval=given["ask_approval"],
            booked_by=person,
        )
        if once.is_first_try(request):
            selectors.note_no_flag(reservation)
        return shown_as_new(reservation, request)


def _devices_of(reservation: "Reservation") -> Iterator[dict[str, Any]]:
    if reservation.node is None:
        return
    promised = inventory.promise_on(reservation.node, reservation.resource_name)
    for hold in reservation.holds.select_related("device__node").order_by("device__ordinal"):
        yield {**promised_device(hold.device, promised), "uuid": hold.device.uuid}


class ReservationDetail(APIView):
    """One booking, and its workspace once there is one."""

    @described("Look at a booking", answers=ReservationDetailOutput, parameters=(ETAG,))
    def get(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        workspace = (
            sessions.sessions_visible_to(person, now=now).filter(reservation=reservation).first()
        )
        return Response(
            {
                **_body(reservation),
                "devices": list(_devices_of(reservation)),
                "workspace": workspace and WorkspaceOutput(workspace).data,
                "offers": [
                    offers.offer_body(each)
                    for each in (
                        services.offers_for(reservation=reservation, now=now)
                        if selectors.flag_of(reservation)
                        else ()
                    )
                ],
            },
            headers={"ETag": preconditions.etag(reservation)},
        )


class ReservationAcceptOffer(APIView):
    """Exchange a booking in trouble for one of its offers: both or neither."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @described(
        "Accept an offer",
        takes=OfferChoice,
        answers=ReservationOutput,
        status=201,
        refuses=(409, 412, 422, 503),
        parameters=(IF_MATCH, LOCATION),
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        person, now = caller(request), timezone.now()
        reservation = reach.visible(person, public_id, now=now)
        preconditions.check(request, reservation)
        data = OfferChoice(data=request.data)
        data.is_valid(raise_exception=True)
        booked = services.accept_offer(
            reservation=reservation, number=data.validated_data["offer"], actor=person, now=now
        )
        return shown_as_new(booked, request)


class ReservationCancel(APIView):
    """End a booking that is not wanted any more, started or not."""

    takes_scope = TokenScope.BOOK

    @moved("Cancel a booking", ReservationOutput)
    def post(self, request: Request, public_id: UUID) -> Response:
        return _end(services.cancel, request, public_id)


class ReservationGiveBack(APIView):
    """End a running booking early: others can have the rest of its window."""

    takes_scope = TokenScope.BOOK

    @moved("Give a running booking back", ReservationOutput)
    def post(self, request: Request, public_id: UUID) -> Response:
        return _end(services.give_back, request, public_id)


class ExtensionInput(serializers.Serializer[None]):
    """A new end, or as late as possible: one of the two."""

    ends_at = fields.InstantField(required=False)
    as_much_as_possible = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ends_at" in attrs) == attrs["as_much_as_possible"]:
            message = "Say either ends_at, or as_much_as_possible: true."
            raise serializers.ValidationError({"ends_at": [message]}, code="one_of_two")
        return attrs


class ReservationExtension(APIView):
    """How long a booking can be extended at most, at the moment, and why not further."""

    @described("See how far it can be extended", answers=ExtensionOutput, refuses=(409,))
    def get(self, request: Request, public_id: UUID) -> Response:
        now = timezone.now()
        reservation = reach.visible(caller(request), public_id, now=now)
        longest = services.longest_extension(reservation=reservation, now=now)
        return Response(
            {
                "ends_at": reservation.ends_at,
                "until": longest.until,
                "because": longest.because.value,
                "message": services.bound_in_words(longest.because),
            }
        )


class ReservationExtend(APIView):
    """Let a booking end later.  The same end again is no error."""

    takes_scope = TokenScope.BOOK
    commits_itself = True

    @moved(
        "Extend a booking", ReservationOutput, takes=ExtensionInput, refuses=(403, 409, 422, 503)
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        data = ExtensionInput(data=request.data)
        data.is_valid(raise_exception=True)
        now = timezone.now()
        reservation = reach.changeable(request, public_id, now=now)
        services.extend(
            reservation=reservation,
            ends_at=data.validated_data.get("ends_at"),
            actor=caller(request),
            now=now,
        )
        return shown(reservation)


def _approval(person: User, given: Mapping[str, Any]) -> services.Approval | None:
    if not given.get("override"):
        return None
    return services.Approval(
        by=person, override=frozenset(given["override"]), reason=given["reason"]
    )


def wish_in(given: Mapping[str, Any], *, pool: "Pool", number: UUID) -> services.Wish:
    """Return the wish of a body; what it leaves open is the usual share, read only then."""
    resource_name, units = given["resource_name"], given["units"]
    demand = {name: given[name] for name in DEMAND if name in given}
    if len(demand) < len(DEMAND):
        usual = services.usual_demand(pool=pool, resource_name=resource_name, units=units)
        demand = {name: getattr(usual, name) for name in DEMAND} | demand
    return services.Wish(
        public_id=number,
        resource_name=resource_name,
        units=units,
        window=Window(given["starts_at"], given["ends_at"]),
        mode=AllocationMode(given["mode"]),
        purpose=given["purpose"],
        **demand,
    )


def _end(service: Callable[..., None], request: Request, public_id: UUID) -> Response:
    now = timezone.now()
    reservation = reach.changeable(request, public_id, now=now)
    service(reservation=reservation, actor=caller(request), now=now)
    return shown(reservation)


def shown(reservation: "Reservation") -> Response:
    """Return the booking as it is after a change, with the ETag of that version."""
    reservation.refresh_from_db(fields=["version"])
    return Response(_body(reservation), headers={"ETag": preconditions.etag(reservation)})


def shown_as_new(reservation: "Reservation", request: Request) -> Response:
    """Return a booking that came to be, with its address."""
    address = reverse("api:reservation", args=[reservation.public_id])
    return Response(
        _body(reservation),
        status=HTTPStatus.CREATED,
        headers={"Location": request.build_absolute_uri(address)},
    )


def named(field: str, slug: str, look: Callable[[str], M | None]) -> M:
    """Return what ``look`` finds by that slug; what it does not find is refused by its field."""
    found = look(slug)
    if found is None:
        message = f"There is no {field} {slug!r} that you can use."
        raise serializers.ValidationError({field: [message]}, code="unknown")
    return found
