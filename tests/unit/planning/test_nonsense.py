"""Scenarios that are none: every field says what it was given and what would be valid."""

from typing import Any

import pytest

from tests.unit.planning.refusals import message_of, problems_of
from tests.unit.planning.scenarios import asset, models, platform, prices, reference

AGENTS = {
    "agents": 1,
    "rounds": 1,
    "system_tokens": 0,
    "output_tokens": 1,
    "runs_per_month": 1,
    "price": "x",
    "model": "7B",
}
MONTH = {"month": "2026-10", "hours": 744, "gpu_kwh": 1, "active_ratio": 1}
BUSY = {"model": "7B", "tokens": 1, "busy_replica_seconds": 1}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"utilisation": 0}, "utilisation", "out_of_range"),
        ({"utilisation": "1.01"}, "utilisation", "out_of_range"),
        ({"utilisation": float("nan")}, "utilisation", "not_a_number"),
        ({"utilisation": "Infinity"}, "utilisation", "not_a_number"),
        ({"utilisation": "\u0660.\u0665"}, "utilisation", "not_a_number"),
        ({"utilisation": " 0.5"}, "utilisation", "not_a_number"),
        ({"utilisation": "0x1"}, "utilisation", "not_a_number"),
        ({"utilisation": True}, "utilisation", "not_a_number"),
        ({"utilisation": [1]}, "utilisation", "not_a_number"),
        ({"utilisation": "9" * 5_000}, "utilisation", "not_a_number"),
        ({"utilisation": "1e99"}, "utilisation", "out_of_range"),
        ({"utilisation": "1e-30"}, "utilisation", "too_precise"),
        ({"version": 2}, "version", "out_of_range"),
        ({"version": "1.5"}, "version", "not_whole"),
        ({"name": ""}, "name", "not_a_text"),
        ({"name": "a\nb"}, "name", "not_a_text"),
        ({"name": "x" * 121}, "name", "not_a_text"),
        ({"name": 12}, "name", "not_a_text"),
        ({"currency": "usd"}, "currency", "not_a_text"),
        ({"models": []}, "models", "not_a_list"),
        ({"models": models() * 30}, "models", "not_a_list"),
        ({"models": "7B"}, "models", "not_a_list"),
        ({"models": ["7B"]}, "models[0]", "not_a_mapping"),
        ({"models": [*models(), models()[0]]}, "models[3].name", "repeated"),
        ({"models": [{**models()[0], "slice": "3g.40gb"}]}, "models[0].slice", "unknown_profile"),
        (
            {"models": [{**models()[0], "tokens_per_second": 0}]},
            "models[0].tokens_per_second",
            "out_of_range",
        ),
        ({"models": [{**models()[0], "replicas": 0}]}, "models", "no_capacity"),
        ({"models": [{**models()[2], "replicas": 3}]}, "models", "does_not_fit"),
        ({"models": [{**models()[2], "replicas": 9_999}]}, "models", "does_not_fit"),
        ({"platform": platform(gpu="gtx")}, "platform.gpu", "unknown_gpu"),
        ({"platform": platform(gpus=3)}, "platform.gpus", "out_of_range"),
        ({"platform": platform(gpu_idle_watts=601)}, "platform.gpu_idle_watts", "out_of_range"),
        ({"platform": platform(pue="0.9")}, "platform.pue", "out_of_range"),
        ({"platform": platform(assets=[asset(), asset()])}, "platform.assets[1].name", "repeated"),
        ({"token_mix": {"input_ratio": 1}}, "token_mix.output_ratio", "not_one"),
        ({"routes": [{"name": "a", "model": "7B", "token_ratio": "0.9"}]}, "routes", "not_one"),
        (
            {"routes": [{"name": "a", "model": "8B", "token_ratio": 1}]},
            "routes[0].model",
            "unknown_model",
        ),
        ({"agents": {**AGENTS, "model": "8B"}}, "agents.model", "unknown_model"),
        ({"agents": {**AGENTS, "agents": 201}}, "agents.agents", "out_of_range"),
        ({"prices": prices(currency="EUR")}, "prices.currency", "mixed_currencies"),
        ({"prices": prices(read_on="2026-02-30")}, "prices.read_on", "not_a_date"),
        ({"prices": prices(read_on="yesterday")}, "prices.read_on", "not_a_date"),
        ({"prices": prices(rentals=prices()["rentals"] * 2)}, "prices.rentals[2].id", "repeated"),
        ({"measured": {**MONTH, "month": "2026-13"}}, "measured.month", "not_a_text"),
        (
            {"measured": {**MONTH, "models": [{**BUSY, "model": "8B"}]}},
            "measured.models[0].model",
            "unknown_model",
        ),
        ({"uptime": 1}, "uptime", "unknown_field"),
        ({"x" * 5_000: 1}, "x" * 39 + "…", "unknown_field"),
    ],
)
def test_nonsense_is_refused_with_its_path(changes: dict[str, Any], field: str, code: str) -> None:
    found = problems_of(reference(**changes))

    assert (field, code) in found
    assert len(message_of(reference(**changes))) < 2_000


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"residual": 60_001}, "residual", "out_of_range"),
        ({"life_years": 0}, "life_years", "out_of_range"),
        ({"price": -1}, "price", "out_of_range"),
        ({"per": "rack"}, "per", "unknown_choice"),
        ({"interest_ratio_per_year": "0.1"}, "interest_ratio_per_year", "not_used"),
    ],
)
def test_nonsense_about_an_asset(changes: dict[str, Any], field: str, code: str) -> None:
    found = problems_of(reference(platform=platform(assets=[asset(**changes)])))

    assert (f"platform.assets[0].{field}", code) in found


def test_every_problem_is_named_at_once() -> None:
    found = problems_of({"utilisation": 2, "platform": {"pue": 9}, "models": [{}]})

    fields = [field for field, _ in found]
    assert {"version", "name", "currency", "utilisation", "platform.gpu", "platform.pue"} <= set(
        fields
    )
    assert "models[0].tokens_per_second" in fields


def test_a_flood_of_problems_is_cut() -> None:
    assert len(problems_of({f"field{number}": 1 for number in range(5_000)})) == 100


def test_a_refusal_says_what_would_be_valid() -> None:
    assert message_of(reference(utilisation=2)) == ("utilisation: 2 is not a number above 0 to 1")
    assert "none of: whole, 1g.24gb, 2g.48gb, 4g.96gb" in message_of(
        reference(models=[{**models()[0], "slice": "huge"}])
    )
    assert "1 servers with 2 GPUs hold 2" in message_of(reference(platform=platform(gpus=3)))
