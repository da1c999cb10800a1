"""What dcgm-exporter shows of the GPUs of a node: each board once, each slice of it once.  Pure.

A board's figures are printed once for each pod or slice on it.  They are the same figures: by UUID
and field the largest counts, and nothing is ever summed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tokenomics.core.exposition import BadExposition, Exposition, Sample, read

POWER: Final = "DCGM_FI_DEV_POWER_USAGE"
ENERGY: Final = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
ACTIVE: Final = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
UTILISATION: Final = "DCGM_FI_DEV_GPU_UTIL"
MJ_PER_KWH: Final = 3_600_000_000
MOST_WATTS: Final = 5_000
"""No board draws more: an energy counter that says so is not believed."""

# DCGM prints "blank" as one of the last numbers of 64 bits, older versions as about 1.4e14.
_BLANK: Final = 1.3e14
_BLANK_ENERGY: Final = 2.0**62
_UUID: Final = ("UUID", "uuid")
_MIG_UUID: Final = ("dra_mig_device_uuid",)  # where devices are claimed
_NAMESPACE: Final = ("exported_namespace", "namespace", "pod_namespace")
_POD: Final = ("exported_pod", "pod", "pod_name")


@dataclass(frozen=True, slots=True)
class Slice:
    """A whole board (``instance`` empty) or a MIG instance: how active, and whose.

    ``active`` is from 0 to 1, of the slice itself; None is unknown.  ``namespaces`` is empty where
    no pod has it.  ``uuid`` is a slice's own, empty where the exporter does not tell it.
    """

    instance: str
    profile: str
    active: float | None
    namespaces: frozenset[str]
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One physical GPU.  ``energy_mj`` counts since its driver was loaded; None is unknown."""

    uuid: str
    index: str
    node: str
    product: str
    energy_mj: int | None
    power_w: float | None
    slices: tuple[Slice, ...]


def boards(text: str) -> list[Board]:
    """Return the GPUs that ``text`` shows, by UUID.  Raises `BadExposition`."""
    shown = read(text)
    if not shown.has("DCGM_FI_"):
        raise BadExposition("no metrics of DCGM")
    by_uuid: dict[str, dict[str, list[Sample]]] = {}
    for name in (POWER, ENERGY, ACTIVE, UTILISATION):
        for sample in _told(shown, name):
            fields = by_uuid.setdefault(_label(sample, _UUID), {})
            fields.setdefault(name, []).append(sample)
    by_uuid.pop("", None)
    return [_board(uuid, fields) for uuid, fields in sorted(by_uuid.items())]


def energy_grown(before: int | None, now: int | None, *, seconds: float) -> int | None:
    """Return the mJ between two readings; a counter that fell began anew.  None is unknown.

    What would take more than `MOST_WATTS` is no reading but a fault, and unknown too.
    """
    if before is None or now is None or seconds <= 0:
        return None
    grown = now - before if now >= before else now
    return grown if grown <= MOST_WATTS * 1000 * seconds else None


def shares(board: Board, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the part of the board's energy that each slice (by instance) has; they sum to 1.

    By activity times weight, which is the slice's part of the board; by weight alone as long as
    nothing works or it is not known.  A slice without a weight counts as much as the others.
    """
    weight = {each.instance: weights.get(each.instance, 1.0) for each in board.slices}
    worked = {
        each.instance: weight[each.instance] * each.active
        for each in board.slices
        if each.active is not None
    }
    chosen = worked if len(worked) == len(weight) and sum(worked.values()) > 0 else weight
    whole = sum(chosen.values())
    return {instance: part / whole for instance, part in chosen.items()}


def split(energy_mj: int, parts: Mapping[str, float]) -> dict[str, int]:
    """Return whole mJ by ``parts`` (which sum to 1), together exactly ``energy_mj``."""
    floors = {key: int(energy_mj * part) for key, part in parts.items()}
    rest = energy_mj - sum(floors.values())
    by_remainder = sorted(parts, key=lambda key: (floors[key] - energy_mj * parts[key], key))
    for key in (by_remainder * 2)[:rest]:
        floors[key] += 1
    return floors


def _board(uuid: str, fields: Mapping[str, list[Sample]]) -> Board:
    every = [sample for samples in fields.values() for sample in samples]
    first = every[0]
    energy = _largest(fields.get(ENERGY, ()))
    return Board(
        uuid=uuid,
        index=first.labels.get("gpu", ""),
        node=_label(first, ("hostname", "Hostname")),
        product=first.labels.get("modelName", ""),
        energy_mj=None if energy is None else round(energy),
        power_w=_largest(fields.get(POWER, ())),
        slices=_slices(fields, every),
    )


def _slices(fields: Mapping[str, list[Sample]], every: list[Sample]) -> tuple[Slice, ...]:
    """Return the MIG instances, or the whole board where there are none."""
    instances = sorted({s.labels["GPU_I_ID"] for s in every if s.labels.get("GPU_I_ID")})
    if not instances:
        active = _largest(fields.get(ACTIVE, ()))
        if active is None:
            percent = _largest(fields.get(UTILISATION, ()))
            active = None if percent is None else percent / 100
        return (Slice("", "", _share(active), _namespaces(every)),)
    found = []
    for instance in instances:
        mine = [s for s in every if s.labels.get("GPU_I_ID") == instance]
        active = _largest(s for s in mine if s.name == ACTIVE)
        profile = mine[0].labels.get("GPU_I_PROFILE", "")
        uuid = next((_label(s, _MIG_UUID) for s in mine if _label(s, _MIG_UUID)), "")
        found.append(Slice(instance, profile, _share(active), _namespaces(mine), uuid))
    return tuple(found)


def _told(shown: Exposition, name: str) -> Iterable[Sample]:
    """Yield the samples that tell something: blanks, NaN and what is below nothing do not."""
    blank = _BLANK_ENERGY if name == ENERGY else _BLANK
    for sample in (*shown.named(name), *shown.named(f"{name}_total")):
        if 0 <= sample.value < blank:  # NaN is neither
            yield sample


def _largest(samples: Iterable[Sample]) -> float | None:
    return max((sample.value for sample in samples), default=None)


def _share(active: float | None) -> float | None:
    return None if active is None else min(active, 1.0)


def _namespaces(samples: Iterable[Sample]) -> frozenset[str]:
    """Return whose pods are named; a scrape by the operator renames the labels of the pods."""
    named = [s for s in samples if _label(s, _POD)]
    return frozenset(_label(s, _NAMESPACE) for s in named) - {""}


def _label(sample: Sample, names: Iterable[str]) -> str:
    return next((sample.labels[name] for name in names if sample.labels.get(name)), "")
