"""What a booking would cost and when there is room, while the form is filled in.  Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from gpuaas.core.money import Money
from gpuaas.portal.cards.limits import Meter, meter
from gpuaas.portal.cards.shortage import Chip, chip_of, in_whole_minutes
from reservations.capacity import Window

if TYPE_CHECKING:
    from reservations.services import Estimate
    from reservations.services.estimates import Purse


@dataclass(frozen=True, slots=True)
class WindowChip:
    """A free window that can be chosen; ``name`` tells its button from others on the page."""

    chip: Chip
    name: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class EstimateCard:
    """What the form shows before it is sent.  ``cost`` is empty where nothing has a price.

    ``since`` is from when on windows were looked for; ``has_room``: in the one that is typed.
    """

    cost: str
    price: str
    each_time: bool
    meters: tuple[Meter, ...]
    problems: tuple[str, ...]
    windows: tuple[WindowChip, ...]
    has_room: bool
    since: datetime


def estimate_card(
    estimate: "Estimate", *, wished: Window, since: datetime, repeats: bool, problems: list[str]
) -> EstimateCard:
    """Return how the form shows ``estimate`` of a booking for ``wished``."""
    typed = in_whole_minutes(wished)
    chips = tuple(_windows(estimate, typed))
    priced = bool(estimate.price_minor)
    return EstimateCard(
        cost=str(Money(estimate.cost_minor, estimate.currency)) if priced else "",
        price=str(Money(estimate.price_minor, estimate.currency)) if priced else "",
        each_time=repeats,
        meters=tuple(_meter(each, estimate) for each in estimate.purses),
        problems=tuple(problems),
        windows=chips,
        has_room=any(each.is_chosen for each in chips),
        since=since,
    )


def _windows(estimate: "Estimate", typed: Window) -> Iterator[WindowChip]:
    for chance in estimate.windows:
        chip = chip_of(chance, what="")
        name = f"window-{chip.window.starts_at:%Y%m%d%H%M}"
        # It stays free after the window: what is typed lies in it, though not at its beginning.
        holds = chip.window.starts_at <= typed.starts_at and typed.ends_at <= chance.free_until
        yield WindowChip(chip, name, is_chosen=holds)


def _meter(purse: "Purse", estimate: "Estimate") -> Meter:
    def say(amount: Fraction) -> str:
        return str(Money(int(amount), estimate.currency))

    title = (
        _("Budget of cost centre %(name)s") % {"name": purse.name}
        if purse.name
        else _("Budget of the team")
    )
    spent, asked = Fraction(purse.spent_minor), Fraction(purse.asked_minor)
    return meter(
        title,
        estimate.month.starts_at,
        [
            (spent, "actual", _("%(amount)s booked") % {"amount": say(spent)}),
            (asked, "committed", _("%(amount)s this booking") % {"amount": say(asked)}),
        ],
        most=Fraction(purse.budget_minor),
        say=say,
    )
