"""`reconciler.terminating`: what keeps a namespace from going, and what to do about it."""

from typing import Any

import pytest

from reconciler import terminating


def going(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    found = [{"type": k, "status": status, "message": said} for k, status, said in conditions]
    return {"metadata": {"name": "s-stuck"}, "status": {"conditions": found}}


@pytest.mark.parametrize("rung", range(len(terminating.LADDER)))
def test_what_has_to_be_cleared_first_says_what_to_do(rung: int) -> None:
    """All rungs from here on are in the way, told from below; those above are well."""
    conditions = [
        (kind, "True" if number >= rung else "False", f"because of {number}")
        for number, (kind, _) in enumerate(terminating.LADDER)
    ]

    said = terminating.why(going(*reversed(conditions)))

    kind, advice = terminating.LADDER[rung]
    assert f"{kind}: because of {rung}" in said
    assert said.endswith(f" -- {advice}")
    assert all(f"because of {number}" not in said for number in range(rung))


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], "no reason given"),
        ([("NamespaceContentRemaining", "False", "all gone")], "no reason given"),
        ([("SomethingNew", "True", "unheard of")], "SomethingNew: unheard of"),
    ],
)
def test_a_reason_that_nobody_knows_is_told_as_it_is(
    conditions: list[tuple[str, str, str]], said: str
) -> None:
    assert terminating.why(going(*conditions)) == said


def left(kind: str, *finalizers: str, name: str = "pinned", **spec: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "s-stuck", "deletionTimestamp": "2026-03-01T12:00:00Z"}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": metadata | ({"finalizers": list(finalizers)} if finalizers else {}),
        "spec": spec,
    }


def test_what_is_left_is_told_with_what_it_waits_for() -> None:
    held = [
        left("ConfigMap", "example.com/pinned", "example.com/holy"),
        left("Pod", name="at-work", nodeName="gpu-node-1"),
        left("Pod", name="nowhere"),
    ]

    assert terminating.why(going(), held) == (
        "no reason given (ConfigMap s-stuck/pinned waits for example.com/pinned and"
        " example.com/holy, Pod s-stuck/at-work waits for node gpu-node-1,"
        " Pod s-stuck/nowhere waits for node none)"
    )


def test_a_crowd_is_not_told_one_by_one() -> None:
    held = [left("ConfigMap", "example.com/pinned")] * (terminating.NAMED_AT_MOST + 3)

    assert terminating.why(going(), held).endswith(", and 3 more)")


@pytest.mark.parametrize(
    ("finalizer", "goes"),
    [
        ("example.com/pinned", True),
        ("kubernetes.io/pvc-protection", False),
        ("resource.kubernetes.io/delete-protection", False),
        ("external-attacher.k8s.io/driver", False),
        ("orphan", False),
        ("notkubernetes.io/mine", True),
    ],
)
def test_what_kubernetes_itself_protects_is_never_released(finalizer: str, goes: bool) -> None:
    found = list(terminating.releases([left("ConfigMap", finalizer)], {finalizer}))

    assert [each.fields for each in found] == ([{"metadata": {"finalizers": []}}] if goes else [])
