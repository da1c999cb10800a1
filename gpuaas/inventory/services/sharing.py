"""The administrator's word that teams may share a pool's devices, and taking it back."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.inventory.models import GpuBackend, Pool
from gpuaas.inventory.services import guards
from gpuaas.inventory.services.refusals import (
    NothingToShare,
    ReasonMissing,
    StaleInventory,
    Unchanged,
)


def share_devices(
    *, pool: Pool, is_shared: bool, reason: str, actor: User | None, now: datetime
) -> None:
    """Say that replicas of the devices of ``pool`` go to several teams at once, or no longer do.

    Sessions get as many slots of a unit as its devices have replicas, and may meet others on every
    one of them.  What runs is brought to the new number within a pass.

    Raises:
        PlatformAdminsOnly: the actor is not one.
        ReasonMissing: it would be shared and nobody says why.
        NothingToShare: the pool's cluster ties each session to its own devices.
        Unchanged: it is so already.
        StaleInventory: somebody else changed it since it was read.
    """
    guards.check_actor(actor)
    reason = reason.strip()
    if is_shared == pool.is_shared:
        raise Unchanged(f"{pool} {'shares' if is_shared else 'does not share'} its devices already")
    if is_shared and not reason:
        raise ReasonMissing("say why teams are to share devices: those who book them will ask")
    if is_shared and pool.cluster.gpu_backend == GpuBackend.DRA.value:
        raise NothingToShare(
            f"{pool.cluster} ties each session to its own devices, and any number of its pods"
            " share those: there is nothing to share between teams"
        )
    with transaction.atomic():
        guards.keep_bookings_out(pool)
        changed = Pool.objects.filter(pk=pool.pk, is_shared=not is_shared).update(
            is_shared=is_shared, shared_because=reason if is_shared else ""
        )
        if not changed:
            raise StaleInventory(f"{pool} was changed meanwhile: look again")
        audit.record(
            "pool.sharing_changed",
            subject=f"pool:{pool.pk}",
            actor=actor,
            at=now,
            pool=pool.slug,
            is_shared=is_shared,
            reason=reason,
        )
    pool.is_shared, pool.shared_because = is_shared, reason if is_shared else ""
