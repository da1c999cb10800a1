"""Inference engines: what each counts, brought to the same figures.  Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from tokenomics.core import exposition
from tokenomics.core.engines import litellm, llamacpp, ollama, sglang, tgi, triton, vllm
from tokenomics.core.engines.reading import FIGURES, Reading
from tokenomics.core.exposition import BadExposition, Exposition

__all__ = ["FIGURES", "BadExposition", "Reading", "read"]

NORMALISERS: Final[Mapping[str, Callable[[Exposition], list[Reading]]]] = {
    each.PREFIX: each.readings for each in (vllm, sglang, tgi, triton, llamacpp, litellm, ollama)
}


class UnknownEngine(BadExposition):
    """Metrics, but of no engine that we know."""


def read(text: str) -> list[Reading]:
    """Return how far the counters stand that ``text`` shows: none, as long as nothing was asked.

    Raises `BadExposition` where it cannot be read, `UnknownEngine` where it is of no engine.
    """
    shown = exposition.read(text)
    known = [readings for prefix, readings in NORMALISERS.items() if shown.has(prefix)]
    if not known:
        names = ", ".join(prefix.rstrip(":_") for prefix in NORMALISERS)
        raise UnknownEngine(f"no metrics of an engine that is known: {names}")
    return [reading for readings in known for reading in readings(shown)]
