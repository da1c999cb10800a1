"""Who may change the hardware, and which lock keeps bookings from looking away meanwhile."""

from datetime import timedelta
from typing import Final

from gpuaas.accounts.models import User
from gpuaas.core import locks
from gpuaas.inventory.models import Pool
from gpuaas.inventory.services.refusals import PlatformAdminsOnly

LOCK_WAIT: Final = timedelta(seconds=10)


def check_actor(actor: User | None) -> None:
    """Let platform administrators pass, and the platform itself (None).

    Raises:
        PlatformAdminsOnly: it is somebody else.
    """
    if actor is not None and not (actor.is_active and actor.is_platform_admin):
        raise PlatformAdminsOnly("only platform administrators change the hardware")


def check_may_change(*, actor: User) -> None:
    """Let platform administrators pass: said before anything else, it tells others nothing.

    Raises:
        PlatformAdminsOnly: it is somebody else.
    """
    check_actor(actor)


def keep_bookings_out(pool: Pool | int | None) -> None:
    """Take the pool's lock: no booking is decided on what is about to change.

    Raises:
        LockBusy: bookings held it for too long.
    """
    if pool is not None:
        locks.hold_until_commit(
            locks.LockSpace.POOL_CAPACITY,
            pool.pk if isinstance(pool, Pool) else pool,
            wait_at_most=LOCK_WAIT,
        )
