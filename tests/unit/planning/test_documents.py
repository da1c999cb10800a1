"""Scenario files: strict reading, hostile input, and that writing undoes reading."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.inventory import mig
from tests.unit.planning.refusals import message_of, problems_of
from tests.unit.planning.scenarios import asset, models, platform, prices, reference, scenario
from tokenomics import documents
from tokenomics.core import breakeven, gpus
from tokenomics.core.scenario import PriceList, Scenario

amounts = st.decimals(0, 10**12, places=6)
names = st.text(
    st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=["C", "Z"]),
    min_size=1,
    max_size=40,
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a scenario with odd names, numbers and parts."""
    data = reference(
        name=draw(names),
        utilisation=draw(st.decimals("0.000001", 1, places=6)),
        platform=platform(
            assets=[asset(name=draw(names), price=draw(amounts), residual=0)],
            electricity_price_per_kwh=draw(st.decimals(0, 1000, places=12)),
            pue=draw(st.decimals(1, 5, places=3)),
        ),
        models=models(demands=(draw(st.integers(0, 10**18)), 0, 0)),
    )
    if draw(st.booleans()):
        data["sizing"] = {"peak_factor": draw(st.decimals(1, 1000, places=2)), "buy_in": "server"}
    if draw(st.booleans()):
        data["prices"] = prices(source=draw(names))
    if draw(st.booleans()):
        data["routes"] = [{"name": draw(names), "model": "7B", "token_ratio": 1}]
    return documents.scenario_from(data)


@given(made=scenarios())
def test_what_is_written_reads_the_same(made: Scenario) -> None:
    assert documents.scenario_from(documents.yaml_of(made)) == made
    assert documents.scenario_from(documents.json_of(made)) == made


@pytest.mark.parametrize(
    "name", ["null", "true", "12", "1e3", "2026-11-23", "~", "a: b", "#1", "é"]
)
def test_text_that_looks_like_something_else_stays_text(name: str) -> None:
    made = replace(scenario(), name=name)

    assert documents.scenario_from(documents.yaml_of(made)).name == name


def test_the_packaged_files_can_be_read() -> None:
    example = documents.scenario_from(documents.example_text())
    packaged = documents.packaged_prices()

    assert breakeven.prices_for(example, packaged) == packaged
    assert packaged.read_on == date(2026, 11, 23)
    assert documents.prices_from(documents.yaml_of(packaged)) == packaged
    gpu_names = {each.gpu for each in packaged.rentals}
    assert gpu_names <= set(gpus.GPUS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x 1\nb: *x", "line 1: anchors, aliases and tags"),
        ("a: *x", "line 1: anchors"),
        ("a: !!python/object:os.system 1", "line 1: anchors"),
        ("a: 1\n---\nb: 2", "line 2: a second document"),
        ("a: 1\na: 2", "line 2: a stands here twice"),
        ("[a]: 1", "line 1: a field's name is plain text"),
        ("a: " + "[" * 9, "line 1: nested more than 8 deep"),
        ("a: " + "[" * 30_000, "nested more than 8 deep"),
        ("a: [1", "line 2: did not find expected"),
        ("a: \x00", "not"),
        ("a: \ud800", "not YAML"),
        ("x" * 65_537, "65,537 characters; at most 65,536 are read"),
        ("", "None is not a mapping"),
        ("- 1", "is not a mapping"),
        ("just words", "is not a mapping"),
    ],
)
def test_hostile_text_is_refused(text: str, words: str) -> None:
    assert words in message_of(text)


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in pairwise("abcdefgh"):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")

    assert problems_of("\n".join(lines)) == [("document", "unreadable")]


def test_numbers_are_exact_however_they_are_given() -> None:
    for given_ in (0.1, "0.1", Decimal("0.1"), "1e-1", "0.100_0".replace("_", "")):
        assert scenario(utilisation=given_).utilisation == Decimal("0.1")
    assert (
        scenario(models=models(demands=(10**18, 0, 0))).models[0].demand_tokens_per_year == 10**18
    )


def test_null_is_the_same_as_left_out() -> None:
    text = documents.yaml_of(scenario())

    assert documents.scenario_from(f"{text}sizing: null\nproject:\nagents: ~\n") == scenario()


def test_places_are_those_the_inventory_knows() -> None:
    known = {
        (profile.name, profile.memory_slices, profile.compute_slices): profile.starts
        for family in mig.FAMILIES
        for profile in family.profiles
    }
    checked = 0
    for gpu in gpus.GPUS.values():
        for profile in gpu.mig:
            starts = known.get((profile.name, profile.slots, profile.compute_slices))
            checked += starts is not None
            assert starts in {None, profile.starts}

    assert checked > 20


def test_a_price_list_is_not_a_scenario() -> None:
    packaged: PriceList = documents.packaged_prices()

    assert ("read_on", "unknown_field") in problems_of(documents.json_of(packaged))
