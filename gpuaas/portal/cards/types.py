"""What can be booked, as cards.  Pure: availability in, finished text out."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gpuaas.inventory.promise import Guarantee
from gpuaas.portal import wording

if TYPE_CHECKING:
    from gpuaas.inventory.models import Pool
    from gpuaas.inventory.resource_types import ResourceType
    from reservations.availability import Availability
    from reservations.capacity import Demand


@dataclass(frozen=True, slots=True)
class TypeChoice:
    """One bookable type of one pool, as the booking form names it by ``value``.

    The share is what goes with one unit unless the booker says more.
    """

    value: str
    pool_slug: str
    resource_name: str
    title: str
    at_most: int
    share_cores: int
    share_memory_gib: int
    share_storage_gib: int


@dataclass(frozen=True, slots=True)
class TypeCard(TypeChoice):
    """A type that can be chosen, with what is free of it.

    ``until`` is when fewer than ``free`` will be free, ``more_at`` when more will.
    """

    pool: str
    product: str
    memory: str
    fits: str
    free: int
    total: int
    until: datetime | None
    more_at: datetime | None
    compute: str
    guarantee: str
    means: str
    is_shared: bool

    @property
    def tone(self) -> str:
        """The colour of its light: all free, some, none."""
        if self.free == 0:
            return "danger"
        return "success" if self.free == self.total else "warning"


@dataclass(frozen=True, slots=True)
class PoolCard:
    """One pool with its types, the largest first."""

    name: str
    description: str
    types: tuple[TypeCard, ...]


def pool_card(pool: "Pool", found: "list[tuple[Availability, Demand]]") -> PoolCard:
    """Return the card of ``pool``: what is free of each type, and the share of one unit."""
    return PoolCard(
        name=pool.name,
        description=pool.description,
        types=tuple(_type_card(pool, availability, share) for availability, share in found),
    )


def type_choice(pool: "Pool", kind: "ResourceType", share: "Demand") -> TypeChoice:
    """Return what a form that was filled in is read with: what is free does not matter then."""
    return TypeChoice(**_choice(pool, kind, share))


def _choice(pool: "Pool", kind: "ResourceType", share: "Demand") -> dict[str, Any]:
    return {
        "value": f"{pool.slug}/{kind.resource_name}",
        "pool_slug": pool.slug,
        "resource_name": kind.resource_name,
        "title": wording.resource(kind.resource_name),
        "at_most": kind.devices_per_node,
        "share_cores": share.cpu_millicores // 1000,
        "share_memory_gib": share.memory_mib // 1024,
        "share_storage_gib": share.storage_gib,
    }


def _type_card(pool: "Pool", availability: "Availability", share: "Demand") -> TypeCard:
    kind = availability.type
    return TypeCard(
        **_choice(pool, kind, share),
        pool=pool.name,
        product=wording.product(kind.product),
        memory=wording.gpu_memory(kind.memory_mib),
        fits=wording.what_fits(kind.memory_mib),
        free=availability.free_now,
        total=kind.devices,
        until=availability.free_until,
        more_at=availability.more_free_at,
        compute=wording.compute(kind.compute_share),
        guarantee=wording.guarantee(kind.promise, kind.resource_name) if kind.promise else "",
        means=wording.what_guarantee_means(kind.promise) if kind.promise else "",
        is_shared=kind.promise is not None and kind.promise.guarantee == Guarantee.SHARED,
    )
