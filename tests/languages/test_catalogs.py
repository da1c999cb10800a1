"""The catalogs say everything that is said today, whole and in every language."""

import re
from collections import Counter

import pytest

from onebox import messages

CATALOGS = [(domain, language) for domain in messages.DOMAINS for language in messages.LANGUAGES]
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
TAGS = re.compile(r"</?\w+")


def said(entry: object) -> list[str]:
    """Return a message's one text, or its singular and plural."""
    return [entry] if isinstance(entry, str) else [str(each) for each in entry]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("domain", "language"), CATALOGS)
def test_what_is_said_is_what_is_in_the_catalog(domain: str, language: str) -> None:
    today = {(each.id, each.context) for each in messages.gathered(domain) if each.id}
    kept = {(each.id, each.context) for each in messages.kept(domain, language) if each.id}

    assert sorted(map(str, today - kept)) == [], "run `make messages`"
    assert sorted(map(str, kept - today)) == [], "run `make messages`"


@pytest.mark.parametrize(("domain", "language"), CATALOGS)
def test_nothing_lacks_a_translation_or_has_a_doubtful_one(domain: str, language: str) -> None:
    lacking = [
        each.id
        for each in messages.kept(domain, language)
        if each.id and (each.fuzzy or not all(said(each.string)))
    ]

    assert lacking == []


@pytest.mark.parametrize(("domain", "language"), CATALOGS)
def test_places_and_tags_are_the_same_in_both_languages(domain: str, language: str) -> None:
    different = []
    for each in messages.kept(domain, language):
        if not each.id:
            continue
        english = said(each.id)[-1]
        different += [
            (english, text)
            for text in said(each.string)[-1:]
            if set(PLACES.findall(text)) != set(PLACES.findall(english))
            or Counter(TAGS.findall(text)) != Counter(TAGS.findall(english))
        ]

    assert different == []


@pytest.mark.parametrize(("domain", "language"), CATALOGS)
def test_what_is_compiled_is_not_stale(domain: str, language: str) -> None:
    compiled = messages.compiled(domain, messages.kept(domain, language))

    assert messages.compiled_path(domain, language).read_bytes() == compiled, "run `make messages`"
