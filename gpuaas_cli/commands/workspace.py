"""Into the workspace: open, kubeconfig."""

import os
import webbrowser
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from gpuaas_cli import bookings, client, options
from gpuaas_cli.show import text_of
from gpuaas_cli.trouble import Refused
from gpuaas_cli.verb import Desk, Verb, pass_desk

TOKEN_LOOKS: Final = 45
TOKEN_PAUSE_SECONDS: Final = 2.0


@click.command(cls=Verb, name="open")
@options.number
@click.option("--print", "only_print", is_flag=True, help="Print its address, open no browser.")
@pass_desk
def open_(desk: Desk, number: str, *, only_print: bool) -> None:
    """Open a booking's workspace in the browser."""
    booking = bookings.find(desk.api, number)
    workspace = booking.get("workspace")
    if not isinstance(workspace, dict) or workspace.get("state") != "READY":
        raise Refused(_why_not_open(desk, booking), code="workspace_not_ready")
    url = text_of(workspace, "url")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise Refused(f"the workspace's address is none: {url}", code="strange_answer")
    if desk.screen.as_json:
        desk.screen.json({"url": url})
    desk.screen.say(url)
    if not (only_print or desk.screen.as_json):
        webbrowser.open(url)


def _why_not_open(desk: Desk, booking: dict[str, object]) -> str:
    workspace = booking.get("workspace")
    if isinstance(workspace, dict):
        waiting = workspace.get("waiting_for")
        waits = f", waiting for {waiting}" if waiting else ""
        return f"its workspace is {text_of(workspace, 'state')}{waits}"
    if booking.get("state") in bookings.NOT_OVER:
        return f"it has no workspace yet: it comes up at {desk.screen.when(booking['starts_at'])}"
    return f"it is {text_of(booking, 'state')}: its workspace is gone"


@click.command(cls=Verb)
@options.number
@click.option(
    "--file", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write it there."
)
@click.option(
    "--token", "with_token", is_flag=True, help="With a short-lived token: no login is needed."
)
@pass_desk
def kubeconfig(desk: Desk, number: str, target: Path | None, *, with_token: bool) -> None:
    """Print a kubeconfig for a booking's namespace.

    Without --token it holds no secret: kubectl asks you to log in, or the cluster's own program
    does.  With it, the cluster makes a token for this namespace alone, that works to the end of the
    window, for 12 hours at most.
    """
    booking = bookings.find(desk.api, number)
    found = (
        _with_token(desk, booking)
        if with_token
        else desk.api.get(bookings.path(booking, "kubeconfig/"))
    )
    if desk.screen.as_json:
        desk.screen.json(found)
    elif target is None:
        for line in text_of(found, "yaml").splitlines():
            desk.screen.say(line)
    else:
        _write(target, text_of(found, "yaml"))
    if not desk.screen.as_json:
        desk.screen.note(text_of(found, "login"))


def _with_token(desk: Desk, booking: dict[str, object]) -> dict[str, object]:
    """Ask for a token, wait until the cluster has made it, and take it."""
    address = bookings.path(booking, "kubeconfig/token/")
    asked = desk.api.post(address, {})
    for _ in range(TOKEN_LOOKS):
        if text_of(asked, "state") != "ASKED":
            break
        client.pause(TOKEN_PAUSE_SECONDS)
        asked = desk.api.get(address)
    if text_of(asked, "state") == "REFUSED":
        raise click.ClickException(f"the cluster made no token: {text_of(asked, 'problem')}")
    if text_of(asked, "state") == "ASKED":
        raise click.ClickException("the cluster has not made a token yet: try again in a minute")
    return desk.api.post(bookings.path(booking, "kubeconfig/token/take/"), {})


def _write(target: Path, text: str) -> None:
    """Write a file for its owner alone: a login may be added to it."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from error
