"""What a session should look like in its cluster, as frozen data.  Pure.

Everything the manifests are built from is here, so that they can be functions of one value.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gpuaas.core.modes import AllocationMode

HOME_GIB: Final = 20
MODEL_CACHE_GIB: Final = 300

NAMESPACE_PREFIX: Final = "s-"
"""How the namespace of every session begins, and no other of the product."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The corporate proxy that containers are told about; empty strings where there is none."""

    http: str = ""
    https: str = ""
    no_proxy: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """One booked device as a claim names it; ``uuid`` is empty while nobody knows it."""

    device_class: str
    uuid: str


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """The desired state of one session.

    CPU is in thousandths of a core, memory in MiB, storage in GiB.  ``gpu_slots`` is what the
    quota allows of ``gpu_resource``: units times the slots of one device.  ``other_gpu_resources``
    are the fleet's remaining types, forbidden to this session.  ``installation`` tells our objects
    from those of another GPUaaS on the same cluster.  ``claimed_devices`` are the booked ones where
    the cluster ties a session to its devices; then no slot of anything is handed out.
    """

    installation: str
    public_id: uuid.UUID
    namespace: str
    reservation_id: uuid.UUID
    team: str
    owner: str
    mode: AllocationMode
    gpu_resource: str
    gpu_slots: int
    other_gpu_resources: frozenset[str]
    cpu_millicores: int
    memory_mib: int
    storage_gib: int
    storage_class: str
    node: str
    starts_at: datetime
    ends_at: datetime
    workspace_image: str
    proxy: Proxy = Proxy()
    claimed_devices: tuple[ClaimedDevice, ...] = ()

    @property
    def workspace_gpu_slots(self) -> int:
        """How many slots the workspace itself holds, or whether it uses the claim."""
        return 1 if self.mode == AllocationMode.INTERACTIVE else 0

    @property
    def home_gib(self) -> int:
        """The home volume: 20 GiB, or a tenth of a small allowance."""
        return min(HOME_GIB, max(1, self.storage_gib // 10))

    @property
    def model_cache_gib(self) -> int:
        """The model cache: 300 GiB, or half of a small allowance."""
        return min(MODEL_CACHE_GIB, max(1, self.storage_gib // 2))


def namespace_name(public_id: uuid.UUID) -> str:
    """Return the namespace of a session: a name that was never used before and never will be."""
    return f"{NAMESPACE_PREFIX}{public_id.hex[:16]}"
