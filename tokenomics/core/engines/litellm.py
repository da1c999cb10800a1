"""The LiteLLM proxy: input tokens include the cached ones; many labels, summed by model."""

from typing import Final

from tokenomics.core.engines.reading import Reading, birth_of, by_label, matching, model_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "litellm_"


def readings(shown: Exposition) -> list[Reading]:
    """Return a reading for each model.  Raises `BadExposition`."""
    inputs = shown.named("litellm_input_tokens_metric_total")
    cached = shown.named("litellm_input_cached_tokens_metric_total")
    outputs = shown.named("litellm_output_tokens_metric_total")
    requests = shown.named("litellm_requests_metric_total")
    return [
        Reading(
            engine="litellm",
            model=model_of(model),
            prompt_total=sum_of(matching(inputs, mine)),
            prompt_cached=sum_of(matching(cached, mine)),
            generated=sum_of(matching(outputs, mine)),
            requests=sum_of(matching(requests, mine)),
            birth=birth_of(shown, ()),
        )
        for (model,) in by_label((*inputs, *outputs), "model")
        for mine in ({"model": model},)
    ]
