"""What a session should look like in its cluster, as frozen data.  Pure.

Everything the manifests are built from is here, so that they can be functions of one value.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from gpuaas.core.modes import AllocationMode

HOME_GIB: Final = 20
MODEL_CACHE_GIB: Final = 300

NAMESPACE_PREFIX: Final = "s-"
"""How the namespace of every session begins, and no other of the product."""

# How the line of a story begins that warns of the end.
ENDING: Final = "It ends at"


@dataclass(frozen=True, slots=True)
class Proxy:
    """The corporate proxy that containers are told about; empty strings where there is none."""

    http: str = ""
    https: str = ""
    no_proxy: str = ""

    @property
    def is_given(self) -> bool:
        """Whether there is one."""
        return bool(self.http or self.https)


@dataclass(frozen=True, slots=True)
class TrustedCa:
    """The authorities that containers are to trust: a bundle in PEM, or the cluster's own."""

    pem: str = ""
    is_injected: bool = False

    @property
    def is_given(self) -> bool:
        """Whether there is anything to be mounted."""
        return bool(self.pem) or self.is_injected


@dataclass(frozen=True, slots=True)
class Door:
    """What stands before the workspace: a proxy that lets in whom the portal says it may.

    ``url`` is where the workspace is reached, ``issuer_url`` the portal as OpenID provider.
    ``group`` is what the portal's claims hold for who may enter.  ``exposure`` is ``route``,
    ``ingress`` or ``gateway``; the next three say more about the way to it.
    """

    url: str
    issuer_url: str
    client_id: str
    group: str
    image: str
    exposure: str
    ingress_class: str = ""
    gateway: str = ""
    router_namespace: str = ""
    client_secret: str = field(default="", repr=False)
    cookie_secret: str = field(default="", repr=False)

    @property
    def redirect_url(self) -> str:
        """Where the portal sends browsers back to after a login."""
        return f"{self.url.rstrip('/')}/oauth2/callback"

    @property
    def host(self) -> str:
        """The host name of ``url``."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_https(self) -> bool:
        """Whether browsers come by HTTPS; on a developer's machine they may not."""
        return urlsplit(self.url).scheme == "https"


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """One booked device as a claim names it; ``uuid`` is empty while nobody knows it."""

    device_class: str
    uuid: str


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """The desired state of one session.

    CPU is in thousandths of a core, memory in MiB, storage in GiB.  ``gpu_slots`` is what the
    quota allows of ``gpu_resource``: units times ``slots_per_device``.  ``other_gpu_resources``
    are the fleet's remaining types, forbidden to this session.  ``installation`` tells our objects
    from those of another GPUaaS on the same cluster.  ``claimed_devices`` are the booked ones where
    the cluster ties a session to its devices; then no slot of anything is handed out.  Of a paused
    one the workspace does not run; all else stays.  ``pod_templates`` are what its pods were
    started with, by the name of their Deployment; one that is not there is built.
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
    slots_per_device: int = 1
    trusted_ca: TrustedCa = TrustedCa()
    door: Door | None = None
    is_paused: bool = False
    pod_templates: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

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


def client_id(public_id: uuid.UUID) -> str:
    """Return as whom the session's door is known to the portal."""
    return f"workspace-{public_id}"


def session_of_client(client: str) -> uuid.UUID | None:
    """Return whose door the client is; None: it is none of a session."""
    prefix, _, rest = client.partition("-")
    if prefix != "workspace":
        return None
    try:
        return uuid.UUID(rest)
    except ValueError:
        return None


def namespace_name(public_id: uuid.UUID) -> str:
    """Return the namespace of a session: a name that was never used before and never will be."""
    return f"{NAMESPACE_PREFIX}{public_id.hex[:16]}"
