"""Booking."""

from datetime import datetime

import click

from gpuaas_cli import bookings, options, series, when
from gpuaas_cli.client import Api, Json
from gpuaas_cli.commands.looking import is_called, types_of
from gpuaas_cli.verb import Desk, Verb, pass_desk


@click.command(cls=Verb)
@click.argument("kind", metavar="TYPE")
@click.option("--units", default=1, show_default=True, type=click.IntRange(1, 32_767))
@click.option("--start", default="now", show_default=True, help=f"When: {when.STARTS}.")
@click.option("--for", "length", help=f"How long: {when.LENGTHS}.")
@click.option("--until", help="The end, instead of how long; as --start.")
@click.option("--pool", help="Which pool, where several have the type.")
@click.option("--team", help="For which team, where you book for several.")
@click.option(
    "--mode", type=click.Choice(["interactive", "inference"]), default="interactive",
    show_default=True, help="Whether the workspace holds a slot itself.",
)  # fmt: skip
@click.option("--purpose", default="", help="What for; the team sees it.")
@click.option("--on-behalf-of", metavar="USER", help="For a mate of a team that you manage.")
@click.option(
    "--repeat",
    type=click.Choice(["day", "weekday", "week"]),
    help="Again and again; with --times.",
)
@click.option("--times", type=click.IntRange(2, 100), help="How many there are, with --repeat.")
@click.option(
    "--time-zone", default="UTC", show_default=True, envvar="TZ",
    help="By whose clocks it is repeated, such as Europe/Berlin.",
)  # fmt: skip
@click.option("--wait", is_flag=True, help="Wait in line where there is no room.")
@click.option("--ask-approval", is_flag=True, help="Ask, where somebody may set the rule aside.")
@click.option("--override", multiple=True, help="A rule's code to set aside; with --reason.")
@click.option("--reason", default="", help="Why a rule is set aside.")
@click.option("--key", default=None, help="An Idempotency-Key: with the same one, it books once.")
@pass_desk
def book(  # noqa: PLR0913 -- one argument an option
    desk: Desk,
    *,
    kind: str,
    units: int,
    start: str,
    length: str | None,
    until: str | None,
    pool: str | None,
    team: str | None,
    mode: str,
    purpose: str,
    on_behalf_of: str | None,
    repeat: str | None,
    times: int | None,
    time_zone: str,
    wait: bool,
    ask_approval: bool,
    override: tuple[str, ...],
    reason: str,
    key: str | None,
) -> None:
    """Book units of a TYPE, such as gpu or 1g.24gb.

    \b
    gpuaas book 1g.24gb --for 4h
    gpuaas book gpu --units 2 --start "tomorrow 9:00" --until "tomorrow 18:00"
    gpuaas book gpu --start "mon 9:00" --for 4h --repeat week --times 8
    """  # noqa: D301 -- click's sign for lines that stay lines
    if (repeat is None) != (times is None):
        raise click.UsageError("give --repeat and --times together")
    if repeat and override:
        raise click.UsageError("rules are not set aside for a series: book one by one")
    starts_at = options.instant(start, desk.screen.clock, "--start")
    ends_at = _end(desk, starts_at, length=length, until=until)
    where, resource_name = _what(desk.api, kind, pool)
    wish = {
        "pool": where,
        "team": team or _own_team(desk.api),
        "resource_name": resource_name,
        "units": units,
        "starts_at": options.text(starts_at),
        "ends_at": options.text(ends_at),
        "mode": mode,
        "purpose": purpose,
        **({"on_behalf_of": on_behalf_of} if on_behalf_of else {}),
        # What is not asked for is not sent: an older server need not know it.
        **({"waitlist": True} if wait else {}),
        **({"ask_approval": True} if ask_approval else {}),
        **({"override": list(override), "reason": reason} if override else {}),
    }
    if repeat:
        again = {"every": repeat, "count": times, "time_zone": time_zone.removeprefix(":")}
        wished = {**wish, "repeat": again}
        series.show(desk.api.post(series.SERIES, wished, key=key or options.new_key()), desk.screen)
        return
    booked = desk.api.post(bookings.BOOKINGS, wish, key=key or options.new_key())
    bookings.show(booked, desk.screen)


def _end(desk: Desk, starts_at: datetime, *, length: str | None, until: str | None) -> datetime:
    options.one_of(**{"for": length, "until": until})
    if until:
        return options.instant(until, desk.screen.clock, "--until")
    return starts_at + options.length(length or "", "--for")


def _what(api: Api, kind: str, pool: str | None) -> tuple[str, str]:
    """Return the pool, and the type as that calls it.

    Raises:
        click.UsageError: there is none such, or several.
    """
    pools = list(api.rows("pools/"))
    found = [
        (str(each.get("slug")), str(type_.get("resource_name")))
        for each in pools
        if pool in {None, each.get("slug")}
        for type_ in types_of(each)
        if is_called(type_, kind)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(sorted({slug for slug, _ in found}))
        raise click.UsageError(f"{kind} is in several pools, choose one with --pool: {named}")
    raise click.UsageError(f"no {kind}{f' in {pool}' if pool else ''}: {_offered(pools)}")


def _offered(pools: list[Json]) -> str:
    there = [f"{t.get('resource_name')} in {p.get('slug')}" for p in pools for t in types_of(p)]
    return f"there is {', '.join(there)}" if there else "there are no pools yet"


def _own_team(api: Api) -> str:
    found = api.get("me/").get("teams")
    teams = [
        str(each.get("slug"))
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and each.get("may_book")
    ]
    if len(teams) == 1:
        return teams[0]
    if teams:
        raise click.UsageError(
            f"you book for several teams, choose with --team: {', '.join(teams)}"
        )
    raise click.UsageError("you book for no team: ask a manager of one to let you in")
