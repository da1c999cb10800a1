"""What a booked device is promised to be."""

import pytest

from gpuaas.inventory import promise
from gpuaas.inventory.promise import Guarantee, Promise


@pytest.mark.parametrize(
    ("replicas", "is_shared", "expected"),
    [
        ([1], False, Promise(Guarantee.EXCLUSIVE, 1, is_pinned=True)),
        ([4], False, Promise(Guarantee.TIME_SHARED, 4, is_pinned=True)),
        ([2, 2, 2, 2], False, Promise(Guarantee.EXCLUSIVE, 1, is_pinned=False)),
        ([2, 2, 2, 2], True, Promise(Guarantee.SHARED, 2, is_pinned=False)),
        ([4], True, Promise(Guarantee.TIME_SHARED, 4, is_pinned=True)),
        ([1, 1], True, Promise(Guarantee.EXCLUSIVE, 1, is_pinned=False)),
        ([2, 4], True, Promise(Guarantee.SHARED, 2, is_pinned=False)),
    ],
)
def test_the_device_plugin_promises_what_it_can_keep(
    replicas: list[int], *, is_shared: bool, expected: Promise
) -> None:
    assert promise.of(replicas, is_shared=is_shared, is_claimed=False) == expected


@pytest.mark.parametrize("replicas", [[1], [4], [2, 2, 2, 2]])
@pytest.mark.parametrize("is_shared", [False, True])
def test_a_claimed_device_is_the_sessions_own(replicas: list[int], *, is_shared: bool) -> None:
    found = promise.of(replicas, is_shared=is_shared, is_claimed=True)

    assert found == Promise(Guarantee.TIME_SHARED, None, is_pinned=True)


def test_a_type_that_is_gone_has_one_slot() -> None:
    assert promise.slots([], is_shared=True) == 1


def test_what_holds_on_every_node_is_the_weakest() -> None:
    alone = promise.of([4], is_shared=False, is_claimed=False)
    several = promise.of([2, 2], is_shared=False, is_claimed=False)
    shared = promise.of([2, 2], is_shared=True, is_claimed=False)
    claimed = promise.of([1], is_shared=False, is_claimed=True)

    assert promise.weakest([alone, several]) == Promise(Guarantee.TIME_SHARED, 1, is_pinned=False)
    assert promise.weakest([alone, shared]) == Promise(Guarantee.SHARED, 2, is_pinned=False)
    assert promise.weakest([claimed, claimed]) == claimed
