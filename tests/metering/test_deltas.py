"""Deltas of counters: to the token, over restarts, and against what increase() makes of them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core import engines
from tokenomics.core.deltas import AbsurdReading, Growth, Known, growth
from tokenomics.core.engines.reading import Reading

FIXTURES = Path(__file__).parent / "fixtures"
START = datetime.fromtimestamp(1_795_440_000, UTC)
MINUTE = timedelta(minutes=1)


def steps(*readings: Reading, born_since: datetime = START) -> list[Growth]:
    known: Known | None = None
    found = []
    for number, reading in enumerate(readings, 1):
        step = growth(known, reading, read_at=START + number * MINUTE, born_since=born_since)
        known = step.known
        found.append(step)
    return found


def total(found: list[Growth], name: str) -> int:
    return sum(step.figures[name] or 0 for step in found)


def generated(number: int, *, birth: int | None = None) -> Reading:
    return Reading("vllm", "m", generated=number, birth=None if birth is None else Decimal(birth))


def test_the_fixtures_true_totals_over_a_restart() -> None:
    true = json.loads((FIXTURES / "vllm/expected.json").read_text())
    readings = [engines.read((FIXTURES / "vllm" / name).read_text())[0] for name, _ in true]

    found = steps(*readings)

    assert [step.is_restart for step in found] == [False, False, False, True, False]
    # t2 is the last of the first process, t4 of the second.
    last = [true[2][1], true[4][1]]
    assert total(found, "generated") == sum(each["gen"] for each in last)
    assert total(found, "prompt_cached") == sum(each["cached"] for each in last)
    assert total(found, "prompt_computed") == sum(each["prompt"] - each["cached"] for each in last)
    assert total(found, "requests") == sum(
        each["stop"] + each["length"] + each["abort"] for each in last
    )


def test_a_restart_between_two_readings_is_found_by_its_birth() -> None:
    # 5000, then a new process that has 6000 already: increase() makes 1750 of it.
    told = steps(generated(5000, birth=1_795_440_001), generated(6000, birth=1_795_440_070))
    silent = steps(generated(5000), generated(6000))

    assert (total(told, "generated"), told[1].is_restart) == (11_000, True)
    assert (total(silent, "generated"), silent[1].is_restart) == (6000, False)


def test_what_was_counted_before_the_first_reading_counts() -> None:
    assert total(steps(generated(8000, birth=1_795_440_030)), "generated") == 8000
    assert total(steps(generated(900)), "generated") == 900


def test_a_series_older_than_what_we_know_counts_from_here_on() -> None:
    first, second = steps(
        generated(8000, birth=1_795_000_000), generated(8010, birth=1_795_000_000)
    )

    assert first.is_unknown_start
    assert first.is_nothing
    assert second.figures["generated"] == 10


def test_a_birth_that_is_worked_out_anew_is_the_same() -> None:
    found = steps(generated(5, birth=1_795_440_001), generated(7, birth=1_795_440_002))

    assert total(found, "generated") == 7


def test_cached_tokens_may_be_counted_before_their_prompt() -> None:
    def reading(prompt: int, cached: int) -> Reading:
        return Reading("sglang", "m", prompt_total=prompt, prompt_cached=cached)

    found = steps(reading(100, 20), reading(100, 70), reading(180, 70), reading(180, 70))

    assert [step.figures["prompt_computed"] for step in found] == [80, 0, 30, 0]
    assert not any(step.is_restart for step in found)
    assert found[3].is_nothing


def test_what_an_engine_does_not_tell_stays_unknown() -> None:
    (step,) = steps(generated(5))

    assert step.figures == {
        "prompt_computed": None,
        "prompt_cached": None,
        "generated": 5,
        "requests": None,
    }


def test_a_counter_that_no_hardware_could_drive_is_refused() -> None:
    with pytest.raises(AbsurdReading, match="generated: grew by 9000000000000"):
        steps(generated(5), generated(9_000_000_000_005))


@given(st.lists(st.lists(st.integers(0, 10_000), min_size=1, max_size=6), min_size=1, max_size=6))
def test_deltas_are_what_was_generated_whenever_births_are_told(
    processes: list[list[int]],
) -> None:
    readings = []
    for birth, work in enumerate(processes):
        counter = 0
        for more in work:
            counter += more
            readings.append(generated(counter, birth=1_795_440_000 + 60 * birth))

    found = steps(*readings)

    assert total(found, "generated") == sum(sum(work) for work in processes)
    assert all((step.figures["generated"] or 0) >= 0 for step in found)


def test_the_cases_of_the_comparison_with_increase() -> None:
    cases = {
        name: row
        for name, *row in json.loads((FIXTURES / "promql/increase_vs_ledger.json").read_text())[
            "cases"
        ]
    }

    masked = cases["restart masked: 5000 -> (0) -> 6000 between two scrapes (true 6000)"]
    assert masked == [6000, 1750.0, 1000]
    # With births told the ledger has what increase() and a ledger without them have not.
    known = steps(generated(5000, birth=1_795_440_001))[0].known
    after = growth(
        known,
        generated(6000, birth=1_795_440_070),
        read_at=START + 2 * MINUTE,
        born_since=START,
    )
    assert after.figures["generated"] == masked[0]
