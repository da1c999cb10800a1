"""`simcluster.rules.scheduling`: where a pod goes, and why it goes nowhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcluster.rules import scheduling
from simcluster.rules.scheduling import Verdict

GPU = "nvidia.com/gpu"
TAINT = {"key": "maintenance", "value": "yes", "effect": "NoSchedule"}


def pod(gpus: int = 0, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": {GPU: str(gpus)}}}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container], **spec}}


def node(name: str = "n1", gpus: int = 4, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"zone": name}},
        "spec": spec,
        "status": {"allocatable": {GPU: str(gpus), "pods": "10"}},
    }


def place(wanted: dict[str, Any], *nodes: dict[str, Any], **occupants: Any) -> Verdict:
    return scheduling.place(wanted, nodes, occupants, blocked="")


def test_a_pod_goes_to_the_emptiest_node_it_fits_on() -> None:
    assert place(pod(1), node("n1"), node("n2"), n1=[pod(1)]).node == "n2"
    assert place(pod(4), node("n1"), node("n2", gpus=2), n1=[]).node == "n1"


@given(st.lists(st.integers(0, 3), max_size=8), st.integers(0, 5))
def test_a_node_is_never_overfull(standing: list[int], wanted: int) -> None:
    verdict = place(pod(wanted), node(gpus=6), n1=[pod(gpus) for gpus in standing])

    assert bool(verdict.node) == (wanted == 0 or sum(standing) + wanted <= 6)


@pytest.mark.parametrize(
    ("spec", "where", "reason"),
    [
        ({}, node(gpus=0), f"1 Insufficient {GPU}"),
        ({}, node(unschedulable=True), "1 node(s) were unschedulable"),
        ({}, node(taints=[TAINT]), "1 node(s) had untolerated taint {maintenance: yes}"),
        ({"nodeSelector": {"zone": "n2"}}, node(), "1 node(s) didn't match Pod's node affinity"),
    ],
)
def test_what_keeps_a_pod_off_a_node(
    spec: dict[str, Any], where: dict[str, Any], reason: str
) -> None:
    verdict = place(pod(1, **spec), where)

    assert verdict.node == ""
    assert verdict.message.startswith(f"0/1 nodes are available: {reason}")


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "maintenance", "operator": "Exists"},
        {"key": "maintenance", "value": "yes"},
        {"operator": "Exists"},
    ],
)
def test_a_taint_can_be_tolerated(toleration: dict[str, str]) -> None:
    assert place(pod(1, tolerations=[toleration]), node(taints=[TAINT])).node == "n1"


def test_without_nodes_there_is_nowhere_to_go() -> None:
    assert place(pod()).message == "no nodes available to schedule pods"


def test_affinity_chooses_among_nodes() -> None:
    expression = {"key": "zone", "operator": "NotIn", "values": ["n1"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}

    assert place(pod(1, affinity=affinity), node("n1"), node("n2")).node == "n2"
