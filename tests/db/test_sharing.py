"""Several teams on one device: only by an administrator's word, and never unsaid."""

import pytest

from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import selectors, services
from gpuaas.inventory.models import Cluster, GpuBackend, Pool
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


def share(pool: Pool, actor: User | None, *, is_shared: bool = True, reason: str = "demos") -> None:
    services.share_devices(
        pool=pool, is_shared=is_shared, reason=reason, actor=actor, now=make.NOON
    )


def slots(pool: Pool) -> dict[str, int]:
    node = pool.nodes.get()
    return {name: selectors.slots_per_unit(node, name) for name in (GPU, SLICE)}


def test_without_a_word_a_slice_is_one_slot_and_with_it_as_many_as_replicas(admin: User) -> None:
    pool = make.pool()
    assert slots(pool) == {GPU: 4, SLICE: 1}

    share(pool, admin, reason=" demos ")

    pool = Pool.objects.get(pk=pool.pk)
    assert (slots(pool), pool.shared_because) == ({GPU: 4, SLICE: 2}, "demos")
    event = AuditEvent.objects.get(action="pool.sharing_changed")
    assert (event.actor, event.data["is_shared"], event.data["reason"]) == (admin, True, "demos")

    share(pool, admin, is_shared=False, reason="")
    pool = Pool.objects.get(pk=pool.pk)
    assert (slots(pool), pool.shared_because) == ({GPU: 4, SLICE: 1}, "")


def test_nobody_else_gives_the_word() -> None:
    with pytest.raises(services.PlatformAdminsOnly):
        share(make.pool(), make.user())


def test_the_word_has_a_reason(admin: User) -> None:
    pool = make.pool()

    with pytest.raises(services.ReasonMissing):
        share(pool, admin, reason="  ")

    pool.refresh_from_db()
    assert not pool.is_shared


def test_what_is_so_already_is_refused(admin: User) -> None:
    pool = make.pool()

    with pytest.raises(services.Unchanged, match="does not share its devices already"):
        share(pool, admin, is_shared=False)
    share(pool, admin)
    with pytest.raises(services.Unchanged, match="shares its devices already"):
        share(pool, admin)


def test_who_is_second_is_told(admin: User) -> None:
    pool = make.pool()
    late = Pool.objects.get(pk=pool.pk)
    share(pool, admin)

    with pytest.raises(services.StaleInventory):
        share(late, admin)

    assert AuditEvent.objects.filter(action="pool.sharing_changed").count() == 1


def test_there_is_nothing_to_share_where_a_session_is_tied_to_its_devices(admin: User) -> None:
    pool = make.pool()
    Cluster.objects.update(gpu_backend=GpuBackend.DRA)
    pool = Pool.objects.select_related("cluster").get(pk=pool.pk)

    with pytest.raises(services.NothingToShare):
        share(pool, admin)
