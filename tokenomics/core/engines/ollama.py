"""Ollama shows no metrics: what it processed is in the answer to each request.

Both of its routes are read: the native one and the one in OpenAI's form, which other servers
answer in too.  A field that is absent is unknown, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answered:
    """The tokens of one request."""

    model: str
    prompt_computed: int | None
    prompt_cached: int | None
    generated: int | None


def usage_of(answer: Mapping[str, Any]) -> Answered | None:
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
    return Answered(str(answer.get("model") or ""), *_apart(prompt, cached), _number(generated))


def _apart(prompt: object, cached: object) -> tuple[int | None, int | None]:
    """Return computed and cached apart, where both are told; else all as computed."""
    whole, part = _number(prompt), _number(cached)
    if whole is None or part is None:
        return whole, part
    return max(whole - part, 0), min(part, whole)


def _number(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count and isinstance(value, int) else None
