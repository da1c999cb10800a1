"""Ollama shows no metrics: the recorder before it (`gpuaas_serve.recorder`) shows its answers'.

A figure that no answer told has no counter, which is unknown, never 0.
"""

from typing import Final

from tokenomics.core.engines.reading import Reading, birth_of, by_label, matching, model_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "ollama_recorder_"


def readings(shown: Exposition) -> list[Reading]:
    """Return a reading for each model.  Raises `BadExposition`."""
    computed = shown.named("ollama_recorder_prompt_computed_tokens_total")
    cached = shown.named("ollama_recorder_prompt_cached_tokens_total")
    generated = shown.named("ollama_recorder_generated_tokens_total")
    requests = shown.named("ollama_recorder_requests_total")
    return [
        Reading(
            engine="ollama",
            model=model_of(model),
            prompt_computed=sum_of(matching(computed, mine)),
            prompt_cached=sum_of(matching(cached, mine)),
            generated=sum_of(matching(generated, mine)),
            requests=sum_of(matching(requests, mine)),
            birth=birth_of(shown, ()),
        )
        for (model,) in by_label((*computed, *generated), "model")
        for mine in ({"model": model},)
    ]
