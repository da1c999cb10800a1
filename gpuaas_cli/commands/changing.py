"""What can be done with a booking, and with what is held and no booking yet."""

import click

from gpuaas_cli import bookings, options, when
from gpuaas_cli.client import Json
from gpuaas_cli.verb import Desk, Verb, pass_desk


@click.command(cls=Verb)
@options.number
@click.option("--by", help=f"So much longer: {when.LENGTHS}.")
@click.option("--until", help=f"The new end: {when.STARTS}.")
@click.option("--max", "longest", is_flag=True, help="As long as can be.")
@pass_desk
def extend(desk: Desk, number: str, by: str | None, until: str | None, *, longest: bool) -> None:
    """Let a booking end later."""
    options.one_of(by=by, until=until, max=longest)
    booking = bookings.find(desk.api, number)
    wish: Json = {"as_much_as_possible": True}
    if until:
        wish = {"ends_at": options.text(options.instant(until, desk.screen.clock, "--until"))}
    elif by:
        wish = {
            "ends_at": options.text(
                bookings.instant_of(booking, "ends_at") + options.length(by, "--by")
            )
        }
    _change(desk, booking, "extend/", wish)


@click.command(cls=Verb)
@options.number
@click.option("--by", help=f"So much shorter: {when.LENGTHS}.")
@click.option("--until", help=f"The new end: {when.STARTS}.")
@pass_desk
def shorten(desk: Desk, number: str, by: str | None, until: str | None) -> None:
    """Let a booking end earlier."""
    options.one_of(by=by, until=until)
    booking = bookings.find(desk.api, number)
    if until:
        ends_at = options.instant(until, desk.screen.clock, "--until")
    else:
        ends_at = bookings.instant_of(booking, "ends_at") - options.length(by or "", "--by")
    _change(desk, booking, "shorten/", {"ends_at": options.text(ends_at)})


@click.command(cls=Verb)
@options.number
@click.option("--start", help=f"The new start; the length stays: {when.STARTS}.")
@click.option("--until", help="The new end.")
@click.option("--pool", help="Another pool.")
@click.option("--type", "resource_name", help="Another type, in full: nvidia.com/gpu.")
@click.option("--units", type=click.IntRange(1, 32_767), help="Another number of units.")
@pass_desk
def move(
    desk: Desk,
    number: str,
    *,
    start: str | None,
    until: str | None,
    pool: str | None,
    resource_name: str | None,
    units: int | None,
) -> None:
    """Move a booking that has not started, or leave it as it is."""
    clock = desk.screen.clock
    wish = {
        "starts_at": options.text(options.instant(start, clock, "--start")) if start else None,
        "ends_at": options.text(options.instant(until, clock, "--until")) if until else None,
        "pool": pool,
        "resource_name": resource_name,
        "units": units,
    }
    changes = {name: value for name, value in wish.items() if value is not None}
    if not changes:
        raise click.UsageError("say what is to change: --start, --until, --pool, --type, --units")
    _change(desk, bookings.find(desk.api, number), "move/", changes)


@click.command(cls=Verb)
@options.number
@pass_desk
def release(desk: Desk, number: str) -> None:
    """Give a running booking back: the rest of its window is free for others."""
    _change(desk, bookings.find(desk.api, number), "give-back/")


@click.command(cls=Verb)
@options.number
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_desk
def cancel(desk: Desk, number: str, *, yes: bool) -> None:
    """Cancel a booking.  Where it runs, its workspace goes with everything in it."""
    booking = bookings.find(desk.api, number)
    if not yes:
        shown = f"{bookings.what(booking)}, {desk.screen.window(*_window_of(booking))}"
        click.confirm(f"Cancel {shown}?", abort=True, err=True)
    _change(desk, booking, "cancel/")


@click.command(cls=Verb)
@options.number
@click.option("--reason", default="", help="Why, for its history.")
@pass_desk
def approve(desk: Desk, number: str, reason: str) -> None:
    """Approve what waits for you: `gpuaas list --to-approve`."""
    _change(desk, bookings.find(desk.api, number), "approve/", {"reason": reason})


@click.command(cls=Verb)
@options.number
@click.option("--reason", required=True, help="Why not: whoever asked is told.")
@pass_desk
def reject(desk: Desk, number: str, reason: str) -> None:
    """Turn down what waits for your approval."""
    _change(desk, bookings.find(desk.api, number), "reject/", {"reason": reason})


@click.command(cls=Verb)
@options.number
@pass_desk
def take(desk: Desk, number: str) -> None:
    """Take what is held for you because your turn in line has come."""
    _change(desk, bookings.find(desk.api, number), "confirm/")


@click.command(cls=Verb, name="pass")
@options.number
@pass_desk
def pass_(desk: Desk, number: str) -> None:
    """Leave what is held for you to the next in line."""
    _change(desk, bookings.find(desk.api, number), "pass/")


def _change(desk: Desk, booking: Json, move: str, body: Json | None = None) -> None:
    bookings.show(bookings.post(desk.api, booking, move, body or {}), desk.screen)


def _window_of(booking: Json) -> tuple[object, object]:
    return booking.get("starts_at"), booking.get("ends_at")
