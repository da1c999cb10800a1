"""Reservations in the admin site: to be seen, and canceled through the service."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from gpuaas.accounts.models import User
from gpuaas.core.admin import ReadOnlyAdmin
from gpuaas.core.errors import DomainError
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory import services as hardware
from gpuaas.inventory.admin import DeviceAdmin
from gpuaas.inventory.models import Device, DeviceState
from reservations import selectors, services
from reservations.lifecycle import WAITS_FOR_ITS_START
from reservations.models import BookingFlag, Reservation
from reservations.selectors import number_in


class StartsWithin(admin.SimpleListFilter):
    """How far back the list goes; a list without an end is asked for, not met."""

    title = "start"
    parameter_name = "since"
    DAYS: Final = {"": 30, "quarter": 90, "year": 365}
    # In how much of it one can look for a word: that reads all of it.
    READABLE: Final = frozenset({"", "quarter"})
    ANY: Final = "any"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002 -- Django's signature
        model_admin: "admin.ModelAdmin[Any]",  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [
            ("", "The last 30 days, and to come"),
            ("quarter", "90 days"),
            ("year", "A year"),
            (self.ANY, "Any time"),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for value, title in self.lookup_choices:
            yield {
                "selected": (self.value() or "") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Reservation]
    ) -> QuerySet[Reservation]:
        days = self.DAYS.get(self.value() or "")
        # Who knows its number finds it, however old it is.
        if days is None or number_in(request.GET.get("q", "")):
            return queryset
        return queryset.filter(starts_at__gte=timezone.now() - timedelta(days=days))


class OfType(admin.SimpleListFilter):
    """The types there are devices of: a list of those booked would read every booking."""

    title = "type"
    parameter_name = "type"

    def lookups(
        self,
        request: HttpRequest,  # noqa: ARG002
        model_admin: "admin.ModelAdmin[Any]",  # noqa: ARG002
    ) -> list[tuple[str, str]]:
        return [(name, name) for name in inventory.resource_names()]

    def queryset(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: QuerySet[Reservation],
    ) -> QuerySet[Reservation]:
        return queryset.filter(resource_name=self.value()) if self.value() else queryset


class WithReason(ActionForm):
    """What is done with the chosen rows, and why: whoever asked for a rejected one is told.

    ``hours`` is by how much they are extended.
    """

    reason = forms.CharField(max_length=200, required=False)
    hours = forms.IntegerField(min_value=1, max_value=168, required=False)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    for_managers = True
    list_display = (
        "__str__",
        "state",
        "starts_at",
        "ends_at",
        "in_the_portal",
        "in_the_calendar",
        "team",
        "requested_by",
        "pool",
    )
    list_filter = (StartsWithin, "state", "pending_on", "is_no_show", "pool", OfType)
    search_fields = ("public_id",)  # see get_search_results
    search_help_text = "A number, the beginning of a user name or, within 90 days, of a purpose"
    sortable_by = ("starts_at",)
    action_form = WithReason
    actions = (
        "extend_chosen",
        "cancel_chosen",
        "give_back_chosen",
        "approve_chosen",
        "reject_chosen",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reservation]:
        return selectors.reservations_visible_to(_user(request), now=timezone.now())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Reservation], search_term: str
    ) -> tuple[QuerySet[Reservation], bool]:
        """Search where an index, or the bounded time, keeps it short."""
        since = request.GET.get(StartsWithin.parameter_name, "")
        in_purpose = since in StartsWithin.READABLE
        return selectors.matching(queryset, search_term, in_purpose=in_purpose), False

    @admin.display(description="in the portal")
    def in_the_portal(self, reservation: Reservation) -> str:
        address = reverse("portal:reservation", args=[reservation.public_id])
        move = reverse("portal:change", args=[reservation.public_id])
        told = '<a href="{}">Window and history</a>'
        if reservation.state not in WAITS_FOR_ITS_START:
            return format_html(told, address)
        return format_html(told + ' · <a href="{}">Move</a>', address, move)

    @admin.display(description="in the calendar")
    def in_the_calendar(self, reservation: Reservation) -> str:
        asked = {"pool": reservation.pool.slug, "day": f"{reservation.starts_at:%Y-%m-%d}"}
        address = f"{reverse('portal:timeline')}?{urlencode(asked)}"
        return format_html('<a href="{}">Its days</a>', address)

    @admin.action(description="Extend the chosen reservations by the hours given")
    def extend_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """Extend each of them; those that cannot be are named with the reason, and stay."""
        longer = _hours(request)
        if longer is None:
            self.message_user(request, "say by how many hours, 1 to 168", messages.ERROR)
            return
        user, now = _user(request), timezone.now()

        def extend(*, reservation: Reservation) -> None:
            ends_at = reservation.ends_at + longer
            services.extend(reservation=reservation, ends_at=ends_at, actor=user, now=now)

        changeable = selectors.reservations_changeable_by(user, now=now).filter(pk__in=chosen)
        self.message_user(request, f"{self._each(request, changeable, extend)} extended")

    @admin.action(description="Cancel the chosen reservations")
    def cancel_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """Cancel each of them; those that cannot be canceled are named, and stay as they are."""
        self._end_each(request, chosen, services.cancel, "canceled")

    @admin.action(description="Give back the chosen reservations")
    def give_back_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """End each of them early; those that do not run are named, and stay as they are."""
        self._end_each(request, chosen, services.give_back, "given back")

    @admin.action(description="Approve the chosen reservations")
    def approve_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """Approve each of them; those that this person may not approve are named, and stay."""
        approve = partial(
            services.approve, actor=_user(request), now=timezone.now(), reason=_reason(request)
        )
        self.message_user(request, f"{self._each(request, chosen, approve)} approved")

    @admin.action(description="Reject the chosen reservations, with the reason given")
    def reject_chosen(self, request: HttpRequest, chosen: QuerySet[Reservation]) -> None:
        """Reject each of them; those that this person may not reject are named, and stay."""
        reject = partial(
            services.reject, actor=_user(request), now=timezone.now(), reason=_reason(request)
        )
        self.message_user(request, f"{self._each(request, chosen, reject)} rejected")

    def _end_each(
        self,
        request: HttpRequest,
        chosen: QuerySet[Reservation],
        service: Callable[..., None],
        word: str,
    ) -> None:
        user, now = _user(request), timezone.now()
        changeable = selectors.reservations_changeable_by(user, now=now).filter(pk__in=chosen)
        done = self._each(request, changeable, partial(service, actor=user, now=now))
        self.message_user(request, f"{done} {word}")

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Reservation], service: Callable[..., None]
    ) -> int:
        """Call ``service`` for each of them; say which it refuses, and return how many it did."""
        done = 0
        for reservation in chosen:
            try:
                service(reservation=reservation)
            except DomainError as refused:
                self.message_user(request, f"{reservation}: {refused}", messages.ERROR)
            else:
                done += 1
        return done


@admin.register(BookingFlag)
class BookingFlagAdmin(ReadOnlyAdmin[BookingFlag]):
    """The bookings in trouble that could not be moved: the flag goes when they are well."""

    for_managers = True
    list_display = ("reservation", "team", "cause", "detail", "since", "in_the_portal")
    list_filter = ("cause",)
    ordering = ("since", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BookingFlag]:
        return selectors.open_flags_visible_to(_user(request), now=timezone.now())

    @admin.display(description="team")
    def team(self, flag: BookingFlag) -> str:
        return str(flag.reservation.team)

    @admin.display(description="in the portal")
    def in_the_portal(self, flag: BookingFlag) -> str:
        address = reverse("portal:reservation", args=[flag.reservation.public_id])
        return format_html('<a href="{}">Booking and offers</a>', address)


def _put_into(state: DeviceState) -> Callable[..., None]:
    @admin.action(description=f"Put the chosen devices into: {state.label.lower()}")
    def put(self: "BookedDeviceAdmin", request: HttpRequest, chosen: QuerySet[Device]) -> None:
        self.put(request, chosen, state)

    put.__name__ = f"put_{state.value}"
    return put


admin.site.unregister(Device)


@admin.register(Device)
class BookedDeviceAdmin(DeviceAdmin):
    """Devices change their state here and not below: bookings on them are healed at once."""

    action_form = WithReason
    actions = tuple(_put_into(state) for state in DeviceState)

    def put(self, request: HttpRequest, chosen: QuerySet[Device], state: DeviceState) -> None:
        """Put each into ``state``; what is refused is named, and stays as it is."""
        now, touched, changed = timezone.now(), {}, 0
        for device in chosen.select_related("node__pool"):
            try:
                hardware.set_device_state(
                    device=device,
                    state=state,
                    reason=_reason(request),
                    actor=_user(request),
                    now=now,
                )
            except DomainError as refused:
                self.message_user(request, f"{device}: {refused}", messages.ERROR)
            else:
                changed += 1
                touched[device.node.pool_id] = device.node.pool
        services.heal_these(pools=touched.values(), now=now)
        self.message_user(request, f"{changed} changed")


def _hours(request: HttpRequest) -> timedelta | None:
    given = request.POST.get("hours", "")
    hours = int(given) if given.isascii() and given.isdecimal() and len(given) <= 3 else 0  # noqa: PLR2004
    return timedelta(hours=hours) if 1 <= hours <= 168 else None  # noqa: PLR2004 -- as the form says


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
