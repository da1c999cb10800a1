"""What a POST, PATCH or DELETE of the matrix sends, or a GET asks; what is not named, nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import yaml

from reservations.lifecycle import State
from reservations.models import Reservation
from tests import make
from tests.permissions.world import World
from tests.unit.costs import sheets
from tests.unit.planning.scenarios import priceless
from tokenomics import documents

Body = Callable[[World, str], dict[str, Any]]


def _booking(world: World, team: str) -> dict[str, Any]:
    return {
        "pool": world.pool_slug,
        "team": team,
        "resource_name": make.SLICE,
        "units": 1,
        "starts_at": (world.now + timedelta(hours=48)).isoformat(),
        "ends_at": (world.now + timedelta(hours=50)).isoformat(),
    }


def _repeated(world: World, team: str) -> dict[str, Any]:
    return {**_booking(world, team), "repeat": {"every": "week", "count": 2}}


def _template(world: World, team: str) -> dict[str, Any]:
    wish = _booking(world, team)
    kept = {name: wish[name] for name in ("pool", "team", "resource_name", "units")}
    return {**kept, "name": "another", "minutes": 60}


def _start(world: World, team: str) -> dict[str, Any]:
    return {"starts_at": (world.now + timedelta(hours=48)).isoformat()}


def _token(world: World, team: str) -> dict[str, Any]:
    return {"name": "new", "expires_at": (world.now + timedelta(hours=2)).isoformat()}


def _scenario(world: World, team: str) -> dict[str, Any]:
    return {"scenario": documents.json_of(priceless(name="new"))}


def _saved(world: World, team: str) -> dict[str, Any]:
    return {**_scenario(world, team), "team": team}


def _typed(world: World, team: str) -> dict[str, Any]:
    text = documents.yaml_of(priceless(name="new"))
    return {"yaml": text, "team": team, "version": "1"}


def _changed(world: World, team: str) -> dict[str, Any]:
    return {**_scenario(world, team), "version": 1}


def _prices(world: World, team: str) -> dict[str, Any]:
    return {"yaml": documents.yaml_of(documents.packaged_prices())}


def _extension(world: World, team: str) -> dict[str, Any]:
    return {"as_much_as_possible": True}


def _shorter(world: World, team: str) -> dict[str, Any]:
    return {"ends_at": (world.now + timedelta(minutes=20)).isoformat()}


def _later(world: World, team: str) -> dict[str, Any]:
    return {"starts_at": (world.now + timedelta(hours=72)).isoformat()}


def _hours(world: World, team: str) -> dict[str, Any]:
    return {"resource_name": make.SLICE, "starts_at": world.now.isoformat()}


def _chance(world: World, team: str) -> dict[str, Any]:
    return {"resource_name": make.SLICE, "minutes": 60, "team": team}


def _window(world: World, team: str) -> dict[str, Any]:
    ends_at = world.now + timedelta(days=1)
    return {"starts_at": world.now.isoformat(), "ends_at": ends_at.isoformat()}


def _price(world: World, team: str) -> dict[str, Any]:
    return {"resource_name": make.SLICE, "minor_units_per_unit_hour": 100, "currency": "EUR"}


def _usage(world: World, team: str) -> dict[str, Any]:
    running = Reservation.objects.filter(team__slug=team, state=State.ACTIVE.value).earliest("pk")
    event = {
        "id": "1",
        "reservation": str(running.public_id),
        "engine": "ollama",
        "model": "llama",
        "started_at": running.starts_at.isoformat(),
        "ended_at": running.starts_at.isoformat(),
        "generated": 1,
    }
    return {"source": "gateway", "events": [event]}


def _webhook(world: World, team: str) -> dict[str, Any]:
    return {"url": "https://hooks.example.com/x"}


def _budget(world: World, team: str) -> dict[str, Any]:
    return {"cost_centre": "CC-1", "valid_from": "2026-10", "amount_minor": 100, "currency": "EUR"}


def _adjustment(world: World, team: str) -> dict[str, Any]:
    return {"cost_centre": "CC-1", "amount_minor": -100, "currency": "EUR", "reason": "credit"}


# The second argument is the slug of the team that the request is about.
BODIES: Final[dict[str, Body]] = {
    "POST api:cost-sheets": lambda _world, _team: {
        "yaml": yaml.safe_dump(sheets.plain()),
        "reason": "new",
    },
    "POST api:cost-centres": lambda _world, _team: {"code": "CC-1", "is_charged": True},
    "POST api:cost-budgets": _budget,
    "PATCH api:cost-month": lambda _world, _team: {"idle_policy": "spread"},
    "POST api:adjustments": _adjustment,
    "POST api:cost-exports": lambda _world, _team: {"format": "csv"},
    "POST portal:cost_export": lambda _world, _team: {"format": "csv"},
    "GET api:availability": _hours,
    "GET api:calendar": _window,
    "GET api:free-windows": _chance,
    "GET api:alternatives": _chance,
    "POST api:calendar-feeds": lambda _world, team: {"team": team},
    "POST portal:calendar_links": lambda _world, _team: {"of": "mine"},
    "POST api:planning": _scenario,
    "POST api:planning-prices": _prices,
    "POST api:reservation-extend": _extension,
    "POST api:reservation-guests": lambda _, team: {"person": f"{team}-manager"},
    "POST portal:share": lambda _, team: {"person": f"{team}-manager"},
    "POST api:reservation-shorten": _shorter,
    "POST api:reservation-move": _later,
    "POST api:reservation-reject": lambda _, __: {"reason": "not this week"},
    "POST api:pool-prices": _price,
    "POST api:reservations": _booking,
    "POST api:all-series": _repeated,
    "POST api:templates": _template,
    "POST api:template-book": _start,
    "POST api:scenarios": _saved,
    "POST api:reservation-accept-offer": lambda _, __: {"offer": "none"},
    "POST api:tokens": _token,
    "POST api:usage-events": _usage,
    "POST portal:planning": _typed,
    "POST portal:planning_answers": _typed,
    "POST portal:planning_change": _typed,
    "POST portal:planning_file": _typed,
    "POST portal:planning_save": _typed,
    "PUT api:scenario": _changed,
    "POST api:teams": lambda _world, _team: {"name": "New", "slug": "new"},
    "PATCH api:pool": lambda _world, _team: {"is_shared": False},
    "PATCH api:team": lambda _world, _team: {"cost_centre": "CC-9"},
    "POST api:members": lambda _world, _team: {"person": "newcomer", "role": "member"},
    "PATCH api:member": lambda _world, _team: {"role": "member"},
    "PUT api:team-webhook": _webhook,
    "POST portal:member_add": lambda _world, _team: {"person": "newcomer", "role": "member"},
    "POST portal:tokens": lambda _world, _team: {"name": "new", "days": "7"},
    "POST portal:member": lambda _world, _team: {"role": "member"},
}
