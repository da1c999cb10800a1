"""Triton with the TensorRT-LLM backend: tokens are the sums of two histograms.

Triton's own core counts requests only, and trtllm-serve no tokens either: those are metered by
what gateways tell.
"""

from typing import Final

from tokenomics.core.engines.reading import Reading, birth_of, by_label, matching, model_of, sum_of
from tokenomics.core.exposition import Exposition

PREFIX: Final = "nv_llm_"


def readings(shown: Exposition) -> list[Reading]:
    """Return a reading for each model and version.  Raises `BadExposition`."""
    prompts = matching(
        shown.named("nv_llm_input_token_len_sum"), {"response_metric_type": "total_input_tokens"}
    )
    generated = matching(
        shown.named("nv_llm_output_token_len_sum"), {"response_metric_type": "total_output_tokens"}
    )
    requests = shown.named("nv_inference_request_success_total") or shown.named(
        "nv_inference_request_success"
    )
    return [
        Reading(
            engine="triton",
            model=model_of(model),
            replica=version,
            prompt_computed=sum_of(matching(prompts, mine)),
            generated=sum_of(matching(generated, mine)),
            requests=sum_of(matching(requests, mine)),
            birth=birth_of(shown, ()),
        )
        for model, version in by_label((*prompts, *generated), "model", "version")
        for mine in ({"model": model, "version": version},)
    ]
