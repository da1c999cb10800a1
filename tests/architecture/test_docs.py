"""What the pages name exists: settings, verbs, commands, files and links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpuaas import demo

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
]
SETTINGS = ROOT / "gpuaas" / "settings"
LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#]*)(?:#([^)]+))?\)")
MAKE = re.compile(r"(?:^\s*|`)make ([a-z][a-z -]*[a-z])", re.MULTILINE)
MANAGE = re.compile(r"(?:manage\.py|onebox manage) ([a-z_]+)")
SOURCE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|txt|in|mod|yaml))`")
DJANGO_COMMANDS = {"check", "collectstatic", "makemigrations", "migrate", "shell"}


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def settings_read() -> Iterator[str]:
    """Every name that the settings ask `gpuaas.settings.env` for, or set a default of."""
    for path in SETTINGS.glob("*.py"):
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                reads = node.func.attr.startswith("env_") or node.func.attr == "setdefault"
                if reads and isinstance(first, ast.Constant):
                    yield str(first.value)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made from them on the web."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> set[str]:
    modules = [*ROOT.glob("*/management/commands/*.py"), *ROOT.glob("gpuaas/*/*/commands/*.py")]
    return {path.stem for path in modules} | DJANGO_COMMANDS


@pytest.mark.parametrize("name", sorted(set(settings_read())))
def test_a_setting_is_explained(name: str) -> None:
    assert f"`{name}`" in text(ROOT / "docs" / "configuration.md")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(text(page)):
        found = (page.parent / target) if target else page
        assert found.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(found), f"{target} has no heading {anchor}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_verbs_and_commands_exist(page: Path) -> None:
    verbs = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))

    assert {verb for found in MAKE.findall(text(page)) for verb in found.split()} <= verbs
    assert set(MANAGE.findall(text(page))) <= commands()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_exist(page: Path) -> None:
    missing = [name for name in SOURCE.findall(text(page)) if not (ROOT / name).exists()]

    assert missing == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = text(folder / "README.md")

    assert [p.name for p in sorted(folder.glob("0*.md")) if p.name not in index] == []


def test_the_readme_has_every_demo_login() -> None:
    readme = text(ROOT / "README.md")

    assert all(f"| `{who.username}` | `{who.password}` |" in readme for who in demo.LOGINS)
