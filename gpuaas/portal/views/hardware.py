"""``/inventory/``: the hardware, for everybody to see and for administrators to change."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.inventory import files, selectors, services
from gpuaas.inventory.models import ClosureKind, DeviceState, Node, Pool
from gpuaas.portal.access import PortalRequest, for_administrators, for_people
from gpuaas.portal.cards import bookings
from gpuaas.portal.cards import hardware as cards
from gpuaas.portal.forms.hardware import ClosureForm, ImportForm, NodeForm, StateForm
from reservations import selectors as booked
from reservations import services as reservations

PER_PAGE: Final = 25


@require_safe
@for_people
def hardware(request: PortalRequest, user: User) -> HttpResponse:
    """Show what is closed, and every node with what is on it."""
    now = timezone.now()
    page = Paginator(selectors.nodes(), PER_PAGE).get_page(request.GET.get("page"))
    nodes = list(page)
    types = selectors.types_by_node(nodes)
    context = {
        "nodes": [cards.node_card(node, types.get(node.pk, ())) for node in nodes],
        "page": page,
        "pools": list(selectors.pools()),
        "troubled": _in_trouble(user, now) if user.is_platform_admin else [],
        "closures": [
            cards.closure_card(each, now=now)
            for each in selectors.coming_closures(now=now)[:PER_PAGE]
        ],
        "layouts": [
            cards.layout_card(each) for each in selectors.coming_layouts(now=now)[:PER_PAGE]
        ],
        "may_change": user.is_platform_admin,
    }
    return render(request, "portal/hardware.html", context)


def _in_trouble(user: User, now: datetime) -> list[bookings.BookingCard]:
    """Return the bookings that nothing could be done for, those that start first before others."""
    visible = booked.reservations_visible_to(user, now=now)
    found = booked.with_flags(booked.flagged(visible)).select_related("workspace")
    soonest = found.order_by("starts_at", "pk")[:PER_PAGE]
    return [bookings.booking_card(each, may_change=False, now=now) for each in soonest]


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def node(request: PortalRequest, user: User, number: int) -> HttpResponse:
    """Show one node with its devices; administrators take it out of service and put it back."""
    if request.method == "POST" and not user.is_platform_admin:
        raise PermissionDenied
    found = get_object_or_404(selectors.nodes(), pk=number)
    if request.method == "POST":
        form = NodeForm(request.POST)
        if form.is_valid():
            _tell(
                request,
                lambda: services.set_node_schedulable(
                    node=found, **form.cleaned_data, actor=user, now=timezone.now()
                ),
                gettext("The node was changed."),
                pool=found.pool,
            )
        return redirect("portal:node", number)
    types = selectors.types_by_node([found])
    page = Paginator(selectors.devices().filter(node=found), 64).get_page(request.GET.get("page"))
    context = {
        "node": cards.node_card(found, types.get(found.pk, ())),
        "devices": [cards.device_card(device) for device in page],
        "page": page,
        "states": DeviceState.choices,
        "may_change": user.is_platform_admin,
    }
    return render(request, "portal/node.html", context)


@require_POST
@for_people
@for_administrators
def device_state(request: PortalRequest, user: User, number: int) -> HttpResponse:
    """Put a device into another state."""
    device = get_object_or_404(selectors.devices(), pk=number)
    form = StateForm(request.POST)
    if form.is_valid():
        _tell(
            request,
            lambda: services.set_device_state(
                device=device,
                state=DeviceState(form.cleaned_data["state"]),
                reason=form.cleaned_data["reason"],
                actor=user,
                now=timezone.now(),
            ),
            gettext("{resource_name} #{ordinal} was changed.").format(
                resource_name=device.resource_name, ordinal=device.ordinal
            ),
            pool=device.node.pool,
        )
    return redirect("portal:node", device.node_id)


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def close(request: PortalRequest, user: User) -> HttpResponse:
    """Plan a closure."""
    pools, nodes = list(selectors.pools()), list(selectors.nodes())
    targets: dict[str, Pool | Node] = {f"pool:{pool.slug}": pool for pool in pools}
    targets |= {f"node:{each.pk}": each for each in nodes}
    names = [
        (value, f"{'Pool' if isinstance(each, Pool) else 'Node'} {each}")
        for value, each in targets.items()
    ]
    typed = request.POST if request.method == "POST" else None
    form = ClosureForm(typed, initial=request.GET.dict(), targets=names)
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = form.cleaned_data
        try:
            services.plan_closure(
                target=targets[given["target"]],
                kind=ClosureKind(given["kind"]),
                starts_at=given["starts_at"],
                ends_at=given["ends_at"],
                reason=given["reason"],
                actor=user,
                now=timezone.now(),
            )
        except services.ClosureRefused as refused:
            for problem in refused.problems:
                form.add_error(
                    problem.field, f"{problem.message[:1].upper()}{problem.message[1:]}."
                )
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            target = targets[given["target"]]
            _heal(target if isinstance(target, Pool) else target.pool)
            messages.success(request, gettext("Planned."))
            return redirect("portal:hardware")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/close.html", {"form": form}, status=status)


@require_POST
@for_people
@for_administrators
def open_again(request: PortalRequest, user: User, number: int) -> HttpResponse:
    """Take a closure back."""
    closure = get_object_or_404(selectors.closures(), pk=number)
    _tell(
        request,
        lambda: services.cancel_closure(closure=closure, actor=user, now=timezone.now()),
        gettext("Cancelled."),
        pool=closure.of_pool,
    )
    return redirect("portal:hardware")


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def bring_in(request: PortalRequest, user: User) -> HttpResponse:
    """Show what a file would change; import it when that was confirmed."""
    typed = request.POST if request.method == "POST" else None
    form = ImportForm(typed, request.FILES or None)
    context: dict[str, Any] = {"text": "", "problems": (), "changes": None}
    if request.method == "POST" and form.is_valid():
        content, is_order = form.content(), "apply" in request.POST
        context["text"] = content.decode(errors="replace")
        try:
            report = services.import_file(
                content=content, actor=user, now=timezone.now(), dry_run=not is_order
            )
        except files.FileRefused as refused:
            context["problems"] = [str(problem) for problem in refused.problems]
        except DomainError as refused:
            context["problems"] = [str(refused)]
        else:
            if is_order:
                reservations.heal_all(now=timezone.now())
                messages.success(
                    request, gettext("Imported: {len} changes.").format(len=len(report.changes))
                )
                return redirect("portal:hardware")
            context["changes"] = report.changes
    status = HTTPStatus.UNPROCESSABLE_ENTITY if context["problems"] else HTTPStatus.OK
    return render(request, "portal/import.html", context, status=status)


def _tell(
    request: PortalRequest, act: Callable[[], object], done: str, *, pool: Pool | None
) -> None:
    try:
        act()
    except DomainError as refused:
        messages.error(
            request,
            gettext("Nothing was changed: {refused}.").format(refused=in_language(str(refused))),
        )
    else:
        _heal(pool)
        messages.success(request, done)


def _heal(pool: Pool | None) -> None:
    """Move or flag the bookings that the change took the ground from: now, not at the next tick."""
    reservations.heal_these(pools=[pool], now=timezone.now())
