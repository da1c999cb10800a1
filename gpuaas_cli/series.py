"""Series: what became of each occurrence."""

from collections.abc import Mapping
from typing import Any, Final

from gpuaas_cli.bookings import SHORT_DIGITS, what
from gpuaas_cli.show import Screen, text_of

SERIES: Final = "series/"
COLUMNS: Final = ("#", "NUMBER", "WHEN", "STATE", "WHY")


def show(series: Mapping[str, Any], screen: Screen) -> None:
    """Print a series: of each occurrence its booking, or why there is none."""
    if screen.as_json:
        screen.json(series)
        return
    found = series.get("occurrences")
    occurrences = [each for each in found if isinstance(each, dict)] if found else []
    booked = [each for each in occurrences if each.get("outcome") == "booked"]
    screen.say(f"{what(series)}, every {text_of(series, 'every')}: {len(booked)} of "
               f"{len(occurrences)} booked")  # fmt: skip
    screen.table(COLUMNS, [_row(each, screen) for each in occurrences], spared=("#",))


def _row(each: Mapping[str, Any], screen: Screen) -> tuple[str, ...]:
    return (
        text_of(each, "number"),
        text_of(each, "reservation")[:SHORT_DIGITS],
        screen.window(each.get("starts_at"), each.get("ends_at")),
        text_of(each, "state") if each.get("outcome") == "booked" else text_of(each, "outcome"),
        text_of(each, "message"),
    )
