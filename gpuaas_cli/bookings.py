"""Bookings: finding one by the beginning of its number, and showing them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from gpuaas_cli.client import Api, Json
from gpuaas_cli.show import Screen, short_type, text_of
from gpuaas_cli.trouble import Refused, Unreachable

BOOKINGS: Final = "reservations/"
SHORT_DIGITS: Final = 8
FEWEST_DIGITS: Final = 4
# How many of the latest are looked through for a short number.
LOOKED_AT: Final = 1000
PAGE: Final = 200
NOT_OVER: Final = frozenset({"PENDING", "WAITLISTED", "APPROVED", "ACTIVE"})
COLUMNS: Final = ("NUMBER", "STATE", "WHAT", "POOL", "TEAM", "WHEN", "BY", "PURPOSE")
SPARED: Final = ("PURPOSE", "BY", "TEAM", "POOL")
PURPOSE_WIDTH: Final = 24


def address(number: object, move: str = "") -> str:
    """Return where one booking, or a move of it, is asked for.

    Raises:
        ValueError: that is no whole number of one.
    """
    return f"{BOOKINGS}{UUID(str(number))}/{move}"


def post(api: Api, booking: Mapping[str, Any], move: str, body: Mapping[str, Any]) -> Json:
    """Do ``move`` with the booking that was looked at; return what it is then."""
    version = booking.get("version")
    return api.post(
        path(booking, move), body, version=version if isinstance(version, int) else None
    )


def instant_of(booking: Mapping[str, Any], name: str) -> datetime:
    """Return an instant of a booking.

    Raises:
        Unreachable: the server names none there.
    """
    try:
        return datetime.fromisoformat(str(booking.get(name))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreachable(f"a booking without {name}", code="strange_answer") from None


def find(api: Api, text: str) -> Json:
    """Return the booking whose number is ``text`` or, alone among the latest, begins with it.

    Raises:
        Refused: there is none, or several.
    """
    try:
        whole = address(text)
    except ValueError:
        pass
    else:
        return api.get(whole)
    beginning = text.lower()
    found: list[Json] = []
    if len(beginning) >= FEWEST_DIGITS:
        latest = islice(api.rows(BOOKINGS, {"limit": PAGE}), LOOKED_AT)
        found = [row for row in latest if str(row.get("id")).startswith(beginning)]
    if len(found) == 1:
        return api.get(path(found[0]))
    if found:
        raise Refused(
            f"{len(found)} bookings begin with {text}: write more of its number",
            code="ambiguous_number",
        )
    raise Refused(
        f"no booking that you see begins with {text} (at least {FEWEST_DIGITS} digits; "
        f"the latest {LOOKED_AT} are looked at)",
        code="not_found",
    )


def path(booking: Mapping[str, Any], move: str = "") -> str:
    """Return where a booking that the server named, or a move of it, is asked for.

    Raises:
        Unreachable: the server gave it no number.
    """
    try:
        return address(booking.get("id"), move)
    except ValueError:
        raise Unreachable("a booking without its number", code="strange_answer") from None


def row(booking: Mapping[str, Any], screen: Screen) -> tuple[str, ...]:
    """Return a booking as a row of a table with `COLUMNS`."""
    purpose = text_of(booking, "purpose")
    return (
        text_of(booking, "id")[:SHORT_DIGITS],
        text_of(booking, "state"),
        what(booking),
        text_of(booking, "pool"),
        text_of(booking, "team"),
        screen.window(booking.get("starts_at"), booking.get("ends_at")),
        text_of(booking, "requested_by"),
        purpose if len(purpose) <= PURPOSE_WIDTH else f"{purpose[: PURPOSE_WIDTH - 3]}...",
    )


def what(booking: Mapping[str, Any]) -> str:
    """Return what is booked."""
    return f"{booking.get('units')} x {short_type(booking.get('resource_name'))}"


def show(booking: Mapping[str, Any], screen: Screen) -> None:
    """Print one booking, with everything that is known of it."""
    if screen.as_json:
        screen.json(booking)
        return
    facts = {
        "number": text_of(booking, "id"),
        "state": text_of(booking, "state"),
        "reason": text_of(booking, "state_reason"),
        "waits for": text_of(booking, "pending_on"),
        "held until": screen.when(booking.get("held_until")),
        "place in line": text_of(booking, "queue_position"),
        "what": what(booking),
        "when": screen.window(booking.get("starts_at"), booking.get("ends_at")),
        "pool": text_of(booking, "pool"),
        "team": text_of(booking, "team"),
        "booked by": text_of(booking, "requested_by"),
        "mode": text_of(booking, "mode"),
        "purpose": text_of(booking, "purpose"),
        "cost": _cost(booking),
        **_workspace(booking.get("workspace"), screen),
        **_flag(booking.get("flag"), screen),
    }
    screen.facts({name: value for name, value in facts.items() if value != "-"})


def _cost(booking: Mapping[str, Any]) -> str:
    minor = booking.get("cost_minor")
    if not isinstance(minor, int) or minor == 0:
        return "-"
    return f"{minor // 100}.{minor % 100:02d} {text_of(booking, 'currency')}"


def _workspace(workspace: object, screen: Screen) -> dict[str, str]:
    if not isinstance(workspace, dict):
        return {}
    return {
        "workspace": text_of(workspace, "state"),
        "waiting for": text_of(workspace, "waiting_for"),
        "last error": text_of(workspace, "last_error"),
        "ready": screen.when(workspace.get("ready_at")),
        "address": text_of(workspace, "url"),
    }


def _flag(flag: object, screen: Screen) -> dict[str, str]:
    if not isinstance(flag, dict):
        return {}
    since = screen.when(flag.get("since"))
    return {"in trouble": f"{text_of(flag, 'cause')}, since {since}: {text_of(flag, 'detail')}"}
