"""`simcluster.objects.selectors`: which objects are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcluster.errors import ApiError
from simcluster.objects import kinds, selectors

CARRIED = {"app": "web", "tier": "front", "example.test/managed": "true"}
keys = st.sampled_from(["a", "b", "c"])
carried_labels = st.dictionaries(keys, st.sampled_from(["1", "2"]))


@pytest.mark.parametrize(
    ("selector", "is_meant"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("example.test/managed=true", True),
        ("app in (web, api)", True),
        ("app notin (web,api)", False),
        ("missing notin (web)", True),
        ("app in (web),tier=front", True),
        ("app=web,tier=back", False),
        ("app=web, !missing", True),
    ],
)
def test_label_selectors(selector: str, *, is_meant: bool) -> None:
    assert selectors.labels(selector)(CARRIED) == is_meant


@pytest.mark.parametrize("selector", ["a b", "app in web", "=x", "a=b=c"])
def test_what_is_no_selector_is_a_bad_request(selector: str) -> None:
    with pytest.raises(ApiError) as refused:
        selectors.labels(selector)

    assert refused.value.code == 400


@given(carried_labels, keys, st.sampled_from(["1", "2"]))
def test_a_requirement_and_its_opposite_divide_all_objects(
    carried: dict[str, str], key: str, value: str
) -> None:
    for one, other in [
        (f"{key}={value}", f"{key}!={value}"),
        (f"{key} in ({value})", f"{key} notin ({value})"),
        (key, f"!{key}"),
    ]:
        assert selectors.labels(one)(carried) != selectors.labels(other)(carried)


@given(carried_labels, carried_labels)
def test_a_selector_object_means_what_its_text_means(
    carried: dict[str, str], wanted: dict[str, str]
) -> None:
    text = ",".join(f"{key}={value}" for key, value in wanted.items())

    by_object = selectors.from_object({"matchLabels": wanted})
    assert by_object(carried) == selectors.labels(text)(carried)


def test_no_selector_object_selects_nothing_and_an_empty_one_everything() -> None:
    assert not selectors.from_object(None)(CARRIED)
    assert selectors.from_object({})(CARRIED)


@pytest.mark.parametrize(
    ("selector", "is_meant"),
    [
        ("spec.nodeName=n1", True),
        ("spec.nodeName!=n1", False),
        ("status.phase=Running,metadata.name=p", True),
        ("spec.serviceAccountName=", True),
    ],
)
def test_field_selectors(selector: str, *, is_meant: bool) -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running"},
    }

    assert selectors.fields(selector, kinds.POD)(pod) == is_meant


def test_a_field_that_is_not_indexed_is_a_bad_request() -> None:
    with pytest.raises(ApiError, match="field label not supported"):
        selectors.fields("spec.containers=x", kinds.POD)
