"""Which node a pod fits on, and if none, why not, in the scheduler's words."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from simcluster.objects import Object, labels_of, name_of, pods, quantities
from simcluster.objects.quantities import ZERO

BLOCKING_EFFECTS: Final = frozenset({"NoSchedule", "NoExecute"})
LABELS_DIFFER: Final = "node(s) didn't match Pod's node affinity/selector"
PREEMPTABLE: Final = "No preemption victims found for incoming pod"
NOT_PREEMPTABLE: Final = "Preemption is not helpful for scheduling"

# The pods that stand on a node, by its name.
Occupants: TypeAlias = Mapping[str, Sequence[Object]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The node a pod goes to, or why it cannot go anywhere."""

    node: str = ""
    message: str = ""


def place(pod: Object, nodes: Sequence[Object], occupants: Occupants, *, blocked: str) -> Verdict:
    """Return where the pod goes: of the nodes it fits on, the one with the fewest pods.

    ``blocked`` is a reason that holds on every node (a volume that is missing), or empty.
    """
    if not nodes:
        return Verdict(message="no nodes available to schedule pods")
    total = f"0/{len(nodes)} nodes are available"
    if blocked:
        return Verdict(message=f"{total}: {blocked}. {_preemption(len(nodes), NOT_PREEMPTABLE)}")
    reasons = {name_of(node): obstacles(pod, node, occupants) for node in nodes}
    fitting = [name for name, found in reasons.items() if not found]
    if fitting:
        return Verdict(node=min(fitting, key=lambda name: (len(occupants.get(name, ())), name)))
    counted = Counter(reason for found in reasons.values() for reason in found)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counted.items()))
    is_full = all(reason.startswith("Insufficient") for reason in counted)
    hint = PREEMPTABLE if is_full else NOT_PREEMPTABLE
    return Verdict(message=f"{total}: {listed}. {_preemption(len(nodes), hint)}")


def obstacles(pod: Object, node: Object, occupants: Occupants) -> list[str]:
    """Return what keeps a pod off a node; empty when it fits."""
    tests: list[Callable[[Object, Object], str]] = [_cordon, _taint, _labels]
    for test in tests:
        if found := test(pod, node):
            return [found]
    return _shortages(pod, node, occupants.get(name_of(node), ()))


def _preemption(nodes: int, hint: str) -> str:
    return f"preemption: 0/{nodes} nodes are available: {nodes} {hint}."


def _cordon(_: Object, node: Object) -> str:
    return "node(s) were unschedulable" if (node.get("spec") or {}).get("unschedulable") else ""


def _taint(pod: Object, node: Object) -> str:
    tolerations = pod["spec"].get("tolerations") or []
    for taint in (node.get("spec") or {}).get("taints") or []:
        if taint["effect"] not in BLOCKING_EFFECTS:
            continue
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") not in {None, "", taint["key"]}:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("value", "") == taint.get("value", ""))


def _labels(pod: Object, node: Object) -> str:
    carried = labels_of(node)
    wanted: dict[str, str] = pod["spec"].get("nodeSelector") or {}
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or []
    matches = not terms or any(_matches(term, node) for term in terms)
    return "" if wanted.items() <= carried.items() and matches else LABELS_DIFFER


def _matches(term: Object, node: Object) -> bool:
    by_label = all(
        _holds(labels_of(node).get(e["key"]), e) for e in term.get("matchExpressions") or []
    )
    return by_label and all(_holds(name_of(node), e) for e in term.get("matchFields") or [])


def _holds(value: str | None, expression: Object) -> bool:
    values = expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(values[0])
        case _:
            return value is not None and int(value) < int(values[0])


def _shortages(pod: Object, node: Object, standing: Sequence[Object]) -> list[str]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    if len(standing) >= int(allocatable.get("pods", 110)):
        return ["Too many pods"]
    taken: dict[str, Fraction] = {}
    for other in standing:
        for resource, amount in pods.asked(other, "requests").items():
            taken[resource] = taken.get(resource, Fraction(0)) + amount.amount
    return [
        f"Insufficient {resource}"
        for resource, amount in sorted(pods.asked(pod, "requests").items())
        if amount.amount > ZERO.amount
        and taken.get(resource, Fraction(0)) + amount.amount
        > quantities.parse(allocatable.get(resource, "0")).amount
    ]
