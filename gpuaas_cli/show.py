"""Showing things: tables that fit the terminal, or JSON.

What the server says is text, never instructions to the terminal: control characters are replaced.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gpuaas_cli import clock

# What is piped on is not cut at the width of a screen that is not there.
NO_SCREEN_COLUMNS: Final = 400
COLOURS: Final[Mapping[str, str]] = {
    "ACTIVE": "green",
    "READY": "green",
    "APPROVED": "cyan",
    "PENDING": "yellow",
    "WAITLISTED": "yellow",
    "PROVISIONING": "yellow",
    "FAILED": "red",
}
NOTHING: Final = "-"
GAP: Final = 2


class Screen:
    """Where one call of the program shows what it found."""

    def __init__(self, *, as_json: bool, in_utc: bool) -> None:
        self.as_json: Final = as_json
        self.clock: Final = clock.machine(in_utc=in_utc)
        wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else NO_SCREEN_COLUMNS
        self._console: Final = Console(highlight=False, markup=False, emoji=False, width=wide)

    def json(self, data: object) -> None:
        """Print ``data``, as the API has it."""
        click.echo(json.dumps(data, indent=2))

    def say(self, text: str) -> None:
        """Print a line, unless JSON is wanted."""
        if not self.as_json:
            click.echo(clean(text))

    def note(self, text: str) -> None:
        """Print a line that is no part of the answer."""
        click.echo(clean(text), err=True)

    def note_json(self, data: object) -> None:
        """Print ``data`` as `note` prints a line."""
        click.echo(json.dumps(data, indent=2), err=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        spared: Sequence[str] = (),
    ) -> None:
        """Print rows below each other; on a narrow terminal without the ``spared`` columns.

        Where not even that fits, each row is a block of lines, with everything.
        """
        left = list(columns)
        for name in ("", *spared):
            left = [each for each in left if each != name]
            made = _table(left, [[row[columns.index(each)] for each in left] for row in rows])
            if made.width <= self._console.width:
                self._console.print(made.table)
                return
        for row in rows:
            self.facts(dict(zip(columns, row, strict=True)))
            self._console.print()

    def facts(self, facts: Mapping[str, str]) -> None:
        """Print names and values."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            line = Text(f"{name:<{width}}  ", style="bold") + _text(value)
            self._console.print(line, soft_wrap=True)

    def when(self, text: object) -> str:
        """Return an instant of the API as this machine's clocks show it, with the zone's name."""
        shown = self._local(text)
        return NOTHING if shown is None else f"{self._day(shown)} {shown:%H:%M %Z}"

    def window(self, starts: object, ends: object) -> str:
        """Return a window as this machine's clocks show it."""
        first, last = self._local(starts), self._local(ends)
        if first is None or last is None:
            return f"{self.when(starts)} to {self.when(ends)}"
        until = f"{last:%H:%M %Z}"
        if first.date() != last.date():
            until = f"{self._day(last)} {until}"
        # Its zone is named twice only where the clocks change in between.
        zone = "" if first.utcoffset() == last.utcoffset() else f"{first: %Z}"
        return f"{self._day(first)} {first:%H:%M}{zone} - {until}"

    def _day(self, shown: datetime) -> str:
        same_year = shown.year == self.clock.local(self.clock.now).year
        return f"{shown:%a %d %b}" if same_year else f"{shown:%a %d %b %Y}"

    def _local(self, text: object) -> datetime | None:
        try:
            read = datetime.fromisoformat(str(text))
            return None if read.tzinfo is None else self.clock.local(read)
        except (ValueError, OverflowError):
            return None


def clean(text: str) -> str:
    """Return ``text`` without what a terminal would obey, or show in another order."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_control(each) else each for each in text)


def short_type(resource_name: object) -> str:
    """Return ``1g.24gb`` for ``nvidia.com/mig-1g.24gb``."""
    return str(resource_name).rpartition("/")[2].removeprefix("mig-")


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a field as text, ``-`` where there is nothing in it."""
    value = body.get(name)
    return NOTHING if value is None or value == "" else str(value)


@dataclass(frozen=True, slots=True)
class _Made:
    table: Table
    width: int


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> _Made:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(_text, row))
    widths = (max(map(cell_len, column)) for column in zip(columns, *rows, strict=True))
    return _Made(table, sum(widths) + GAP * (len(columns) - 1))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character != "\u00ad"


def _text(value: str) -> Text:
    return Text(clean(value), style=COLOURS.get(value, ""))
