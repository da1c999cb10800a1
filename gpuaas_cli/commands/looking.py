"""What is free, and what is booked: free, list, show."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any, Final

import click

from gpuaas_cli import bookings, options
from gpuaas_cli.client import Json
from gpuaas_cli.show import Screen, short_type, text_of
from gpuaas_cli.verb import Desk, Verb, pass_desk

LONGEST_BOOKING = timedelta(days=14)


@click.command(cls=Verb)
@click.option("--pool", help="Only this pool.")
@click.option("--type", "kind", help="Only this type, e.g. 1g.24gb or nvidia.com/gpu.")
@click.option("--hours", type=click.IntRange(1, 336), help="Hour by hour, for so many hours.")
@pass_desk
def free(desk: Desk, pool: str | None, kind: str | None, hours: int | None) -> None:
    """Show the pools and what of each type is free, now and next."""
    rows = [
        {"pool": each.get("slug"), **type_}
        for each in desk.api.rows("pools/")
        if pool in {None, each.get("slug")}
        for type_ in types_of(each)
        if kind is None or is_called(type_, kind)
    ]
    screen = desk.screen
    if hours is not None:
        _show_hours(
            desk, [(str(each["pool"]), str(each.get("resource_name"))) for each in rows], hours
        )
    elif screen.as_json:
        screen.json(rows)
    elif rows:
        columns = ("POOL", "TYPE", "MEMORY", "WHOSE", "FREE", "AT ONCE", "UNTIL", "MORE FROM")
        shown = [_free_row(each, screen) for each in rows]
        screen.table(columns, shown, spared=("MEMORY", "MORE FROM"))
    else:
        screen.say("There is no such pool or type: `gpuaas free` shows all.")


def _show_hours(desk: Desk, types: list[tuple[str, str]], hours: int) -> None:
    """Show how many of each type are free, on all nodes together, and for how long."""
    asked = [
        (
            {"pool": pool, "resource_name": name},
            desk.api.get(f"pools/{pool}/availability/", {"resource_name": name, "hours": hours}),
        )
        for pool, name in types
    ]
    if desk.screen.as_json:
        desk.screen.json([{**named, **found} for named, found in asked])
        return
    desk.screen.table(
        ("POOL", "TYPE", "FREE", "WHEN"),
        [
            (named["pool"], short_type(named["resource_name"]), count, when)
            for named, found in asked
            for count, when in _runs(found, desk.screen)
        ],
    )


def _runs(found: Json, screen: Screen) -> Iterator[tuple[str, str]]:
    """Yield how many are free and when, one for hours in a row with the same number."""
    at, counts = bookings.instant_of(found, "starts_at"), found.get("free")
    for count, same in groupby(counts if isinstance(counts, list) else []):
        until = at + timedelta(hours=len(list(same)))
        yield str(count), screen.window(at.isoformat(), until.isoformat())
        at = until


def types_of(pool: Json) -> list[Json]:
    """Return the types of a pool."""
    found = pool.get("types")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def is_called(type_: Json, kind: str) -> bool:
    """Return whether somebody who says ``kind`` means this type."""
    name = str(type_.get("resource_name"))
    return kind.lower() in {name.lower(), name.rpartition("/")[2].lower(), short_type(name).lower()}


_WHOSE: Final = {"exclusive": "yours alone", "time_shared": "yours alone", "shared": "shared"}


def _free_row(each: Json, screen: Screen) -> tuple[str, ...]:
    memory = each.get("memory_mib")
    return (
        text_of(each, "pool"),
        short_type(each.get("resource_name")),
        f"{round(memory / 1024)} GB" if isinstance(memory, int) else "-",
        _WHOSE.get(text_of(each, "guarantee"), "-"),
        f"{each.get('free_now')} of {each.get('devices')}",
        text_of(each, "largest_free_now"),
        screen.when(each.get("free_until")),
        screen.when(each.get("more_free_at")),
    )


@click.command(cls=Verb, name="list")
@click.option("--team", help="The bookings of this team, whoever booked.")
@click.option("--everyone", is_flag=True, help="Those of all teams that you see.")
@click.option("--pool", help="Only this pool.")
@click.option("--state", help="Only this state, e.g. ACTIVE.", type=str.upper)
@click.option("--to-approve", is_flag=True, help="Those that wait for your approval.")
@click.option("--past", is_flag=True, help="Also those that are over.")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="At most so many.",
)
@pass_desk
def list_(  # noqa: PLR0913 -- one argument an option
    desk: Desk,
    *,
    team: str | None,
    everyone: bool,
    pool: str | None,
    state: str | None,
    past: bool,
    to_approve: bool,
    limit: int,
) -> None:
    """List your bookings that are not over, the latest start first."""
    screen = desk.screen
    asked = {"limit": str(bookings.PAGE), "team": team, "pool": pool, "state": state}
    if to_approve:
        asked["to_approve"] = "true"
    latest = desk.api.rows(bookings.BOOKINGS, {k: v for k, v in asked.items() if v})
    if not (past or state):
        latest = _not_over(latest, screen.clock.now)
    if not (team or everyone or to_approve):
        own = desk.api.get("me/").get("username")
        latest = (each for each in latest if each.get("requested_by") == own)
    rows = list(islice(latest, limit))
    if screen.as_json:
        screen.json(rows)
    elif rows:
        shown = [bookings.row(each, screen) for each in rows]
        screen.table(bookings.COLUMNS, shown, spared=bookings.SPARED)
    else:
        screen.say("No bookings. `gpuaas free` shows what there is to book.")


def _not_over(latest: Iterator[Json], now: datetime) -> Iterator[Json]:
    """Yield what is not over; the list is by start, and no booking is longer than `LONGEST`."""
    for each in latest:
        if bookings.instant_of(each, "starts_at") < now - LONGEST_BOOKING:
            return
        if each.get("state") in bookings.NOT_OVER:
            yield each


@click.command(cls=Verb, short_help="Show one booking.")
@options.number
@pass_desk
def show(desk: Desk, number: str) -> None:
    """Show one booking and its workspace.  NUMBER may be the first digits of it."""
    booking: dict[str, Any] = bookings.find(desk.api, number)
    bookings.show(booking, desk.screen)


@click.command(cls=Verb)
@options.number
@pass_desk
def history(desk: Desk, number: str) -> None:
    """Show what happened to a booking: when, who, from what to what."""
    screen = desk.screen
    entries = list(desk.api.rows(bookings.path(bookings.find(desk.api, number), "history/")))
    if screen.as_json:
        screen.json(entries)
        return
    screen.table(
        ("WHEN", "WHO", "WHAT"),
        [
            (screen.when(each.get("at")), text_of(each, "by"), text_of(each, "what"))
            for each in entries
        ],
    )
