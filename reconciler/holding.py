"""Whose is each GPU, and each slice of one, that an exporter shows?  Pure.

The books say which devices a booking holds; an exporter shows boards by UUID and slices by a number
that the books do not have.  What ties them, the surest first: UUIDs (of a slice where devices are
claimed), the board's place on the node, the pods in it, and what is left when all that is done.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gpuaas.inventory import mig
from reservations.selectors import HeldDevice
from tokenomics.core.telemetry import Board, Slice
from tokenomics.services.meters import Holder


@dataclass(frozen=True, slots=True)
class _Part:
    board: Board
    slice: Slice

    def is_like(self, device: HeldDevice) -> bool:
        """Whether the device is of the part's kind, and not known to be elsewhere."""
        if device.gpu_index is not None and str(device.gpu_index) != self.board.index:
            return False
        if self.slice.profile:
            return device.resource_name == mig.resource_name_of(self.slice.profile)
        return not self.slice.instance and device.compute_share == 1

    def is_named(self, device: HeldDevice) -> bool:
        """Whether the device is this part by its UUID, or as the one GPU of its place."""
        if device.uuid and device.uuid in (self.board.uuid, self.slice.uuid):
            return True
        return not self.slice.instance and device.gpu_index is not None and self.is_like(device)

    @property
    def is_at_rest(self) -> bool:
        return not self.slice.namespaces and not self.slice.active


def holders_on(
    boards: Iterable[Board], held: Iterable[HeldDevice], by_namespace: Mapping[str, int]
) -> dict[str, dict[str, Holder]]:
    """Return who holds each part of the boards of one node: by UUID of the board, by instance.

    ``held`` are the devices of the node that are held now, ``by_namespace`` the reservations.
    Slices of one kind without pods are alike: those at rest go to the bookings that hold more of
    the kind than was found.  One that works without pods goes only to who alone can have it.
    """
    held = list(held)
    parts = [_Part(board, each) for board in boards for each in board.slices]
    owners = _Settling(parts, held, by_namespace).owners()
    found: dict[str, dict[str, Holder]] = {}
    for place, part in enumerate(parts):
        holder = Holder(owners.get(place), _weight(part, held))
        found.setdefault(part.board.uuid, {})[part.slice.instance] = holder
    return found


class _Settling:
    """Goes over the parts of a node rule by rule; a device that was found is found once."""

    def __init__(
        self, parts: list[_Part], held: Iterable[HeldDevice], by_namespace: Mapping[str, int]
    ) -> None:
        self._parts = parts
        self._left = list(held)
        self._by_namespace = by_namespace
        self._owners: dict[int, int] = {}

    def owners(self) -> dict[int, int]:
        """Return the reservation of each part that has one, by the part's place."""
        for rule in (self._by_name, self._by_pods, self._by_what_is_left):
            for place, part in enumerate(self._parts):
                owner = None if place in self._owners else rule(part)
                if owner is not None:
                    self._owners[place] = owner
        return self._owners

    def _by_name(self, part: _Part) -> int | None:
        return self._take(part.is_named)

    def _by_pods(self, part: _Part) -> int | None:
        known = self._by_namespace
        named = {known[name] for name in part.slice.namespaces if name in known}
        if len(named) != 1:
            return None
        (owner,) = named
        self._take(lambda each: each.reservation_id == owner and part.is_like(each))
        return owner

    def _by_what_is_left(self, part: _Part) -> int | None:
        candidates = [each for each in self._left if part.is_like(each)]
        if part.slice.namespaces or not candidates:
            return None
        is_one = len({each.reservation_id for each in candidates}) == 1
        if part.is_at_rest or (is_one and len(candidates) >= self._open_to(candidates)):
            return self._take(part.is_like)
        return None

    def _open_to(self, candidates: list[HeldDevice]) -> int:
        """Return how many parts that are not settled one of the devices could be."""
        return sum(
            any(part.is_like(each) for each in candidates)
            for place, part in enumerate(self._parts)
            if place not in self._owners and not part.slice.namespaces
        )

    def _take(self, fits: Callable[[HeldDevice], bool]) -> int | None:
        device = next((each for each in self._left if fits(each)), None)
        if device is None:
            return None
        self._left.remove(device)
        return device.reservation_id


def _weight(part: _Part, held: Iterable[HeldDevice]) -> float:
    """Return which part of its board it is, as the books say, else as its profile does."""
    if not part.slice.instance:
        return 1.0
    alike = [float(each.compute_share) for each in held if part.is_like(each)]
    if alike:
        return alike[0]
    return float(mig.share_of(part.board.product, mig.resource_name_of(part.slice.profile)))
