"""`reconciler.world`: what is drift, and that nothing else is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.world import drifted

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(json_values)
def test_nothing_drifts_from_itself(value: Any) -> None:
    assert not drifted(value, value)


@pytest.mark.parametrize(
    ("desired", "observed", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="the server added a field"),
        pytest.param({"a": 1}, {}, True, id="a field is gone"),
        pytest.param({"a": 1}, {"a": 2}, True, id="a field was changed"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 0}}, False, id="deep addition"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, True, id="deep change"),
        pytest.param({"a": {}}, {}, False, id="an empty map that the server leaves out"),
        pytest.param({"a": []}, {}, False, id="an empty list that the server leaves out"),
        pytest.param([{"n": 1}], [{"n": 1, "d": 0}], False, id="defaults in a list's entry"),
        pytest.param([1], [1, 2], True, id="an entry more"),
        pytest.param([1, 2], [1], True, id="an entry less"),
        pytest.param([1, 2], [2, 1], True, id="another order"),
        pytest.param({"a": 1}, None, True, id="another kind of value"),
        pytest.param([1], {"a": 1}, True, id="a map for a list"),
    ],
)
def test_what_is_drift(desired: Any, observed: Any, expected: bool) -> None:
    assert drifted(desired, observed) is expected
