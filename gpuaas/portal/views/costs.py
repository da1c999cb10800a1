"""``/costs/``: a month at a glance, by any dimension, down to meters, and as files."""

from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.language import later
from gpuaas.core.sentences import in_language
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import costs as cards
from tokenomics.core.per_million import Denominator
from tokenomics.models import CostPeriod, Format
from tokenomics.selectors import exports as files
from tokenomics.selectors import reports
from tokenomics.services import exports

WORDS: Final = {
    "cost_centre": later("Cost centre"),
    "team": later("Team"),
    "project": later("Project"),
    "user": later("Person"),
    "pool": later("Pool"),
    "model": later("Model"),
    "reservation": later("Booking"),
}
# What one looks at next after choosing one of these.
_NEXT: Final = {
    "cost_centre": "team",
    "team": "user",
    "project": "reservation",
    "user": "project",
    "pool": "team",
    "model": "team",
}
MOST_MONTHS: Final = 36
MOST_FILES: Final = 8


@require_safe
@for_people
def costs(request: PortalRequest, user: User) -> HttpResponse:
    """Show a month, the last unless another is asked for, by a dimension and within filters."""
    months = list(reports.periods()[:MOST_MONTHS])
    period = _chosen(months, request.GET.get("month"))
    context: dict[str, Any] = {
        "months": months,
        "period": period,
        "sees_all": reports.sees_all_money(user),
    }
    if period is None:
        return render(request, "portal/costs.html", context)
    now = timezone.now()
    by = request.GET.get("by", "cost_centre" if reports.sees_all_money(user) else "project")
    filters = {name: request.GET[name] for name in WORDS if request.GET.get(name)}
    if by not in WORDS:
        raise Http404
    groups = reports.grouped(period, by=by, user=user, now=now, filters=filters)
    trend = reports.trend(period, user=user, now=now) if not filters else []
    card = cards.month_card(period, groups, trend)
    context |= {
        "card": card,
        "by": by,
        "by_word": WORDS[by],
        "dimensions": [
            (name, word, _address(period, name, filters)) for name, word in WORDS.items()
        ],
        "filters": [
            (
                WORDS[name],
                value,
                _address(period, by, {k: v for k, v in filters.items() if k != name}),
            )
            for name, value in filters.items()
        ],
        "rows": [(row, _target(period, by, row.key, filters)) for row in card.rows],
        "denominators": [each.value for each in Denominator],
        "formats": [(f, f.label) for f in Format if files.may_export(user, f)],
        **_files(user),
    }
    return render(request, "portal/costs.html", context)


@require_safe
@for_people
def booking(request: PortalRequest, user: User, month: str, public_id: UUID) -> HttpResponse:
    """Show what a booking costs in a month and what that is made of: tokens, meters, inputs."""
    period, now = period_called(month), timezone.now()
    found = reports.booking_cost(period, public_id, user=user, now=now)
    if found is None:
        raise Http404
    context = {
        "cost": found,
        "first": found.lines[0],
        "period": period,
        "card": cards.booking_card(found, period),
        "denominators": [each.value for each in Denominator],
    }
    return render(request, "portal/cost_booking.html", context)


@require_POST
@for_people
def export(request: PortalRequest, user: User, month: str) -> HttpResponse:
    """Ask for a file of the month: a short one is there at once, a long one is made meanwhile."""
    period = period_called(month)
    try:
        made = exports.ask(
            period=period,
            form=request.POST.get("format", ""),
            has_bom="bom" in request.POST,
            actor=user,
            now=timezone.now(),
        )
    except DomainError as refused:
        messages.error(
            request,
            gettext("There is no file: {refused}.").format(refused=in_language(str(refused))),
        )
        return redirect(_address(period, "", {}))
    if made.done_at and not made.problem:
        return redirect("portal:cost_file", made.public_id)
    messages.success(
        request, gettext("The file is being made. It shows under Files when it is there.")
    )
    return redirect(f"{_address(period, '', {})}#files")


@require_safe
@for_people
def export_list(request: PortalRequest, user: User) -> HttpResponse:
    """Show how far one's files are; the page asks for this part again and again."""
    return render(request, "portal/_cost_files.html", _files(user))


@require_safe
@for_people
def file(request: PortalRequest, user: User, public_id: UUID) -> HttpResponseBase:  # noqa: ARG001
    """Hand out a file that one asked for, piece by piece."""
    export = get_object_or_404(files.exports_visible_to(user), public_id=public_id)
    if not export.done_at or export.problem:
        raise Http404
    name = files.file_name(export.period, export.form)
    return StreamingHttpResponse(
        files.pieces_of(export),
        content_type=files.CONTENT_TYPES[export.form],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(export.size),
        },
    )


def _files(user: User) -> dict[str, Any]:
    mine = files.exports_visible_to(user)[:MOST_FILES]
    shown = [cards.export_card(each, files.file_name(each.period, each.form)) for each in mine]
    return {"exports": shown, "is_waiting": not all(each.is_done for each in shown)}


def _chosen(months: list[CostPeriod], wanted: str | None) -> CostPeriod | None:
    if not wanted:
        return months[0] if months else None
    return period_called(wanted)


def period_called(month: str) -> CostPeriod:
    """Return the month that is written 2026-10; raise Http404 for none."""
    return get_object_or_404(reports.periods(), month=_first(month))


def _first(month: str) -> date:
    try:
        return datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 -- a month, no instant
    except ValueError as error:
        raise Http404 from error


def _address(period: CostPeriod, by: str, filters: dict[str, str]) -> str:
    asked = {"month": str(period), **({"by": by} if by else {}), **filters}
    return f"{reverse('portal:costs')}?{urlencode(asked)}"


def _without(filters: dict[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in filters.items() if each != name}


def _target(period: CostPeriod, by: str, key: str, filters: dict[str, str]) -> str:
    """Return where a row leads: into the booking, or one dimension deeper."""
    if not key:
        return ""
    if by == "reservation":
        return reverse("portal:cost_booking", args=[str(period), key])
    narrowed = {**filters, by: key}
    following = _NEXT[by]
    return _address(period, following if following not in narrowed else "reservation", narrowed)
