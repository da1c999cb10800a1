"""Options that several commands have, and reading what was given to them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import uuid4

import click

from gpuaas_cli import when
from gpuaas_cli.clock import Clock, NoSuchTime

F = TypeVar("F", bound=Callable[..., Any])

NUMBER_HELP: Final = "A booking's number, or the first digits of it."


def number(function: F) -> F:
    """Give a command the number of a booking."""
    return click.argument("number", metavar="NUMBER")(function)


def instant(text: str, clock: Clock, option: str) -> datetime:
    """Return what an option with a time means.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        return when.read_instant(text, clock)
    except (when.Unreadable, NoSuchTime) as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def length(text: str, option: str) -> timedelta:
    """Return what an option with a length of time means.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        return when.read_length(text)
    except when.Unreadable as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def one_of(**given: object) -> str:
    """Return the name of the one option that was given.

    Raises:
        click.UsageError: none was, or several.
    """
    named = [name for name, value in given.items() if value]
    if len(named) != 1:
        raise click.UsageError(f"give one of {', '.join(f'--{name}' for name in given)}")
    return named[0]


def new_key() -> str:
    """Return a new Idempotency-Key: one call books once, however often it is sent."""
    return f"cli-{uuid4()}"


def text(at: datetime) -> str:
    """Return an instant as the API takes it."""
    return at.isoformat().replace("+00:00", "Z")
