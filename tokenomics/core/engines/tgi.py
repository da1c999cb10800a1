"""Text Generation Inference: no counter of tokens, but histograms whose sums are.

It names no model, and does not tell which prompt tokens came from its cache.
"""

from typing import Final

from tokenomics.core.engines.reading import MODEL_UNKNOWN, Reading, birth_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "tgi_"


def readings(shown: Exposition) -> list[Reading]:
    """Return its one reading.  Raises `BadExposition`."""
    prompt = sum_of(shown.named("tgi_request_input_length_sum"))
    generated = sum_of(shown.named("tgi_request_generated_tokens_sum"))
    if prompt is None and generated is None:
        return []
    return [
        Reading(
            engine="tgi",
            model=MODEL_UNKNOWN,
            prompt_computed=prompt,
            generated=generated,
            requests=sum_of(shown.named("tgi_request_generated_tokens_count")),
            birth=birth_of(shown, ()),
        )
    ]
