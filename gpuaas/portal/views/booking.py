"""``/book/``: the form that books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.core.errors import DomainError
from gpuaas.core.language import later
from gpuaas.portal.access import PortalRequest, for_people
from gpuaas.portal.cards.estimate import EstimateCard
from gpuaas.portal.cards.override import Override, override_of
from gpuaas.portal.cards.shortage import Shortage, shortage_of
from gpuaas.portal.cards.templates import mates_of, template_cards
from gpuaas.portal.cards.types import PoolCard, TypeChoice
from gpuaas.portal.forms.booking import LATER, UNTIL, BookingForm
from gpuaas.portal.views.estimating import LOOK_AHEAD, LOOKED_FROM, estimate_of, sent_for
from gpuaas.portal.views.home import pool_cards
from reservations import policy, selectors, services
from reservations.lifecycle import State

if TYPE_CHECKING:
    from gpuaas.inventory.models import Pool
    from reservations.models import Reservation

REFILL, LOOK, WAIT, ASK = "refill", "look", "wait", "ask"
OFFERED = ("starts_at", "ends_at", "type", "units")
WINDOWS, OTHERS = 4, 3
SAID = {
    State.APPROVED.value: later("Booked"),
    State.PENDING.value: later("Held until somebody approves it,"),
    State.WAITLISTED.value: later("In line"),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the form: why it was not booked, or what it would cost."""

    shortage: Shortage | None = None
    override: Override | None = None
    may_ask: bool = False
    estimate: EstimateCard | None = None


@never_cache  # going back must not show a form that was sent already
@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def book(request: PortalRequest, user: User) -> HttpResponse:
    """Show the form; book what it asks for.  A form sent twice books once."""
    now = timezone.now()
    is_sent = request.method == "POST" and not {REFILL, LOOK} & request.POST.keys()
    asked, pool, types = sent_for(request.POST, user, now) if is_sent else (None, None, [])
    teams = [asked] if asked else list(accounts.teams_bookable_by(user, now=now))
    if not teams:
        status = HTTPStatus.FORBIDDEN if request.method == "POST" else HTTPStatus.OK
        return render(request, "portal/book_not_yours.html", status=status)
    if is_sent:
        form = BookingForm(request.POST, user=user, teams=teams, types=types, now=now)
        return _take(request, user, form, pool)
    pools = pool_cards(now)
    initial = _initial(request.POST or request.GET)
    types = _types(pools)
    form = BookingForm(initial=initial, user=user, teams=teams, types=types, now=now)
    estimate = _estimate(request.POST, user, initial, now)
    return _page(request, user, form, pools, Beside(estimate=estimate))


def _types(pools: Sequence[PoolCard]) -> list[TypeChoice]:
    return [card for pool in pools for card in pool.types]


def _estimate(
    typed: QueryDict, user: User, initial: dict[str, datetime | str], now: datetime
) -> EstimateCard | None:
    """Return what the form would cost, for those without a script who asked to see it."""
    if LOOK not in typed and LOOKED_FROM not in typed:
        return None
    filled = typed.copy()
    filled.update({name: str(value) for name, value in initial.items()})
    if LOOK in typed:
        filled.pop(LOOKED_FROM, None)
    return estimate_of(filled, user, now=now)


def _take(
    request: PortalRequest, user: User, form: BookingForm, pool: "Pool | None"
) -> HttpResponse:
    shortage = override = None
    may_ask = False
    is_complete = form.is_valid()
    if not is_complete and (already := _sent_before(form, user)):
        return _booked(request, form, already)
    wish = form.wish()
    if wish and pool:  # without a pool there is no type to choose
        if not is_complete:  # say all that is wrong at once
            form.add_problems(_problems(pool, wish, form))
            return _page(request, user, form)
        try:
            return _do(request, user, form, pool, wish)
        except services.WishRefused as refused:
            form.add_problems(refused.problems)
            authority = services.authority_over(form.chosen_team, person=user, now=form.now)
            override = override_of(refused.problems, authority=authority)
            may_ask = override is None and services.can_be_held(
                refused.problems, wish.window, now=form.now
            )
        except services.PoolFull as full:
            shortage = _shortage(full, pool, form)
            form.add_error(None, shortage.headline)
        except DomainError as refused:
            form.add_error(None, str(refused))
    return _page(request, user, form, beside=Beside(shortage, override, may_ask=may_ask))


def _do(
    request: PortalRequest, user: User, form: BookingForm, pool: "Pool", wish: services.Wish
) -> HttpResponse:
    """Book it, once or again and again, and show what it became."""
    repeat = form.repeated()
    if repeat is None:
        return _booked(request, form, _book(request, user, form, pool, wish))
    series = services.book_series(
        pool=pool,
        team=form.chosen_team,
        requested_by=_whose(form, user),
        booked_by=user,
        wish=wish,
        repeat=repeat,
        ways=services.Ways(ask_approval=ASK in request.POST, waitlist=WAIT in request.POST),
        now=form.now,
    )
    return redirect("portal:series", series.public_id)


def _sent_before(form: BookingForm, user: User) -> "Reservation | None":
    """Return what the form made, though by now something is wrong with it."""
    return selectors.booked_as(form.public_id, by=user) if form.public_id else None


def _booked(request: PortalRequest, form: BookingForm, reservation: "Reservation") -> HttpResponse:
    """Show the booking that the form made, now or when it was sent before."""
    if reservation.created_at == form.now:
        messages.success(
            request,
            gettext("{state} for {team}.").format(
                state=SAID[reservation.state], team=reservation.team
            ),
        )
    else:
        messages.info(request, "That form was sent before: this is the booking it made.")
    return redirect("portal:reservation", reservation.public_id)


def _book(
    request: PortalRequest, user: User, form: BookingForm, pool: "Pool", wish: services.Wish
) -> "Reservation":
    if WAIT in request.POST:
        return services.book_or_wait(
            pool=pool,
            team=form.chosen_team,
            requested_by=_whose(form, user),
            booked_by=user,
            wish=wish,
            now=form.now,
        )
    return services.admit(
        pool=pool,
        team=form.chosen_team,
        requested_by=_whose(form, user),
        booked_by=user,
        wish=wish,
        now=form.now,
        approval=form.approval(user),
        ask_approval=ASK in request.POST,
    )


def _whose(form: BookingForm, user: User) -> User:
    name = form.cleaned_data["on_behalf_of"] or user.username
    return services.mate(name=name, team=form.chosen_team, actor=user, now=form.now)


def _shortage(full: services.PoolFull, pool: "Pool", form: BookingForm) -> Shortage:
    """Return why there is no room, and what rules and calendar allow instead."""
    team, wish, now = form.chosen_team, full.wish, form.now
    until = wish.window.starts_at + LOOK_AHEAD
    return shortage_of(
        full,
        windows=services.chances.free_windows(
            pool=pool, team=team, wish=wish, until=until, now=now, at_most=WINDOWS
        ),
        others=services.chances.alternatives(pool=pool, team=team, wish=wish, until=until, now=now)[
            :OTHERS
        ],
    )


def _problems(pool: "Pool", wish: services.Wish, form: BookingForm) -> Sequence[policy.Problem]:
    """Return what the rules say about a form that is wrong anyway."""
    if "team" not in form.cleaned_data:
        return ()
    return services.evaluate(pool=pool, team=form.chosen_team, wish=wish, now=form.now).problems


def _page(
    request: PortalRequest,
    user: User,
    form: BookingForm,
    pools: Sequence[PoolCard] | None = None,
    beside: Beside = Beside(),
) -> HttpResponse:
    if form.is_bound:  # with the one team it was sent for
        form.offer_teams(accounts.teams_bookable_by(user, now=form.now))
    may_wait = beside.shortage is not None and form.cleaned_data["window"].starts_at > form.now
    context = {
        "form": form,
        "pools": pool_cards(form.now) if pools is None else pools,
        "estimate": beside.estimate,
        "shortage": beside.shortage,
        "override": beside.override,
        "may_wait": may_wait,
        "may_ask": beside.may_ask,
        "mates": mates_of(user, form.now),
        "templates": template_cards(selectors.templates_visible_to(user, now=form.now), form.now),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "portal/book.html", context, status=status)


def _initial(typed: QueryDict) -> dict[str, datetime | str]:
    """Return what a link or a form that was typed in so far says, with the window offered."""
    initial: dict[str, datetime | str] = {
        name: str(value) for name, value in typed.items() if name in BookingForm.base_fields
    }
    initial.pop("key", None)
    offered = typed.get(REFILL, "").split("|")
    if len(offered) == len(OFFERED):
        initial |= dict(zip(OFFERED, offered, strict=True)) | {"begins": LATER, "length": UNTIL}
    return initial
