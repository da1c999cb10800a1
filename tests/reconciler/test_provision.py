"""`reconciler.provision`: the words people read while they wait."""

from typing import Any

import pytest

from reconciler.provision import is_available


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": status}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        ({"observedGeneration": 2, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2}, False),
    ],
)
def test_available_means_the_current_generation_has_a_ready_pod(
    status: dict[str, Any],
    expected: bool,
) -> None:
    assert is_available(deployment(**status)) is expected
