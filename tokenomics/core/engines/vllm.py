"""vLLM: prompt tokens include those from its cache, and one metric tells the sources apart."""

from typing import Final

from tokenomics.core.engines.reading import Reading, birth_of, by_label, matching, model_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "vllm:"
_MODEL: Final = "model_name|model"
_COUNTERS: Final = ("vllm:prompt_tokens", "vllm:generation_tokens")
_FROM_CACHE: Final = ("local_cache_hit", "external_kv_transfer")


def readings(shown: Exposition) -> list[Reading]:
    """Return a reading for each model and engine core.  Raises `BadExposition`."""
    prompts = shown.named("vllm:prompt_tokens_total")
    generated = shown.named("vllm:generation_tokens_total")
    finished = shown.named("vllm:request_success_total")
    sources = shown.named("vllm:prompt_tokens_by_source_total")
    created = [s for name in _COUNTERS for s in shown.named(f"{name}_created")]
    found = []
    for model, engine in by_label((*prompts, *generated), _MODEL, "engine"):
        mine = {_MODEL: model, "engine": engine}
        cached = [sum_of(matching(sources, mine), source=each) for each in _FROM_CACHE]
        from_cache = [each for each in cached if each is not None]
        found.append(
            Reading(
                engine="vllm",
                model=model_of(model),
                replica=engine,
                prompt_total=sum_of(matching(prompts, mine)),
                prompt_computed=sum_of(matching(sources, mine), source="local_compute"),
                prompt_cached=sum(from_cache) if from_cache else _hits(shown, mine),
                generated=sum_of(matching(generated, mine)),
                requests=sum_of(matching(finished, mine)),
                birth=birth_of(shown, matching(created, mine)),
            )
        )
    return found


def _hits(shown: Exposition, mine: dict[str, str]) -> int | None:
    """Return the cached tokens as versions before the metric by source tell them."""
    for name in ("prompt_tokens_cached", "prefix_cache_hits", "gpu_prefix_cache_hits"):
        hits = sum_of(matching(shown.named(f"vllm:{name}_total"), mine))
        if hits is not None:
            return hits
    return None
