"""When what a node shows counts."""

import pytest

from gpuaas.inventory import trust
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.trust import Expected
from tests.make import GPU, SLICE

PAIR = "nvidia.com/mig-2g.48gb"
TOLD = {GPU: Expected(1, 1, 4), SLICE: Expected(4, 4, 1)}


def report(
    *, gpus: int = 4, slices: int = 4, state: str = "success", pairs: int | None = None
) -> NodeReport:
    slots = {GPU: gpus, SLICE: slices} | ({} if pairs is None else {PAIR: pairs})
    return NodeReport("n", {GPU: 1, SLICE: 4}, is_ready=True, slots=slots, mig_state=state)


@pytest.mark.parametrize("state", ["pending", "rebooting", "failed", "odd"])
def test_a_node_is_not_relied_on_until_it_is_partitioned(state: str) -> None:
    seen = report(state=state)

    assert not trust.is_settled(seen)
    assert trust.doubt(seen, None)
    assert trust.doubt(seen, TOLD)


@pytest.mark.parametrize("state", ["success", ""])
def test_a_settled_node_that_shows_what_it_was_told_is_relied_on(state: str) -> None:
    assert trust.doubt(report(state=state), TOLD) == ""
    assert trust.is_settled(report(state=state))


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (report(slices=8), f"it offers 8 of {SLICE}, and 4 were expected"),
        (report(gpus=0), f"it offers 0 of {GPU}, and 4 were expected"),
        (report(pairs=1), f"it offers 1 of {PAIR}, and 0 were expected"),
    ],
)
def test_numbers_that_it_was_not_told_are_doubted_only_where_it_was_told(
    seen: NodeReport, why: str
) -> None:
    assert trust.doubt(seen, TOLD).startswith(why)
    assert trust.doubt(seen, None) == ""


@pytest.mark.parametrize(("slots", "is_doubted"), [(4, True), (8, False), (12, False), (6, True)])
def test_a_device_out_of_service_may_be_shown_or_not(slots: int, is_doubted: bool) -> None:
    told = {GPU: Expected(in_service=2, total=3, replicas=4)}
    seen = NodeReport("n", {}, is_ready=True, slots={GPU: slots})

    assert bool(trust.doubt(seen, told)) is is_doubted


def test_a_node_that_is_not_ready_is_left_to_healing() -> None:
    assert trust.doubt(NodeReport("n", {}, is_ready=False), TOLD) == ""


def test_what_differs_is_said_of_each_type() -> None:
    assert trust.differences({GPU: 1, SLICE: 4}, {GPU: 1, SLICE: 4}) == ""
    assert trust.differences({SLICE: 3}, {GPU: 1, SLICE: 4}) == (
        f"it shows 0 of {GPU}, the inventory has 1; it shows 3 of {SLICE}, the inventory has 4"
    )
