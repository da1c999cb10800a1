"""The llama.cpp server: counts the prompt tokens that it evaluated, not those from its cache."""

from typing import Final

from tokenomics.core.engines.reading import MODEL_UNKNOWN, Reading, birth_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "llamacpp:"


def readings(shown: Exposition) -> list[Reading]:
    """Return its one reading.  Raises `BadExposition`."""
    prompt = sum_of(shown.named("llamacpp:prompt_tokens_total"))
    generated = sum_of(shown.named("llamacpp:tokens_predicted_total"))
    if prompt is None and generated is None:
        return []
    return [
        Reading(
            engine="llamacpp",
            model=MODEL_UNKNOWN,
            prompt_computed=prompt,
            generated=generated,
            birth=birth_of(shown, ()),
        )
    ]
