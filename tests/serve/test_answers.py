"""What answers of Ollama say was used, whole and in pieces."""

import json
import tracemalloc
from typing import Any

import pytest

from gpuaas_serve import answers
from gpuaas_serve.answers import Reader, Used

DONE = {"model": "m", "done": True, "prompt_eval_count": 26, "eval_count": 290}


@pytest.mark.parametrize(
    ("answer", "figures"),
    [
        ({"model": "m", "prompt_eval_count": 26, "eval_count": 290}, (26, None, 290)),
        (
            {
                "model": "m",
                "prompt_eval_count": 26,
                "prompt_eval_cached_count": 20,
                "eval_count": 1,
            },
            (6, 20, 1),
        ),
        ({"model": "m", "eval_count": 3}, (None, None, 3)),  # absent is unknown
        ({"model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 2}}, (9, None, 2)),
        (
            {
                "model": "m",
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 4},
                },
            },
            (5, 4, 2),
        ),
    ],
)
def test_ollama_answers(answer: dict[str, Any], figures: tuple[int | None, ...]) -> None:
    used = answers.used_by(answer)

    assert used is not None
    assert (used.prompt_computed, used.prompt_cached, used.generated) == figures


@pytest.mark.parametrize(
    "answer", [{}, {"usage": None}, {"eval_count": "7"}, {"eval_count": True}, {"eval_count": -1}]
)
def test_an_answer_without_usage_tells_nothing(answer: dict[str, Any]) -> None:
    assert answers.used_by(answer) is None


def read(kind: str, text: bytes, *, at_once: int) -> Used | None:
    reader = Reader(kind)
    for start in range(0, len(text), at_once):
        reader.feed(text[start : start + at_once])
    reader.close()
    return reader.used


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_the_last_line_of_a_stream_tells(at_once: int, end: bytes) -> None:
    lines = [json.dumps({"model": "m", "response": "eval_count", "done": False})] * 3
    text = "\n".join([*lines, json.dumps(DONE)]).encode() + end

    used = read("application/x-ndjson; charset=utf-8", text, at_once=at_once)

    assert used == Used("m", 26, None, 290)


@pytest.mark.parametrize("at_once", [1, 100_000])
def test_events_tell_where_they_have_usage(at_once: int) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    parts = [{"model": "m", "choices": [1], "usage": None}, {"model": "m", "usage": usage}]
    text = "".join(f"data: {json.dumps(each)}\n\n" for each in parts) + "data: [DONE]\n\n"

    assert read("text/event-stream", text.encode(), at_once=at_once) == Used("m", 9, None, 2)


@pytest.mark.parametrize("at_once", [1, 1000, 100_000])
def test_of_a_long_answer_both_ends_are_read(at_once: int) -> None:
    long = {"model": "m", "embeddings": [[0.123456] * 9000], "prompt_eval_count": 8}
    told = {
        "model": "n",
        "data": [0.5] * 20_000,
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }

    assert read("application/json", json.dumps(long).encode(), at_once=at_once) == Used(
        "m", 8, None, None
    )
    assert read("application/json", json.dumps(told).encode(), at_once=at_once) == Used(
        "n", 5, 4, 0
    )


def test_what_people_write_is_no_field() -> None:
    text = 'so "eval_count": 5, \\"eval_count": 6 and {"usage": {"prompt_tokens": 7}}'
    for length in (1, answers.LONGEST_WHOLE):
        answer = {"model": "m", "response": "x" * length + text, "eval_count": 1}
        used = read("application/json", json.dumps(answer).encode(), at_once=1000)
        assert used == Used("m", None, None, 1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b'{"eval_count": 3',
        b'["eval_count", {"eval_count": 3}]',
        b'{"eval_count": 99999999999999999}',
        b"[" * 50_000 + b'"eval_count": 3',
        b'{"model": "' + b"x" * 100_000,
    ],
)
def test_nonsense_tells_nothing(text: bytes) -> None:
    assert read("application/json", text, at_once=1000) is None


def test_a_broken_line_does_not_spoil_the_next() -> None:
    text = b'{"eval_count": \n' + b"y" * 200_000 + b"\n" + json.dumps(DONE).encode() + b"\n"

    assert read("application/x-ndjson", text, at_once=997) == Used("m", 26, None, 290)


def test_what_is_kept_is_bounded() -> None:
    reader = Reader("application/x-ndjson")
    piece = b"z" * 60_000

    tracemalloc.start()
    for _ in range(1000):
        reader.feed(piece)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 6 * answers.LONGEST_WHOLE
