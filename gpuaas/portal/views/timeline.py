"""``/calendar/``: who has which device when, what is free, and windows moved by dragging."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.portal import wording
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards import timeline as cards
from gpuaas.portal.cards.shortage import shortage_of
from gpuaas.portal.cards.timeline import Sheet
from gpuaas.portal.forms.timeline import WEEK, DragForm, FitForm, span_of
from reservations import calendar, selectors, services
from reservations.capacity import Window

if TYPE_CHECKING:
    from gpuaas.accounts.models import Team
    from gpuaas.inventory.models import Pool
    from reservations.models import Reservation

LONGEST: Final = timedelta(days=31)
WEEK_LONG: Final = timedelta(days=7)
LOOK_AHEAD: Final = timedelta(days=14)


@require_safe
@for_people
def timeline(request: PortalRequest, user: User) -> HttpResponse:
    """Show some days of one pool, as a timeline or as a table that says the same."""
    now = timezone.now()
    pools = list(inventory.pools())
    pool = next((each for each in pools if each.slug == request.GET.get("pool")), None)
    pool = pool or next(iter(pools), None)
    if pool is None:
        return render(request, "portal/timeline.html", {"pools": pools})
    teams = list(accounts.teams_bookable_by(user, now=now)[:1])
    types = resource_types.of(pool)
    is_asked = "hours" in request.GET
    form = FitForm(request.GET if is_asked else None, types=types)
    fits = None
    if teams and is_asked and form.is_valid():
        fits = _first_fit(pool, teams[0], form.cleaned_data, now)
    day = f"{fits.wish.window.starts_at:%Y-%m-%d}" if fits else request.GET.get("day", "")
    span = span_of(request.GET.get("view", WEEK), day, today=now.date())
    as_table = request.GET.get("as") == "table"
    context = {
        "pools": pools,
        "pool": pool,
        "span": span,
        "is_today": not day,
        "as_table": as_table,
        "form": form if teams else None,
        "fits": fits,
        "found_none": bool(teams) and is_asked and form.is_valid() and fits is None,
    }
    if as_table:
        sheet = _sheet(pool, span.window, user, now)
        context["lines"] = sheet.lines()
        context["devices"] = sheet.devices()
        context["free"] = [(wording.resource(k), v) for k, v in sorted(sheet.free().items())]
    return render(request, "portal/timeline.html", context)


@require_safe
@for_people
def timeline_data(request: PortalRequest, user: User, slug: str) -> HttpResponse:
    """Return one pool's rows and bars as JSON, ``from`` one instant ``until`` another: a week."""
    now = timezone.now()
    pool = get_object_or_404(inventory.pools(), slug=slug)
    starts_at = _instant(request.GET.get("from", now.isoformat()))
    ends_at = _instant(request.GET.get("until", (now + WEEK_LONG).isoformat()))
    if not starts_at or not ends_at or not timedelta(0) < ends_at - starts_at <= LONGEST:
        return _no(
            [
                gettext("Ask for an instant and a later one, at most {days} days apart.").format(
                    days=LONGEST.days
                )
            ]
        )
    return JsonResponse(
        cards.as_json(_sheet(pool, Window(starts_at, ends_at), user, now), now=now),
        headers={"Cache-Control": "no-store"},
    )


@require_POST
@for_people
def drag(request: PortalRequest, user: User, public_id: UUID) -> HttpResponse:
    """Give a booking the window it was dragged to, or say every reason against."""
    now = timezone.now()
    found = get_object_or_404(
        selectors.reservations_changeable_by(user, now=now), public_id=public_id
    )
    form = DragForm(request.POST)
    if not form.is_valid():
        return _no([gettext("Send when it starts, and a later moment when it ends.")])
    wanted = form.cleaned_data
    try:
        _change(found, wanted["starts_at"], wanted["ends_at"], user, now)
    except services.WishRefused as refused:
        return _no([_plain(problem.message, found) for problem in refused.problems])
    except services.PoolFull as full:
        return _no(_shortage(full))
    except DomainError as refused:
        return _no([_plain(str(refused), found)])
    return JsonResponse({"problems": []})


def _change(
    found: "Reservation", starts_at: datetime, ends_at: datetime, user: User, now: datetime
) -> None:
    """Move what has not started; of what has, change the end alone."""
    if found.starts_at > now:
        wish = replace(services.wish_of(found), window=Window(starts_at, ends_at))
        services.move(reservation=found, pool=found.pool, wish=wish, actor=user, now=now)
    elif starts_at != found.starts_at:
        raise services.CannotChange(gettext("it has started: only its end can be changed"))
    elif ends_at < found.ends_at:
        services.shorten(reservation=found, ends_at=ends_at, actor=user, now=now)
    else:
        services.extend(reservation=found, ends_at=ends_at, actor=user, now=now)


def _sheet(pool: "Pool", within: Window, user: User, now: datetime) -> Sheet:
    return Sheet(
        pool=pool,
        rows=calendar.rows(pool, within=within, seen_by=user, now=now),
        closures=list(inventory.closures_of(pool, within=within)),
        nodes=inventory.node_capacities(pool),
        within=within,
    )


def _first_fit(
    pool: "Pool", team: "Team", wanted: dict[str, Any], now: datetime
) -> services.chances.Chance | None:
    """Return the first window, whole minutes, that has room and that the rules allow."""
    share = services.usual_demand(pool=pool, resource_name=wanted["type"], units=wanted["units"])
    starts_at = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    wish = services.Wish(
        resource_name=wanted["type"],
        units=wanted["units"],
        window=Window(starts_at, starts_at + timedelta(hours=wanted["hours"])),
        mode=AllocationMode.INTERACTIVE,
        cpu_millicores=share.cpu_millicores,
        memory_mib=share.memory_mib,
        storage_gib=share.storage_gib,
    )
    found = services.chances.free_windows(
        pool=pool, team=team, wish=wish, until=now + LOOK_AHEAD, now=now, at_most=1
    )
    return found[0] if found else None


def _shortage(full: services.PoolFull) -> list[str]:
    """Return what is short, and from when on it is not."""
    shortage = shortage_of(full)
    told = [shortage.headline, *(f"{line}." for line in shortage.lines)]
    if full.nearest:
        told.append(
            gettext("It fits from {instant} on.").format(
                instant=wording.instant(full.nearest.starts_at)
            )
        )
    return told


def _plain(message: str, of: "Reservation") -> str:
    message = message.replace(of.resource_name, wording.resource(of.resource_name))
    return f"{message[:1].upper()}{message[1:]}."


def _no(problems: list[str]) -> JsonResponse:
    return JsonResponse({"problems": problems}, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _instant(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
