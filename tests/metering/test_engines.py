"""Each engine's metrics against the true totals of what it printed."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tokenomics.core import engines, exposition
from tokenomics.core.engines.reading import Reading
from tokenomics.core.exposition import BadExposition

FIXTURES = Path(__file__).parent / "fixtures"


def shown(name: str) -> str:
    return (FIXTURES / name).read_text()


def expected(engine: str) -> Any:
    return json.loads(shown(f"{engine}/expected.json"))


def only(text: str) -> Reading:
    (reading,) = engines.read(text)
    return reading


@pytest.mark.parametrize(("name", "true"), expected("vllm"))
def test_vllm(name: str, true: dict[str, int]) -> None:
    reading = only(shown(f"vllm/{name}"))

    assert reading.engine == "vllm"
    assert reading.model == "Qwen/Qwen2.5-7B-Instruct"
    assert reading.prompt_total == true["prompt"]
    assert reading.prompt_cached == true["cached"]
    assert reading.prompt_computed == true["prompt"] - true["cached"]
    assert reading.generated == true["gen"]
    assert reading.requests == true["stop"] + true["length"] + true["abort"]
    assert reading.birth is not None


def test_vllm_is_born_when_its_counters_are() -> None:
    with_created = only(shown("vllm/vllm0.33_qwen7b_t1_with_created.prom"))

    assert str(with_created.birth).startswith("1795447454.97")
    assert with_created.counters == only(shown("vllm/vllm0.33_qwen7b_t1.prom")).counters


def test_a_real_capture_of_vllm_is_read() -> None:
    (reading,) = engines.read(shown("vllm/lmswitch_real_capture_excerpt.prom"))

    assert (reading.generated or 0) > 0
    assert reading.birth is not None


def test_older_vllm_tells_its_hits_only() -> None:
    reading = only(
        'vllm:prompt_tokens_total{model_name="m"} 3.5e+02\n'
        'vllm:gpu_prefix_cache_hits_total{model_name="m"} 50\n'
    )

    assert (reading.prompt_total, reading.prompt_cached) == (350, 50)
    assert reading.prompt_computed is None
    assert reading.generated is None


def test_engine_cores_count_apart() -> None:
    text = "".join(
        f'vllm:generation_tokens_total{{model_name="m",engine="{core}"}} {core}0\n'
        for core in (1, 2)
    )

    assert [(r.replica, r.generated) for r in engines.read(text)] == [("1", 10), ("2", 20)]


@pytest.mark.parametrize(("name", "true"), expected("sglang"))
def test_sglang(name: str, true: dict[str, int]) -> None:
    reading = only(shown(f"sglang/{name}"))

    assert reading.prompt_total == true["prompt"]
    assert reading.prompt_cached == true["cached"]
    assert reading.generated == true["gen"]


@pytest.mark.parametrize("when", ["t0", "t1"])
def test_tgi(when: str) -> None:
    reading, true = only(shown(f"tgi/synthetic_tgi_{when}.prom")), expected("tgi")[when]

    assert (reading.prompt_computed, reading.generated) == (true["prompt"], true["gen"])
    assert reading.requests == true["req"]
    assert reading.prompt_cached is None  # it does not tell


def test_triton_with_tensorrt_llm() -> None:
    labels = 'model="llama",version="1"'
    reading = only(
        f'nv_inference_request_success{{{labels}}} 4\nnv_energy_consumption{{gpu_uuid="x"}} 1\n'
        f'nv_llm_input_token_len_sum{{response_metric_type="total_input_tokens",{labels}}} 900\n'
        f'nv_llm_output_token_len_sum{{response_metric_type="total_output_tokens",{labels}}} 70\n'
        f'nv_llm_output_token_len_sum{{response_metric_type="other",{labels}}} 5\n'
    )

    assert (reading.engine, reading.model, reading.replica) == ("triton", "llama", "1")
    assert (reading.prompt_computed, reading.generated, reading.requests) == (900, 70, 4)


def test_llamacpp_counts_what_it_evaluated() -> None:
    reading = only(
        "# TYPE llamacpp:prompt_tokens_total counter\nllamacpp:prompt_tokens_total 10\n"
        "llamacpp:tokens_predicted_total 7\nprocess_start_time_seconds 1795447454.5\n"
    )

    assert (reading.prompt_computed, reading.generated, reading.prompt_cached) == (10, 7, None)
    assert str(reading.birth) == "1795447454.500000"


def test_litellm_is_summed_over_its_many_labels() -> None:
    def line(metric: str, team: str, number: int) -> str:
        return f'litellm_{metric}_metric_total{{model="gpt",team="{team}"}} {number}\n'

    reading = only(
        line("input_tokens", "a", 100)
        + line("input_tokens", "b", 50)
        + line("input_cached_tokens", "a", 30)
        + line("output_tokens", "b", 9)
        + line("requests", "a", 2)
    )

    assert (reading.prompt_total, reading.prompt_cached) == (150, 30)
    assert (reading.generated, reading.requests) == (9, 2)


@pytest.mark.parametrize("text", ["tgi_queue_size 0\n", "llamacpp:requests_processing 0\n"])
def test_an_engine_that_was_asked_nothing_yet_has_no_reading(text: str) -> None:
    assert engines.read(text) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no metrics of an engine"),
        ("node_cpu_seconds_total 3\n", "no metrics of an engine"),
        ("vllm:generation_tokens_total NaN\n", "vllm:generation_tokens_total: is not a number"),
        ("vllm:generation_tokens_total -1\n", "is not from 0"),
        ("vllm:generation_tokens_total +Inf\n", "is not from 0"),
        ("vllm:generation_tokens_total 1e300\n", "is not from 0"),
        ("a 1\nb 2\nnonsense\n", "line 3: not the text format"),
        ('a 1\nb{c="d 2\n', "line 2: not the text format"),
        ("a 1\n# TYPE b nonsense\n", "line 2"),
        ("<html>not here</html>", "line 1"),
        ("a" * 9000, "line 1: longer than"),
        ("a 1\n" * 40_001, "lines: at most"),
        ("a" * (4 * 1024 * 1024 + 1), "characters: at most"),
        (f'vllm:generation_tokens_total{{model_name="{"m" * 201}"}} 1\n', "201 characters"),
        (
            "".join(f'litellm_input_tokens_metric_total{{model="{n}"}} 1\n' for n in range(201)),
            "201 models",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadExposition, match=says):
        engines.read(text)


def test_births_that_cannot_be_are_no_births() -> None:
    text = "vllm:generation_tokens_total 1\nprocess_start_time_seconds {}\n"

    for birth in ("NaN", "-5", "+Inf", "1e20"):
        assert only(text.format(birth)).birth is None


def test_a_counter_is_whole_whatever_its_print() -> None:
    assert exposition.whole(exposition.Sample("a", {}, 3.675428e06)) == 3675428
    assert exposition.total(()) is None


def test_the_recorder_before_ollama_tells_what_its_answers_told() -> None:
    def line(metric: str, model: str, number: int) -> str:
        return f'ollama_recorder_{metric}_total{{model="{model}"}} {number}\n'

    first, second = engines.read(
        line("prompt_computed_tokens", "a", 100)
        + line("prompt_cached_tokens", "a", 40)
        + line("generated_tokens", "a", 9)
        + line("generated_tokens", "b", 5)
        + line("requests", "a", 2)
        + "ollama_recorder_untold_requests_total 3\nprocess_start_time_seconds 1700000000.5\n"
    )

    assert (first.engine, first.model) == ("ollama", "a")
    assert (first.prompt_computed, first.prompt_cached, first.generated) == (100, 40, 9)
    assert (second.prompt_computed, second.prompt_cached, second.generated) == (None, None, 5)
    assert first.birth == second.birth == Decimal("1700000000.5")


def test_a_recorder_that_nobody_asked_has_no_reading() -> None:
    assert engines.read("ollama_recorder_untold_requests_total 0\n") == []
