"""House rules that no linter knows, read from the syntax trees of the product."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("gpuaas", "reservations", "sessions", "tokenomics", "reconciler")
SOURCES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
INTERFACES = [
    path
    for path in SOURCES
    if path.is_relative_to(ROOT / "gpuaas/api")
    or path.is_relative_to(ROOT / "gpuaas/portal")
    or path.is_relative_to(ROOT / "reconciler")
]
DATABASE_VERBS = {"save", "bulk_create", "bulk_update", "raw", "get_or_create", "update_or_create"}
WRITING_VERBS = {"create", "bulk_create", "bulk_update", "update_or_create", "get_or_create"}
MODEL_HOOKS = {"save", "delete", "full_clean"}
DUMPING_GROUNDS = {"utils", "util", "helpers", "common", "misc", "signals", "receivers"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def attributes(path: Path) -> set[str]:
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("path", INTERFACES, ids=name_of)
def test_an_interface_does_not_touch_the_database(path: Path) -> None:
    managers = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "objects"
        and ast.unparse(node.value)[0].isupper()  # a class: Reservation.objects
    }

    assert managers == set()
    assert not attributes(path) & DATABASE_VERBS


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name == "selectors.py"], ids=name_of)
def test_a_selector_does_not_write(path: Path) -> None:
    assert not attributes(path) & (WRITING_VERBS | {"save", "delete"})


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name == "models.py"], ids=name_of)
def test_a_model_overrides_neither_save_nor_delete(path: Path) -> None:
    functions = {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }

    assert not functions & MODEL_HOOKS


def test_nobody_listens_to_signals() -> None:
    listening = [
        name_of(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (
            (node.module or "").endswith(("dispatch", "signals"))
            or any(alias.name in {"signals", "receiver"} for alias in node.names)
        )
    ]

    assert listening == []


def test_there_are_no_dumping_grounds() -> None:
    assert [name_of(path) for path in SOURCES if path.stem in DUMPING_GROUNDS] == []


def test_only_the_settings_read_the_environment() -> None:
    reading = [
        name_of(path)
        for path in SOURCES
        if attributes(path) & {"environ", "getenv"} and path.parent.name != "settings"
    ]

    # They only say which settings to load, before there are any.
    assert set(reading) <= {"gpuaas/celery.py", "gpuaas/wsgi.py", "gpuaas/asgi.py"}


@pytest.mark.parametrize(
    "path",
    [p for p in SOURCES if {p.stem, p.parent.name} & {"services", "selectors"}],
    ids=name_of,
)
def test_domain_functions_do_not_ask_the_clock(path: Path) -> None:
    tree = ast.parse(path.read_text())
    clocks = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "django.utils"
        and any(alias.name == "timezone" for alias in node.names)
    ]
    optional_now = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for argument, default in zip(
            function.args.kwonlyargs, function.args.kw_defaults, strict=True
        )
        if argument.arg == "now" and default is not None
    ]

    assert clocks == []
    assert optional_now == []
