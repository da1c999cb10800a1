"""`sessions.spec`: what follows from a session's desired state."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.core.modes import AllocationMode
from reservations import policy
from sessions import spec
from tests import make


@pytest.mark.parametrize(
    ("mode", "slots"), [(AllocationMode.INTERACTIVE, 1), (AllocationMode.INFERENCE, 0)]
)
def test_only_an_interactive_workspace_holds_a_slot(mode: AllocationMode, slots: int) -> None:
    assert make.spec(mode=mode).workspace_gpu_slots == slots


def test_the_usual_storage() -> None:
    usual = make.spec(storage_gib=600)

    assert (usual.home_gib, usual.model_cache_gib) == (20, 300)


@given(st.integers(policy.LEAST.storage_gib, 10_000))
def test_home_and_model_cache_fit_into_what_was_booked(storage_gib: int) -> None:
    booked = make.spec(storage_gib=storage_gib)

    assert booked.home_gib >= 1
    assert booked.model_cache_gib >= 1
    assert booked.home_gib + booked.model_cache_gib <= storage_gib


@given(st.uuids(version=4))
def test_a_namespace_has_a_name_kubernetes_accepts(public_id: uuid.UUID) -> None:
    name = spec.namespace_name(public_id)

    assert name.startswith("s-")
    assert len(name) <= 63
    assert name.replace("-", "").isalnum()
    assert name == name.lower()
