"""What an answer of Ollama says was used, read while it passes by in bounded memory.  Pure.

Both of its routes are read: the native one and the one in OpenAI's form.  A field that is absent is
unknown, never 0.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LONGEST_WHOLE: Final = 64 * 1024
"""A document or line is kept whole up to so many bytes; of longer ones, the two ends."""

_HEAD: Final = 1024
_TAIL: Final = 4096
_DATA: Final = b"data:"
# Inside a string every quote is escaped, so that no text of a user can look like a field.
_FIELD: Final = re.compile(
    rb'(?<!\\)"(prompt_eval_count|prompt_eval_cached_count|eval_count|prompt_tokens|'
    rb'completion_tokens|cached_tokens)"\s*:\s*(\d{1,15})(?!\d)'
)
_MODEL: Final = re.compile(rb'(?<!\\)"model"\s*:\s*"([^"\\]{1,200})"')
_LINES: Final = ("application/x-ndjson", "text/event-stream")


@dataclass(frozen=True, slots=True)
class Used:
    """The tokens of one request; None is unknown."""

    model: str
    prompt_computed: int | None
    prompt_cached: int | None
    generated: int | None


def used_by(answer: Mapping[str, Any]) -> Used | None:
    """Return what an answer, or the last part of a streamed one, says was used; None: nothing."""
    usage = answer.get("usage")
    if isinstance(usage, Mapping):
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
        prompt, generated = usage.get("prompt_tokens"), usage.get("completion_tokens")
    else:
        prompt, generated = answer.get("prompt_eval_count"), answer.get("eval_count")
        cached = answer.get("prompt_eval_cached_count")
    if _number(prompt) is None and _number(generated) is None:
        return None
    return Used(str(answer.get("model") or ""), *_apart(prompt, cached), _number(generated))


class Reader:
    """Reads one answer piece by piece; ``used`` is what its last part that says so says."""

    def __init__(self, content_type: str) -> None:
        self._is_lines = content_type.partition(";")[0].strip().lower() in _LINES
        self._kept = bytearray()
        self._is_cut = False
        self.used: Used | None = None

    def feed(self, piece: bytes) -> None:
        """Read on."""
        if not self._is_lines:
            self._keep(piece)
            return
        first, *others = piece.split(b"\n")
        self._keep(first)
        for line in others:
            self._finish()
            self._keep(line)

    def close(self) -> None:
        """Read what came last: its end was the end of the answer."""
        self._finish()

    def _keep(self, piece: bytes) -> None:
        self._kept += piece
        if len(self._kept) > LONGEST_WHOLE:
            self._is_cut = True
            del self._kept[_HEAD:-_TAIL]

    def _finish(self) -> None:
        text, is_cut = bytes(self._kept), self._is_cut
        self._kept.clear()
        self._is_cut = False
        found = _from_ends(text) if is_cut else _from_whole(text)
        self.used = found or self.used


def _from_whole(text: bytes) -> Used | None:
    if not _FIELD.search(text):  # most parts of a stream: not worth reading
        return None
    try:
        answer = json.loads(text.removeprefix(_DATA))
    except (ValueError, RecursionError):
        return None
    return used_by(answer) if isinstance(answer, dict) else None


def _from_ends(text: bytes) -> Used | None:
    """Return what the end of a long answer says: lists of numbers and long texts come before it."""
    told = {key.decode(): int(number) for key, number in _FIELD.findall(text[-_TAIL:])}
    model = _MODEL.search(text)
    return used_by(
        {
            "model": model[1].decode(errors="replace") if model else "",
            "prompt_eval_count": told.get("prompt_eval_count", told.get("prompt_tokens")),
            "eval_count": told.get("eval_count", told.get("completion_tokens")),
            "prompt_eval_cached_count": told.get(
                "prompt_eval_cached_count", told.get("cached_tokens")
            ),
        }
    )


def _apart(prompt: object, cached: object) -> tuple[int | None, int | None]:
    """Return computed and cached apart, where both are told; else all as computed."""
    whole, part = _number(prompt), _number(cached)
    if whole is None or part is None:
        return whole, part
    return max(whole - part, 0), min(part, whole)


def _number(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15
    return value if is_count and isinstance(value, int) else None
