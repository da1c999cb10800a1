"""Sentences of the pure middle in the reader's language.

The middle says what it has to say in English, whole: rules, refusals, what became of a session.
It knows no language but that, and what is kept (notices, the story of a session) is kept as said.
The edges recognise a sentence by the catalog ``sentences``, where what it was filled with is
``{0}``, ``{1}``, and say it in the language of the reader.  What is not there stays as it is.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils import timezone, translation

DOMAIN: Final = "sentences"
_PLACE: Final = re.compile(r"\{(\w*)\}")
# Where one sentence ends and another begins, when they were put together.
_JOINTS: Final = tuple(re.compile(mark) for mark in (r"(?<=[.?!])( )", "(; )", "(: )", "(, )"))
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC")
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class _Sentence:
    form: re.Pattern[str]
    places: tuple[str, ...]
    said: str


def in_language(text: str) -> str:
    """Return ``text`` of the middle in the language that is active; as it is when not known."""
    language = (translation.get_language() or "").partition("-")[0]
    words = _words(language)
    return _said(language, str(text)) if words is not None and text else text


def as_read(text: str) -> str:
    """Return ``text`` in the language and, plain, with its moments in the zone that is active."""
    return _MOMENT.sub(_local, in_language(text))


def _local(found: re.Match[str]) -> str:
    at = timezone.localtime(datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00"))
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


@dataclass(frozen=True, slots=True)
class _Words:
    whole: dict[str, str]
    filled: dict[str, list[_Sentence]]  # by the first letter, "" for those that begin with a place

    def of(self, text: str) -> "tuple[str, dict[str, str]] | None":
        """Return how ``text`` is said, and what fills it; None when nobody knows."""
        if text in self.whole:
            return self.whole[text], {}
        for each in (*self.filled.get(text[:1], ()), *self.filled[""]):
            if found := each.form.fullmatch(text):
                return each.said, dict(zip(each.places, found.groups(), strict=True))
        return None


@cache
def _words(language: str) -> _Words | None:
    path = Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
    if not language or not path.exists():
        return None
    with path.open("rb") as file:
        catalog: dict[str, str] = GNUTranslations(file)._catalog  # type: ignore[attr-defined] # noqa: SLF001 -- no other way to list it
    return _read({english: said for english, said in catalog.items() if english and said})


def _read(catalog: dict[str, str]) -> _Words:
    filled: dict[str, list[_Sentence]] = defaultdict(list)
    # The more a form says itself, the less it takes for what is another's.
    for english in sorted(catalog, key=lambda each: -len(_PLACE.sub("", each))):
        if _PLACE.search(english):
            first = "" if english.startswith("{") else english[:1]
            filled[first].append(_sentence(english, catalog[english]))
    return _Words({key: said for key, said in catalog.items() if not _PLACE.search(key)}, filled)


def _sentence(english: str, said: str) -> _Sentence:
    parts = _PLACE.split(english)  # words, a place's name, words, ...
    pattern = "".join("(.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return _Sentence(re.compile(pattern, re.DOTALL), tuple(parts[1::2]), said)


@lru_cache(maxsize=4096)
def _said(language: str, text: str, depth: int = 0) -> str:
    words = _words(language)
    if words is None or depth > _DEEPEST or not re.search("[A-Za-z]{2}", text):
        return text
    if known := words.of(text) or _as_begun(words, text):
        form, places = known
        filled = {name: _said(language, each, depth + 1) for name, each in places.items()}
        return _PLACE.sub(lambda place: filled[place[1]], form)
    for joint in _JOINTS:
        parts = joint.split(text)
        if len(parts) > 1:
            return "".join(_said(language, part, depth + 1) for part in parts)
    return text


def _as_begun(words: _Words, text: str) -> "tuple[str, dict[str, str]] | None":
    """Look for ``text`` without its full stop, and beginning as the middle begins it."""
    bare = text.rstrip(".")
    for each in (bare, bare[:1].lower() + bare[1:]):
        if each != text and (known := words.of(each)):
            form, places = known
            said = form[:1].upper() + form[1:] if bare[:1].isupper() else form
            return said + text[len(bare) :], places
    return None
