"""Requirements: everything pinned and hashed, nothing in an image that must not be there."""

import importlib.metadata
import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
SETS = ("base", "web", "reconciler", "onebox", "cli", "dev")
# What we ship must not oblige its operator to publish their own code.
NOT_SHIPPED_UNDER = re.compile(r"\b(AGPL|GPL|Affero)\b|GNU General Public", re.IGNORECASE)
LESSER = re.compile(r"\bLGPL\b|Lesser General Public", re.IGNORECASE)


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(name: str) -> dict[str, str]:
    """Return ``{package: the rest of its entry}`` of a compiled file."""
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(.*)", line)
        assert match, line
        found[normalised(match[1])] = match[2]
    return found


def wished(name: str) -> set[str]:
    """Return the packages that an .in file asks for, those it includes as well."""
    packages: set[str] = set()
    for raw in (REQUIREMENTS / f"{name}.in").read_text().splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("-r "):
            packages |= wished(line.removeprefix("-r ").removesuffix(".in"))
        elif line:
            match = re.match(r"[A-Za-z0-9._-]+", line)
            assert match, line
            packages.add(normalised(match[0]))
    return packages


@pytest.mark.parametrize("name", SETS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    loose = [
        package
        for package, rest in entries(name).items()
        if not re.match(r"==\S+", rest) or "--hash=sha256:" not in rest
    ]

    assert loose == []


@pytest.mark.parametrize("name", SETS)
def test_what_was_asked_for_was_resolved(name: str) -> None:
    assert wished(name) <= set(entries(name))


@pytest.mark.parametrize("name", SETS)
def test_all_sets_agree_on_versions(name: str) -> None:
    dev = entries("dev")

    assert {p: r.split()[0] for p, r in entries(name).items() if p in dev} == {
        p: dev[p].split()[0] for p in entries(name) if p in dev
    }


def test_the_web_image_has_no_kubernetes_client() -> None:
    web = set(entries("web"))

    assert "kubernetes" in set(entries("reconciler"))
    assert not web & {"kubernetes", "kubernetes-asyncio", "openshift", "lightkube", "kopf"}


@pytest.mark.parametrize("name", ["web", "reconciler", "cli"])
def test_nothing_we_ship_is_under_a_strong_copyleft(name: str) -> None:
    strict = []
    for package in entries(name):
        try:
            metadata = importlib.metadata.metadata(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        words = [
            *(metadata.get_all("License-Expression") or []),
            *(c for c in metadata.get_all("Classifier") or [] if c.startswith("License")),
            *(text.partition("\n")[0] for text in metadata.get_all("License") or []),
        ]
        strict += [
            (package, word)
            for word in words
            if NOT_SHIPPED_UNDER.search(word) and not LESSER.search(word)
        ]

    assert strict == []
