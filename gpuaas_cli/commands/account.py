"""Who one is: login, logout, whoami, teams."""

import sys
from urllib.parse import urlsplit

import click

from gpuaas_cli import logins
from gpuaas_cli.client import Api
from gpuaas_cli.logins import Login
from gpuaas_cli.show import text_of
from gpuaas_cli.verb import Desk, Verb, pass_desk, timeout_seconds

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@click.command(cls=Verb)
@click.option("--url", help="The portal's address; asked for where it is not given.")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@pass_desk
def login(desk: Desk, url: str | None, *, token_stdin: bool) -> None:
    """Keep the server's address and an API token, after trying them.

    Tokens are made in the portal.  The token is no option: other people on the machine see those.
    """
    if url is None and token_stdin:
        raise click.UsageError("--token-stdin needs --url: standard input is the token")
    address = _address(url or click.prompt("Address of the portal", err=True))
    token = sys.stdin.read() if token_stdin else click.prompt("Token", hide_input=True, err=True)
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise click.UsageError("that is no token: one begins with gpuaas_")
    made = Login(address, token)
    with Api(made, timeout_seconds=timeout_seconds()) as api:
        person = api.get("me/")
    kept = logins.keep(made)
    if desk.screen.as_json:
        desk.screen.json(person)
    desk.screen.say(f"Logged in to {address} as {text_of(person, 'username')}; kept in {kept}")


@click.command(cls=Verb)
@pass_desk
def logout(desk: Desk) -> None:
    """Forget the address and the token that are kept here.

    The token lives on until it ends or is revoked in the portal.
    """
    there = logins.forget()
    if desk.screen.as_json:
        desk.screen.json({"forgotten": there})
    desk.screen.say("Forgotten." if there else "Nothing was kept.")


@click.command(cls=Verb)
@pass_desk
def whoami(desk: Desk) -> None:
    """Show as whom one is logged in, and until when."""
    person = desk.api.get("me/")
    if desk.screen.as_json:
        desk.screen.json(person)
        return
    token = person.get("token")
    ends = token.get("expires_at") if isinstance(token, dict) else None
    facts = {
        "server": desk.api.url,
        "person": text_of(person, "username"),
        "name": text_of(person, "name"),
        "e-mail": text_of(person, "email"),
        "role": text_of(person, "organisation_role"),
        "token ends": desk.screen.when(ends) if ends else "-",
    }
    desk.screen.facts({name: value for name, value in facts.items() if value != "-"})


@click.command(cls=Verb)
@pass_desk
def teams(desk: Desk) -> None:
    """List one's teams, and what one is in them."""
    found = desk.api.get("me/").get("teams")
    rows = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    if desk.screen.as_json:
        desk.screen.json(rows)
    elif rows:
        desk.screen.table(
            ("TEAM", "NAME", "ROLE", "BOOKS"),
            [
                (
                    text_of(each, "slug"),
                    text_of(each, "name"),
                    text_of(each, "role"),
                    "yes" if each.get("may_book") else "no",
                )
                for each in rows
            ],
        )
    else:
        desk.screen.say("You are in no team: ask a manager of one to let you in.")


def _address(text: str) -> str:
    """Return the portal's address as it is kept.

    Raises:
        click.UsageError: it is none.
    """
    address = text.strip()
    if "://" not in address:
        address = f"https://{address}"
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise click.UsageError(f"{text!r} is no address: write https://gpuaas.example.com")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        click.echo("gpuaas: without TLS anybody on the way reads the token", err=True)
    return address.rstrip("/")
