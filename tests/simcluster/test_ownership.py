"""Server-side apply in the small: paths, owners, and what an apply removes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcluster.objects import apply, managers, ownership
from simcluster.objects.managers import APPLY, UPDATE, Manager

US = Manager("us", APPLY, "v1")
THEM = Manager("them", UPDATE, "v1")
NOW = "2026-03-01T12:00:00Z"

containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")}, optional={"image": st.sampled_from("xyz")}
    ),
    max_size=3,
    unique_by=lambda container: container["name"],
)
bodies = st.fixed_dictionaries(
    {"metadata": st.just({})},
    optional={
        "data": st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3),
        "spec": st.fixed_dictionaries({"containers": containers}),
    },
)


def paths_of(body: dict[str, Any]) -> ownership.Paths:
    return frozenset(ownership.flattened(body))


def applied(live: dict[str, Any], shares: list[managers.Share], body: dict[str, Any]) -> Any:
    paths = paths_of(body)
    result = apply.result(live, body, dropped=apply.dropped(shares, US, paths))
    return result, managers.after_apply(shares, US, paths, paths, NOW)


@given(bodies)
def test_paths_survive_being_written_down(body: dict[str, Any]) -> None:
    paths = paths_of(body)

    assert ownership.decode(ownership.encode(paths)) == paths


@given(bodies, bodies)
def test_what_one_alone_applies_is_what_there_is(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    live, shares = applied({"metadata": {}}, [], first)
    live, shares = applied(live, shares, second)

    assert _sorted(_without_empty(live)) == _sorted(_without_empty(second))


@given(bodies, bodies)
def test_applying_again_changes_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    live, shares = applied(first, [], second)

    assert applied(live, shares, second) == (live, shares)


@given(bodies, bodies)
def test_what_others_own_stays(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    paths = paths_of(theirs)
    shares = managers.after_update([], THEM, paths, frozenset(), NOW)
    live, shares = applied(theirs, shares, ours)
    live, _ = applied(live, shares, {"metadata": {}})

    kept = ownership.flattened(live)
    values = ownership.flattened(theirs)
    assert all(path in kept for path in paths - paths_of(ours) if values[path] not in ({}, []))


def test_a_field_in_an_item_keeps_the_item() -> None:
    ours = {"metadata": {}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    live, shares = applied({"metadata": {}}, [], ours)
    theirs = {"spec": {"containers": [{"name": "a", "image": "x", "tty": True}]}}
    changed, removed = ownership.differences(live, {**live, **theirs})
    shares = managers.after_update(shares, THEM, changed, removed, NOW)

    live, _ = applied({**live, **theirs}, shares, {"metadata": {}})

    assert live["spec"]["containers"] == [{"name": "a", "tty": True}]


def test_paths_are_written_as_kubernetes_writes_them() -> None:
    body = {
        "metadata": {"labels": {"app": "web"}, "finalizers": ["example.test/held"]},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "containers": [
                {"name": "c", "image": "x", "ports": [{"containerPort": 80}], "args": ["a"]}
            ],
        },
    }

    assert ownership.encode(paths_of(body)) == {
        "f:metadata": {
            "f:labels": {"f:app": {}},
            "f:finalizers": {'v:"example.test/held"': {}},
        },
        "f:spec": {
            "f:selector": {},
            "f:containers": {
                'k:{"name":"c"}': {
                    ".": {},
                    "f:name": {},
                    "f:image": {},
                    "f:args": {},
                    "f:ports": {
                        'k:{"containerPort":80,"protocol":"TCP"}': {
                            ".": {},
                            "f:containerPort": {},
                        }
                    },
                }
            },
        },
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("f:data", "f:a"), ".data.a"),
        (
            ("f:spec", "f:containers", 'k:{"name":"c"}', "f:image"),
            '.spec.containers[name="c"].image',
        ),
    ],
)
def test_paths_are_told_to_people(path: ownership.Path, words: str) -> None:
    assert ownership.describe(path) == words


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ({}, [])}
    return value


def _sorted(body: Any) -> Any:
    """Return the body with containers by name: an apply keeps the order that is there."""
    if "spec" not in body:
        return body
    by_name = sorted(body["spec"]["containers"], key=lambda container: container["name"])
    return {**body, "spec": {"containers": by_name}}
