"""``/pools/<slug>/``: the rules and prices of a pool; everybody reads, administrators set."""

from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.sentences import in_language
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory import services as hardware
from gpuaas.inventory.models import Pool
from gpuaas.portal import wording
from gpuaas.portal.access import PortalRequest, for_administrators, for_people
from gpuaas.portal.cards import devices
from gpuaas.portal.cards import rules as cards
from gpuaas.portal.forms.hardware import SharingForm
from gpuaas.portal.forms.rules import PoolRulesForm, PriceForm, show_problems
from reservations import facts, services

PER_PAGE: Final = 25


@require_safe
@for_people
def pool(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Show what binds bookings in a pool, and what they cost."""
    found = get_object_or_404(inventory.pools(), slug=slug)
    return _page(request, user, found, _price_form(found, None))


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
@for_administrators
def rules(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Set the rules of a pool."""
    found = get_object_or_404(inventory.pools(), slug=slug)
    standing = facts.pool_rules(found)
    initial = {name: getattr(standing, name) for name in facts.OF_POOL}
    form = PoolRulesForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_pool_rules(
                pool=found, changes=form.cleaned_data, actor=user, now=timezone.now()
            )
        except services.RulesRefused as refused:
            show_problems(form, refused)
        else:
            messages.success(request, gettext("Set. It counts for what is booked from now on."))
            return redirect("portal:pool", slug)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/pool_rules.html", {"form": form, "pool": found}, status=status)


@require_POST
@for_people
@for_administrators
def price(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Set what a type costs from some moment on."""
    found, now = get_object_or_404(inventory.pools(), slug=slug), timezone.now()
    form = _price_form(found, request.POST.dict())
    if form.is_valid():
        given = {**form.cleaned_data, "valid_from": form.cleaned_data["valid_from"] or now}
        try:
            services.set_price(pool=found, currency=settings.CURRENCY, actor=user, now=now, **given)
        except services.RulesRefused as refused:
            show_problems(form, refused)
        else:
            messages.success(request, gettext("Set. Bookings keep the price they were made at."))
            return redirect("portal:pool", slug)
    return _page(request, user, found, form)


@require_POST
@for_people
@for_administrators
def sharing(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Share a pool's devices between teams, or no longer."""
    found, form = get_object_or_404(inventory.pools(), slug=slug), SharingForm(request.POST)
    if form.is_valid():
        try:
            hardware.share_devices(pool=found, **form.cleaned_data, actor=user, now=timezone.now())
        except DomainError as refused:
            messages.error(
                request,
                gettext("Nothing was changed: {refused}.").format(
                    refused=in_language(str(refused))
                ),
            )
        else:
            word = gettext("are shared") if found.is_shared else gettext("are not shared any more")
            messages.success(
                request, gettext("The devices of {found} {word}.").format(found=found, word=word)
            )
    return redirect("portal:pool", slug)


def _price_form(found: Pool, typed: dict[str, str] | None) -> PriceForm:
    types = [
        (each.resource_name, wording.resource(each.resource_name))
        for each in resource_types.of(found)
    ]
    return PriceForm(typed, types=types)


def _page(request: PortalRequest, user: User, found: Pool, form: PriceForm) -> HttpResponse:
    now = timezone.now()
    current = {each.pk for each in facts.current_prices(found, now=now)}
    page = Paginator(facts.prices_of(found), PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "pool": found,
        "rules": cards.rule_lines(facts.pool_rules(found), currency=settings.CURRENCY),
        "prices": [cards.price_line(each, current=current, now=now) for each in page],
        "page": page,
        "form": form,
        "currency": settings.CURRENCY,
        "types": devices.promised_types(resource_types.of(found)),
        "may_change": user.is_platform_admin,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/pool.html", context, status=status)
