"""SGLang: counts a request when it has finished; prompt tokens include those from its cache."""

from typing import Final

from tokenomics.core.engines.reading import Reading, birth_of, by_label, matching, model_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "sglang:"
_CACHES: Final = ("device", "host", "storage")


def readings(shown: Exposition) -> list[Reading]:
    """Return a reading for each model, streamed and not together.  Raises `BadExposition`."""
    prompts = shown.named("sglang:prompt_tokens_total")
    generated = shown.named("sglang:generation_tokens_total")
    cached = shown.named("sglang:cached_tokens_total")
    requests = shown.named("sglang:num_requests_total")
    created = shown.named("sglang:prompt_tokens_created")
    found = []
    for (model,) in by_label((*prompts, *generated), "model_name"):
        mine = {"model_name": model}
        by_cache = [sum_of(matching(cached, mine), cache_source=each) for each in _CACHES]
        told = [each for each in by_cache if each is not None]
        found.append(
            Reading(
                engine="sglang",
                model=model_of(model),
                prompt_total=sum_of(matching(prompts, mine)),
                prompt_cached=sum(told)
                if told
                else sum_of(matching(cached, mine), cache_source="total"),
                generated=sum_of(matching(generated, mine)),
                requests=sum_of(matching(requests, mine)),
                birth=birth_of(shown, matching(created, mine)),
            )
        )
    return found
