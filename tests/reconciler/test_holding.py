"""Whose is each GPU and each slice that an exporter shows."""

from decimal import Decimal
from typing import Any

import pytest

from reconciler import holding
from reservations.selectors import HeldDevice
from tests import make
from tests.reconciler.test_metering import GPUS
from tokenomics.core import telemetry
from tokenomics.core.telemetry import Board, Slice

SMALL = "nvidia.com/mig-1g.24gb"
RTX = "NVIDIA RTX PRO 6000 Blackwell Server Edition"


def held(reservation: int = 7, **changes: Any) -> HeldDevice:
    given: dict[str, Any] = {
        "reservation_id": reservation,
        "node": "n",
        "resource_name": make.GPU,
        "gpu_index": None,
        "uuid": None,
        "compute_share": Decimal(1),
    }
    return HeldDevice(**(given | changes))


def small(reservation: int = 7, **changes: Any) -> HeldDevice:
    return held(reservation, resource_name=SMALL, compute_share=Decimal("0.25"), **changes)


def whole(index: int = 0, *, active: float | None = 0.0, namespaces: tuple[str, ...] = ()) -> Board:
    part = Slice("", "", active, frozenset(namespaces))
    return Board(f"GPU-{index}", str(index), "n", RTX, None, None, (part,))


def cut(index: int, *slices: Slice) -> Board:
    return Board(f"GPU-{index}", str(index), "n", RTX, None, None, slices)


def part(
    instance: int,
    *namespaces: str,
    active: float | None = 0.0,
    profile: str = "1g.24gb",
    uuid: str = "",
) -> Slice:
    return Slice(str(instance), profile, active, frozenset(namespaces), uuid)


def owners(
    boards: list[Board], devices: list[HeldDevice], **by_namespace: int
) -> dict[str, int | None]:
    found = holding.holders_on(boards, devices, by_namespace)
    return {
        f"{uuid}/{instance}".rstrip("/"): holder.reservation_id
        for uuid, parts in found.items()
        for instance, holder in parts.items()
    }


@pytest.mark.parametrize("active", [0.0, 0.5, None])
def test_a_whole_gpu_is_known_by_uuid_or_place_whatever_is_in_it(active: float | None) -> None:
    board = whole(active=active, namespaces=("elsewhere",))

    assert owners([board], [held(uuid="GPU-0")], elsewhere=5) == {"GPU-0": 7}
    assert owners([board], [held(gpu_index=0)], elsewhere=5) == {"GPU-0": 7}
    assert owners([board], [held(gpu_index=1)], elsewhere=5) == {"GPU-0": 5}
    assert owners([board], [held(gpu_index=1)]) == {"GPU-0": None}


def test_a_gpu_that_nobody_located_goes_to_who_holds_one_more_than_was_found() -> None:
    boards = [whole(0, namespaces=("a",), active=0.9), whole(1), whole(2)]

    assert owners(boards, [held(1), held(1)], a=1) == {"GPU-0": 1, "GPU-1": 1, "GPU-2": None}
    assert owners(boards, [held(1), held(2)], a=1) == {"GPU-0": 1, "GPU-1": 2, "GPU-2": None}


def test_slices_go_to_whose_pods_are_in_them_with_their_weight() -> None:
    seed, _ = telemetry.boards((GPUS / "synthetic_seedbox_mig_and_timeslice_t0.prom").read_text())
    devices = [small(1, gpu_index=0), small(1, gpu_index=0), small(2, gpu_index=0)]

    found = holding.holders_on([seed], devices, {"sess-1001": 1, "sess-1002": 2})[seed.uuid]

    assert {key: each.reservation_id for key, each in found.items()} == {
        "3": 1,
        "4": 1,
        "5": 2,
        "6": None,  # held by nobody
    }
    assert {each.weight for each in found.values()} == {0.25}


def test_a_slice_at_rest_is_of_the_booking_that_holds_it_even_without_pods() -> None:
    board = cut(0, part(3, "a", active=0.7), part(4), part(5, "b"), part(6))

    assert owners([board], [small(1), small(1), small(2)], a=1, b=2) == {
        "GPU-0/3": 1,
        "GPU-0/4": 1,
        "GPU-0/5": 2,
        "GPU-0/6": None,
    }


def test_what_works_without_a_pod_is_only_of_who_alone_can_have_it() -> None:
    board = cut(0, part(3, active=0.7), part(4, active=0.2))

    assert owners([board], [small(1), small(1)]) == {"GPU-0/3": 1, "GPU-0/4": 1}
    assert owners([board], [small(1), small(2)]) == {"GPU-0/3": None, "GPU-0/4": None}
    assert owners([board], [small(1)]) == {"GPU-0/3": None, "GPU-0/4": None}


def test_where_devices_are_claimed_the_slices_uuid_decides() -> None:
    board = cut(0, part(3, active=0.7, uuid="MIG-b"), part(4, "a", active=0.2, uuid="MIG-a"))
    devices = [small(1, uuid="MIG-a"), small(2, uuid="MIG-b")]

    assert owners([board], devices, a=2) == {"GPU-0/3": 2, "GPU-0/4": 1}


def test_a_slice_stays_on_the_gpu_on_which_it_was_booked() -> None:
    boards = [cut(0, part(3), part(4)), cut(1, part(3), part(4))]

    assert owners(boards, [small(1, gpu_index=1), small(2, gpu_index=0)]) == {
        "GPU-0/3": 2,
        "GPU-0/4": None,
        "GPU-1/3": 1,
        "GPU-1/4": None,
    }


def test_another_profile_is_another_device() -> None:
    board = cut(0, part(3, profile="2g.48gb"), part(4))

    assert owners([board], [small(1)]) == {"GPU-0/3": None, "GPU-0/4": 1}
    assert owners([board], [held(1)]) == {"GPU-0/3": None, "GPU-0/4": None}


def test_a_slice_with_pods_of_two_or_of_strangers_is_of_nobody() -> None:
    board = cut(0, part(3, "a", "b"), part(4, "stranger"))

    assert owners([board], [small(1), small(2)], a=1, b=2) == {"GPU-0/3": None, "GPU-0/4": None}


def test_what_nobody_holds_weighs_what_its_profile_does() -> None:
    board = cut(0, part(3), part(4, profile="2g.48gb"))

    found = holding.holders_on([board], [], {})["GPU-0"]

    assert {key: each.weight for key, each in found.items()} == {"3": 0.25, "4": 0.5}
