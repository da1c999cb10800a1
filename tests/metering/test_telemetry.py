"""What GPUs tell: each board once, blanks dropped, energy in mJ, slices by their own activity."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.core import telemetry
from tokenomics.core.exposition import BadExposition

FIXTURES = Path(__file__).parent / "fixtures" / "dcgm"
T0 = "synthetic_seedbox_mig_and_timeslice_t0.prom"
T1 = "synthetic_seedbox_mig_and_timeslice_t1.prom"


def boards(name: str) -> list[telemetry.Board]:
    return telemetry.boards((FIXTURES / name).read_text())


def test_the_energy_of_an_hour_is_the_true_one_not_the_sum_of_the_series() -> None:
    expected = json.loads((FIXTURES / "expected.json").read_text())

    kwh = {}
    for before, after in zip(boards(T0), boards(T1), strict=True):
        grown = telemetry.energy_grown(before.energy_mj, after.energy_mj, seconds=3600)
        assert grown is not None
        kwh[f"GPU{after.index}"] = Decimal(grown) / telemetry.MJ_PER_KWH

    assert kwh == {key: Decimal(value) for key, value in expected["true_kwh"].items()}


def test_slices_by_their_own_activity_and_holder() -> None:
    cut, whole = boards(T0)

    assert cut.node == "sno-1"
    assert [(s.instance, s.profile, s.active) for s in cut.slices] == [
        ("3", "1g.24gb", 0.712),
        ("4", "1g.24gb", 0.6553),
        ("5", "1g.24gb", 0.4012),
        ("6", "1g.24gb", 0.0),
    ]
    assert cut.slices[0].namespaces == {"sess-1001"}
    assert cut.slices[3].namespaces == frozenset()
    (only,) = whole.slices
    assert (only.instance, only.active) == ("", 0.8311)
    assert only.namespaces == {"sess-1003"}
    assert whole.power_w == 455.5


def test_a_real_capture_without_types_and_with_old_labels() -> None:
    (board,) = boards("nvidia_docs_a100_mig_capture.prom")

    assert (board.node, board.energy_mj) == ("ub20-a100-k8s", 319159391)
    assert [(s.instance, s.active) for s in board.slices] == [("13", 0.995687)]


@pytest.mark.parametrize("blank", ["9223372036854775794", "9.223372036854776e+18", "NaN", "-1"])
def test_blanks_are_unknown(blank: str) -> None:
    text = "".join(
        f'{name}{{gpu="0",UUID="GPU-1"}} {blank}\n'
        for name in (telemetry.POWER, telemetry.ENERGY, telemetry.ACTIVE)
    )

    assert telemetry.boards(text) == []
    (board,) = telemetry.boards(text + f'{telemetry.UTILISATION}{{gpu="0",uuid="GPU-1"}} 40\n')
    assert (board.energy_mj, board.power_w, board.slices[0].active) == (None, None, 0.4)


def test_the_older_blank_of_floats_is_unknown() -> None:
    text = f'{telemetry.ACTIVE}{{UUID="GPU-1"}} 0.5\n{telemetry.POWER}{{UUID="GPU-1"}} 1.4e14\n'

    assert telemetry.boards(text)[0].power_w is None


def test_the_operators_scrape_names_the_exporter_as_the_pod() -> None:
    text = (
        f'{telemetry.ACTIVE}{{UUID="GPU-1",namespace="gpu-operator",pod="dcgm",'
        'exported_namespace="s-1",exported_pod="workspace"} 2\n'
    )

    (board,) = telemetry.boards(text)
    assert board.slices[0].namespaces == {"s-1"}
    assert board.slices[0].active == 1.0


def test_what_is_no_telemetry_is_refused() -> None:
    with pytest.raises(BadExposition, match="no metrics of DCGM"):
        telemetry.boards("up 1\n")


@pytest.mark.parametrize(
    ("before", "now", "grown"),
    [
        (100, 160, 60),
        (100, 30, 30),  # the driver was loaded again
        (None, 5, None),
        (5, None, None),
        (0, 10**9, None),  # 16 kW: a fault
    ],
)
def test_energy_between_two_readings(
    before: int | None, now: int | None, grown: int | None
) -> None:
    assert telemetry.energy_grown(before, now, seconds=60) == grown
    assert telemetry.energy_grown(before, now, seconds=0) is None


def test_a_board_is_shared_by_work_and_by_size_as_long_as_nothing_works() -> None:
    cut, _ = boards(T0)
    weights = dict.fromkeys(("3", "4", "5", "6"), 0.25)

    by_work = telemetry.shares(cut, weights)
    assert by_work["6"] == 0.0
    assert by_work["3"] > by_work["4"] > by_work["5"] > 0

    idle = telemetry.Board(
        "u",
        "0",
        "n",
        "",
        0,
        0.0,
        tuple(telemetry.Slice(s.instance, s.profile, 0.0, s.namespaces) for s in cut.slices),
    )
    assert set(telemetry.shares(idle, weights).values()) == {0.25}


@given(
    st.integers(0, 10**12),
    st.dictionaries(st.text(max_size=3), st.floats(0.01, 1), min_size=1, max_size=8),
)
def test_parts_of_energy_are_the_energy(energy_mj: int, weights: dict[str, float]) -> None:
    whole = sum(weights.values())
    parts = telemetry.split(energy_mj, {key: part / whole for key, part in weights.items()})

    assert sum(parts.values()) == energy_mj
    assert min(parts.values()) >= 0
