"""A refusal in words: every reason, and the nearest yes.  Nothing in it is taken for granted."""

from collections.abc import Iterator, Mapping
from typing import Any

from gpuaas_cli.show import Screen, short_type
from gpuaas_cli.trouble import Trouble

Body = Mapping[str, Any]


def print_trouble(trouble: Trouble, screen: Screen) -> None:
    """Print what went wrong: a line with its code, then the reasons and what would do instead."""
    if screen.as_json:
        screen.note_json(trouble.body)
        return
    details = trouble.body.get("details")
    details = details if isinstance(details, Mapping) else {}
    problems = _objects(details.get("problems"))
    if len(problems) > 1:
        screen.note(f"gpuaas: {len(problems)} reasons against it [{trouble.code}]")
        for each in problems:
            screen.note(f"  - {_reason(each)}")
            _print_lines(_nearest(each.get("nearest"), screen), screen)
    else:
        code = str(problems[0].get("code", trouble.code)) if problems else trouble.code
        screen.note(f"gpuaas: {trouble.message} [{code}]")
        for each in problems:
            _print_lines(_nearest(each.get("nearest"), screen), screen)
    _print_lines(_instead(details, screen), screen)


def _instead(body: Body, screen: Screen) -> Iterator[str]:
    """Yield what a full pool, or a booking that cannot be extended, offers."""
    nearest = body.get("nearest")
    yield from _nearest(nearest, screen)
    for window in _objects(body.get("free_windows")):
        if window != nearest:
            yield f"free: {_window(window, screen)}"
    for each in _objects(body.get("alternatives")):
        smaller = ", less than you asked for" if each.get("is_smaller") else ""
        kind = f"{each.get('units')} x {short_type(each.get('resource_name'))}{smaller}"
        yield f"instead: {kind}, {_window(each, screen)}"
    if body.get("until") and body.get("until") != body.get("ends_at"):
        yield f"nearest yes: until {screen.when(body['until'])} (--max)"
    afterwards = body.get("afterwards")
    if isinstance(afterwards, dict):
        yield f"the rest can be booked anew: {_window(afterwards, screen)}"


def _nearest(nearest: object, screen: Screen) -> Iterator[str]:
    if isinstance(nearest, dict):
        yield f"nearest yes: {_window(nearest, screen)}"
    elif isinstance(nearest, int | str):
        yield f"nearest yes: {nearest}"


def _reason(problem: Body) -> str:
    field = f"{problem['field']}: " if problem.get("field") else ""
    return f"{field}{problem.get('message', '')} [{problem.get('code', '')}]"


def _window(body: Body, screen: Screen) -> str:
    return screen.window(body.get("starts_at"), body.get("ends_at"))


def _objects(found: object) -> list[Body]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _print_lines(lines: Iterator[str], screen: Screen) -> None:
    for line in lines:
        screen.note(f"    {line}")
