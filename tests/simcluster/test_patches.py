"""`simcluster.objects.patches`: three ways to say what changes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcluster.errors import ApiError
from simcluster.objects import patches

scalars = st.one_of(st.booleans(), st.integers(-9, 9), st.text("ab", max_size=2))
documents = st.recursive(
    st.dictionaries(st.sampled_from("abc"), scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(scalars, inner), max_size=3),
    max_leaves=8,
)


def with_containers(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


@given(documents, documents)
def test_a_merge_patch_can_be_repeated(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = patches.merged(target, patch)

    assert patches.merged(once, patch) == once


@given(documents, documents)
def test_a_merge_patch_leaves_its_target_alone(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy.deepcopy(target)

    patches.merged(target, patch)

    assert target == before


@given(documents)
def test_an_empty_patch_changes_nothing(target: dict[str, Any]) -> None:
    assert patches.merged(target, {}) == target
    assert patches.strategically_merged(target, {}) == target
    assert patches.json_patched(target, []) == target


def test_null_removes_and_lists_are_replaced() -> None:
    patched = patches.merged({"a": 1, "b": [1, 2], "c": {"d": 1}}, {"a": None, "b": [3], "c": {}})

    assert patched == {"b": [3], "c": {"d": 1}}


def test_a_strategic_patch_knows_items_by_their_key() -> None:
    target = with_containers({"name": "one", "image": "a"}, {"name": "two", "image": "b"})
    patch = with_containers({"name": "two", "image": "c"}, {"name": "three", "image": "d"})

    assert patches.strategically_merged(target, patch) == with_containers(
        {"name": "one", "image": "a"},
        {"name": "two", "image": "c"},
        {"name": "three", "image": "d"},
    )


@pytest.mark.parametrize(
    ("patch", "left"),
    [
        ([{"name": "one", "$patch": "delete"}], ["two"]),
        ([{"$patch": "replace"}, {"name": "three"}], ["three"]),
    ],
)
def test_a_strategic_patch_removes_and_replaces_items(patch: list[Any], left: list[str]) -> None:
    target = with_containers({"name": "one"}, {"name": "two"})

    patched = patches.strategically_merged(target, with_containers(*patch))

    assert [item["name"] for item in patched["spec"]["containers"]] == left


def test_a_strategic_patch_takes_values_out_of_a_set() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}

    patched = patches.strategically_merged(target, patch)

    assert patched["metadata"]["finalizers"] == ["b", "c"]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/b", "value": 2}, {"a": [1, 2], "b": 2}),
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2]}),
        ({"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"op": "replace", "path": "/a/1", "value": 9}, {"a": [1, 9]}),
        ({"op": "copy", "from": "/a", "path": "/b"}, {"a": [1, 2], "b": [1, 2]}),
        ({"op": "move", "from": "/a", "path": "/x~1y"}, {"x/y": [1, 2]}),
        ({"op": "test", "path": "/a/0", "value": 1}, {"a": [1, 2]}),
    ],
)
def test_json_patch(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert patches.json_patched({"a": [1, 2]}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "add", "path": "/a/7", "value": 1},
        {"op": "test", "path": "/a/0", "value": 2},
        {"op": "add", "path": "", "value": {}},
        {"op": "dance", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused_as_a_whole(operation: dict[str, Any]) -> None:
    target = {"a": [1, 2]}

    with pytest.raises(ApiError) as refused:
        patches.json_patched(target, [{"op": "add", "path": "/b", "value": 1}, operation])

    assert refused.value.code == 422
    assert target == {"a": [1, 2]}
