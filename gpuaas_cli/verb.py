"""A command of ours: it knows the options that all have, and how trouble ends."""

import os
from typing import Any, Final

import click

from gpuaas_cli import answers, logins
from gpuaas_cli.client import Api
from gpuaas_cli.show import Screen
from gpuaas_cli.trouble import Trouble

TIMEOUT: Final = "GPUAAS_TIMEOUT_SECONDS"
LONGEST_TIMEOUT_SECONDS: Final = 600


class Desk:
    """What a command works with: the screen and, where it asks, the API."""

    def __init__(self, screen: Screen) -> None:
        self.screen: Final = screen
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        """The API as the person who is logged in."""
        if self._api is None:
            self._api = Api(logins.current(), timeout_seconds=timeout_seconds())
        return self._api

    def close(self) -> None:
        """Let the connections go."""
        if self._api is not None:
            self._api.close()


class Verb(click.Command):
    """A command with ``--json`` and ``--utc``, whose callback finds a `Desk` in its context."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs."),
            click.Option(["--utc", "in_utc"], is_flag=True, help="Read and show times in UTC."),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        screen = Screen(as_json=ctx.params.pop("as_json"), in_utc=ctx.params.pop("in_utc"))
        ctx.obj = Desk(screen)
        try:
            return super().invoke(ctx)
        except Trouble as trouble:
            answers.print_trouble(trouble, screen)
            ctx.exit(trouble.exit_code)
        finally:
            ctx.obj.close()


pass_desk = click.make_pass_decorator(Desk)


def timeout_seconds() -> float:
    """Return how long the server may be silent."""
    text = os.environ.get(TIMEOUT, "30")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        raise click.UsageError(f"{TIMEOUT}={text}: seconds, at most {LONGEST_TIMEOUT_SECONDS}")
    return seconds
