"""Whether what a node shows can be relied on; else why not, for people.  Pure.

While a node's GPUs are partitioned anew it shows the old devices, none, or some: no number of it
means anything.  Where the product tells the GPU Operator how to cut and multiply, what the node
shows has to be what it was told, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gpuaas.inventory.labels import Labelled, NodeReport

SUCCESS: Final = "success"
FAILED: Final = "failed"
_WHY: Final = {
    "pending": "its GPUs are being partitioned anew",
    "rebooting": "it restarts so that its GPUs can be partitioned anew",
    FAILED: "partitioning its GPUs failed",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the inventory has of one type on a node, and how often the plugin hands each out."""

    in_service: int
    total: int
    replicas: int

    @property
    def slots(self) -> frozenset[int]:
        """What the node may show: a broken device is shown until the plugin notices, or not."""
        return frozenset(n * self.replicas for n in range(self.in_service, self.total + 1))


@dataclass(frozen=True, slots=True)
class Known:
    """What the inventory has of one type on a node, as it is cut now; broken ones are in total."""

    in_service: int
    total: int
    product: str
    memory_mib: int


# What a file says is nominal, and drivers report a little less.
_MEMORY_MAY_DIFFER_BY: Final = 0.05


def label_differences(labelled: Mapping[str, Labelled], known: Mapping[str, Known]) -> str:
    """Return, for people, where a node's labels and the inventory disagree; empty: nowhere.

    A node without labels disagrees with nothing.
    """
    if not labelled:
        return ""
    found = []
    for name in sorted(labelled.keys() | known.keys()):
        shown, has = labelled.get(name), known.get(name)
        if shown is None or has is None:
            count, total = shown.count if shown else 0, has.total if has else 0
            found += (
                [f"its labels say {count} of {name}, the inventory {total}"]
                if count != total
                else []
            )
            continue
        if not has.in_service <= shown.count <= has.total:
            found.append(f"its labels say {shown.count} of {name}, the inventory {has.total}")
        if _base(shown.product) != _base(has.product):
            found.append(
                f"its labels say that {name} is {shown.product}, the inventory {has.product}"
            )
        if abs(shown.memory_mib - has.memory_mib) > _MEMORY_MAY_DIFFER_BY * has.memory_mib:
            found.append(
                f"its labels say {shown.memory_mib} MiB for {name}, the inventory {has.memory_mib}"
            )
    return "; ".join(found)


def _base(product: str) -> str:
    return product.partition("-MIG-")[0]


def is_settled(report: NodeReport) -> bool:
    """Return whether the node's numbers mean anything: it is not being partitioned right now.

    A node without the label has no MIG manager, and nothing to wait for.
    """
    return report.mig_state in ("", SUCCESS)


def differences(shown: Mapping[str, int], in_service: Mapping[str, int]) -> str:
    """Return, for people, which types a node shows another number of than are in service."""
    return "; ".join(
        f"it shows {shown.get(name, 0)} of {name}, the inventory has {in_service.get(name, 0)}"
        for name in sorted(shown.keys() | in_service.keys())
        if shown.get(name, 0) != in_service.get(name, 0)
    )


def doubt(report: NodeReport, expected: Mapping[str, Expected] | None) -> str:
    """Return why nothing should start on the node, empty when it can.

    ``expected`` is by type; None where the product does not tell the operator anything.
    """
    if not is_settled(report):
        return _WHY.get(report.mig_state, f"the state of its GPUs is {report.mig_state!r}")
    if expected is None or not report.is_ready:
        return ""
    for name in sorted(expected.keys() | report.slots.keys()):
        shown, wanted = report.slots.get(name, 0), expected.get(name, Expected(0, 0, 1)).slots
        if shown not in wanted:
            least = " or ".join(str(number) for number in sorted(wanted))
            return f"it offers {shown} of {name}, and {least} were expected"
    return ""
