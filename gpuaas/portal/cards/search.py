"""What a search finds, in groups.  Pure: rows in, finished text out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gpuaas.portal import wording

if TYPE_CHECKING:
    from gpuaas.accounts.models import Membership, Team, User
    from gpuaas.inventory.models import Pool
    from reservations.models import Reservation

ANYBODY, BOOKERS, STAFF, PLATFORM = "anybody", "bookers", "staff", "platform"


@dataclass(frozen=True, slots=True)
class Place:
    """A page or action that can be gone to; ``words`` are others for it, for whom it is."""

    name: "str | Promise"
    words: "str | Promise"
    address: str
    symbol: str
    whose: str = ANYBODY


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found.  ``at`` is when it begins, where it does."""

    title: str
    more: str
    address: str
    symbol: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind."""

    name: str
    hits: tuple[Hit, ...]


PLACES: Final = (
    Place(
        gettext_lazy("Book"),
        gettext_lazy("new reservation gpu"),
        "portal:book",
        "calendar-plus",
        BOOKERS,
    ),
    Place(gettext_lazy("Home"), gettext_lazy("start running now"), "portal:home", "home"),
    Place(
        gettext_lazy("Calendar"),
        gettext_lazy("timeline free windows"),
        "portal:timeline",
        "calendar-event",
    ),
    Place(
        gettext_lazy("Reservations"),
        gettext_lazy("bookings list"),
        "portal:reservations",
        "list-details",
    ),
    Place(
        gettext_lazy("Series"), gettext_lazy("recurring bookings"), "portal:all_series", "repeat"
    ),
    Place(gettext_lazy("Templates"), gettext_lazy("kept bookings"), "portal:templates", "copy"),
    Place(
        gettext_lazy("Inventory"),
        gettext_lazy("nodes devices pools hardware"),
        "portal:hardware",
        "server",
    ),
    Place(
        gettext_lazy("Fleet"),
        gettext_lazy("clusters reconciler health failures"),
        "portal:fleet",
        "cpu",
        PLATFORM,
    ),
    Place(
        gettext_lazy("Import hardware"),
        gettext_lazy("add nodes inventory file"),
        "portal:import",
        "plus",
        PLATFORM,
    ),
    Place(
        gettext_lazy("Plan a closure"),
        gettext_lazy("maintenance close node pool"),
        "portal:close",
        "ban",
        PLATFORM,
    ),
    Place(
        gettext_lazy("Plan a layout"),
        gettext_lazy("mig cut slices"),
        "portal:plan_layout",
        "calendar-event",
        PLATFORM,
    ),
    Place(
        gettext_lazy("New team"), gettext_lazy("create group"), "portal:team_new", "users", PLATFORM
    ),
    Place(
        gettext_lazy("Planning"),
        gettext_lazy("calculator cost per million tokens"),
        "portal:planning",
        "chart-line",
    ),
    Place(
        gettext_lazy("Costs"), gettext_lazy("month money budget finance"), "portal:costs", "coins"
    ),
    Place(gettext_lazy("Teams"), gettext_lazy("members budget limits"), "portal:teams", "users"),
    Place(gettext_lazy("Notices"), gettext_lazy("inbox notifications"), "portal:notices", "bell"),
    Place(
        gettext_lazy("What to be told"),
        gettext_lazy("preferences mail webhook notifications"),
        "portal:preferences",
        "adjustments",
    ),
    Place(
        gettext_lazy("Profile"), gettext_lazy("language time zone theme"), "portal:profile", "user"
    ),
    Place(
        gettext_lazy("API tokens"), gettext_lazy("key command line"), "portal:tokens", "terminal-2"
    ),
    Place(
        gettext_lazy("Calendar links"),
        gettext_lazy("ical subscribe"),
        "portal:calendar_links",
        "calendar-event",
    ),
    Place(
        gettext_lazy("Security"), gettext_lazy("passkey second factor password"), "mfa_index", "key"
    ),
    Place(gettext_lazy("REST API"), gettext_lazy("openapi documentation"), "api:docs", "code"),
    Place(
        gettext_lazy("Admin site"),
        gettext_lazy("settings clusters people"),
        "admin:index",
        "settings",
        STAFF,
    ),
)


def places(asked: str, *, roles: frozenset[str]) -> Group:
    """Return the pages and actions, of those for ``roles``, that ``asked`` names; all for none."""
    words = asked.casefold().split()
    return Group(_("Pages and actions"), tuple(_places(words, roles)))


def of_reservations(found: "Iterable[Reservation]") -> Group:
    """Return reservations as a group."""
    return Group(
        _("Reservations"),
        tuple(
            Hit(
                title=wording.amount(each.units, each.resource_name),
                more=", ".join(
                    filter(None, (each.purpose, str(each.team), str(each.requested_by)))
                ),
                address=reverse("portal:reservation", args=[each.public_id]),
                symbol="list-details",
                at=each.starts_at,
            )
            for each in found
        ),
    )


def of_teams(found: "Iterable[Team]") -> Group:
    """Return teams as a group."""
    return Group(
        _("Teams"),
        tuple(
            Hit(each.name, each.cost_centre, reverse("portal:team", args=[each.slug]), "users")
            for each in found
        ),
    )


def of_pools(found: "Iterable[Pool]") -> Group:
    """Return pools as a group."""
    return Group(
        _("Pools"),
        tuple(
            Hit(each.name, each.description, reverse("portal:pool", args=[each.slug]), "server")
            for each in found
        ),
    )


def of_people(found: "Iterable[Membership]") -> Group:
    """Return people as a group, each with the page of the team that one knows them from."""
    seen: dict[int, Hit] = {}
    for each in found:
        seen.setdefault(each.user_id, _person(each.user, each))
    return Group(_("People"), tuple(seen.values()))


def _places(words: list[str], roles: frozenset[str]) -> Iterator[Hit]:
    for each in PLACES:
        text = f"{each.name} {each.words}".casefold()
        if each.whose in roles and all(word in text for word in words):
            yield Hit(str(each.name), "", reverse(each.address), each.symbol)


def _person(person: "User", membership: "Membership") -> Hit:
    name = person.get_full_name() or person.username
    said = f"{membership.get_role_display()}, {membership.team}"
    more = said if name == person.username else f"{person.username}, {said}"
    return Hit(name, more, reverse("portal:team", args=[membership.team.slug]), "user")
