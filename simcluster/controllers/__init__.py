"""What happens by itself, a moment after a write: one controller a concern, all level-triggered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from simcluster.access import ADMIN
from simcluster.registry import Call, Registry
from simcluster.rules import rbac
from simcluster.rules.rbac import User
from simcluster.store import Change

# What a controller looks at again: a namespace, or a namespace and a name, or an owner's UID.
Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds.  A test makes them short, a demonstration lifelike."""

    reaction: float = 0.02
    counting: float = 0.05
    pod_start: float = 0.2
    pod_stop: float = 0.2
    retry: float = 0.5


@dataclass(frozen=True, slots=True)
class World:
    """What controllers work with."""

    registry: Registry
    clock: Callable[[], datetime]
    timing: Timing


class Controller(Protocol):
    """One concern.  ``sync`` looks, makes true what it can, and may ask to look again later."""

    def concerns(self, change: Change) -> Iterable[Key]:
        """Return what has to be looked at because of a change."""
        ...

    def delay(self) -> float:
        """Return the seconds between a change and the look at it."""
        ...

    def sync(self, key: Key) -> float | None:
        """Look at one thing; return the seconds after which to look again, None if never."""
        ...


def acting_as(controller: str) -> Call:
    """Return the call of one of the cluster's own controllers: it may do everything."""
    user: Final = rbac.service_account("kube-system", controller)
    return Call(User(user.name, user.groups | ADMIN.groups), controller)
