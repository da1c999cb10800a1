"""A GPU is cut otherwise when its time comes, in a gap, step by step, and back again."""

from collections.abc import Mapping

import pytest

from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.inventory import gpu_operator, layouts
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, PlannedLayout
from gpuaas.notifications.models import OutboxMessage
from reservations import lifecycle, services
from reservations.models import BookingFlag, Reservation
from simcluster.objects import kinds
from simcluster.testing import Simulator
from tests import make
from tests.make import GPU, SLICE
from tests.reconciler import gpu_operators
from tests.reconciler.conftest import Installation
from tests.reconciler.gpu_operators import MIG_STATE

NAMESPACE = "gpu-operator"
STEPS = ["clearing", "cutting", "stands", "clearing_back", "cutting_back", "over"]


@pytest.fixture
def managed(installation: Installation, simulator: Simulator) -> Installation:
    """Return an installation whose operator has done what it was told."""
    installation.kube.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    )
    Cluster.objects.filter(pk=installation.row.pk).update(gpu_operator_namespace=NAMESPACE)
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1)
    installation.row.refresh_from_db()
    installation.at(-1).reconcile()
    assert gpu_operators.works(simulator, installation.kube, namespace=NAMESPACE)
    installation.reconcile()
    assert Node.objects.get().frozen_because == ""
    return installation.at(0)


@pytest.fixture
def admin(db: None) -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


def plan(
    admin: User, *, hours: tuple[float, float] = (2, 8), cut: Mapping[str, int] | None = None
) -> PlannedLayout:
    return services.plan_layout(
        node=Node.objects.select_related("pool", "cluster").get(),
        gpu_index=0,
        cut=cut or {GPU: 1},
        times=layouts.Times(make.at(hours[0]), make.at(hours[1])),
        reason="a large model over the weekend",
        actor=admin,
        now=make.NOON,
    )


def state(layout: PlannedLayout) -> str:
    layout.refresh_from_db()
    return layout.state


def is_cordoned(managed: Installation) -> bool:
    return bool(managed.named("Node")[0]["spec"].get("unschedulable"))


def label(managed: Installation) -> str:
    found: str = managed.named("Node")[0]["metadata"]["labels"][gpu_operator.MIG_CONFIG_LABEL]
    return found


def present() -> set[tuple[str, int | None]]:
    there = Device.objects.filter(is_present=True).exclude(state=DeviceState.RETIRED)
    return set(there.values_list("resource_name", "gpu_index"))


def works(managed: Installation, simulator: Simulator, mig_state: str = "success") -> None:
    gpu_operators.works(simulator, managed.kube, namespace=NAMESPACE, state=mig_state)


def test_a_gpu_is_whole_for_its_time_and_cut_again_after_it(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    before = label(managed)
    layout = plan(admin)
    assert managed.at(1.9).reconcile().changes == []

    managed.at(2).reconcile()
    assert (state(layout), is_cordoned(managed), label(managed) != before) == (
        "cutting",
        True,
        True,
    )
    assert Node.objects.get().frozen_because == "GPU 0 is being cut anew, as planned"
    assert present() == {(SLICE, 0), (GPU, 1)}  # until it was seen

    managed.at(2.05).reconcile()
    assert state(layout) == "cutting"

    works(managed, simulator)
    managed.at(2.1).reconcile()
    assert (state(layout), is_cordoned(managed)) == ("stands", False)
    assert present() == {(GPU, 0), (GPU, 1)}
    assert Node.objects.get().frozen_because == ""
    assert Node.objects.get().reported_devices == {GPU: 2}
    assert managed.at(7).reconcile().changes == []

    managed.at(8).reconcile()
    assert (state(layout), is_cordoned(managed), label(managed)) == ("cutting_back", True, before)
    works(managed, simulator)
    managed.at(8.1).reconcile()
    assert (state(layout), is_cordoned(managed)) == ("over", False)
    assert present() == {(SLICE, 0), (GPU, 1)}
    assert not Device.objects.filter(layout=layout, state=DeviceState.IN_SERVICE).exists()
    assert managed.at(9).reconcile().changes == []
    told = OutboxMessage.objects.filter(created_at__gt=make.at(0))
    assert not told.filter(event__startswith="node.").exists()  # all of it was planned


def test_a_booking_of_the_planned_gpu_gets_it(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    layout = plan(admin)
    booked = make.admitted(
        of=managed.pool, wish=make.wish(resource_name=GPU, units=2, at=make.window(2.25, 8))
    )
    managed.at(2).reconcile()
    works(managed, simulator)
    managed.at(2.1).reconcile()
    assert state(layout) == "stands"

    managed.at(2.25).reconcile()

    managed.reconcile()
    booked.refresh_from_db()
    assert booked.state == lifecycle.State.ACTIVE
    quotas = managed.named("ResourceQuota")
    assert [each["spec"]["hard"][f"requests.{GPU}"] for each in quotas] == ["2"]


def test_it_waits_until_the_session_before_is_gone(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    booked = make.reservation(of=managed.pool, at=make.window(-1, 2), state=lifecycle.State.ACTIVE)
    stuck = make.session(of=booked)
    layout = plan(admin)

    managed.at(2).reconcile()
    assert state(layout) in {"clearing", "cutting"}
    if stuck.__class__.objects.get(pk=stuck.pk).state != "ENDED":
        assert state(layout) == "clearing"
    for _ in range(5):
        managed.reconcile()

    stuck.refresh_from_db()
    assert stuck.state == "ENDED"
    assert state(layout) == "cutting"


def test_without_a_gap_it_fails_and_takes_nothing(managed: Installation, admin: User) -> None:
    before = label(managed)
    layout = plan(admin)
    lost = make.admitted(
        of=managed.pool, wish=make.wish(resource_name=GPU, units=2, at=make.window(3, 5))
    )
    overdue = make.reservation(
        of=managed.pool, at=make.window(1, 5), state=lifecycle.State.ACTIVE, devices=[]
    )
    make.session(of=overdue)

    managed.at(2).reconcile()
    assert (state(layout), is_cordoned(managed)) == ("clearing", True)
    managed.at(2.25).reconcile()
    managed.reconcile()

    assert (state(layout), is_cordoned(managed), label(managed)) == ("failed", False, before)
    assert "a session was on the node" in layout.state_reason
    [message] = OutboxMessage.objects.filter(event="layout.failed")
    assert message.data["reason"] == layout.state_reason
    services.heal(pool=managed.pool, now=managed.now)
    assert [flag.reservation_id for flag in BookingFlag.objects.filter(resolved_at=None)] == [
        lost.pk
    ]
    make.admitted(
        of=managed.pool, wish=make.wish(units=3, at=make.window(3, 5))
    )  # the slices are back


@pytest.mark.parametrize("how", ["failed", "silent"])
def test_what_cannot_be_cut_is_rolled_back_and_people_are_told(
    managed: Installation, simulator: Simulator, admin: User, how: str
) -> None:
    before = label(managed)
    layout = plan(admin)
    lost = make.admitted(
        of=managed.pool, wish=make.wish(resource_name=GPU, units=2, at=make.window(3, 5))
    )
    managed.at(2).reconcile()
    assert state(layout) == "cutting"

    if how == "failed":
        gpu_operators.shows(simulator, labels={MIG_STATE: "failed"}, slots={})
        managed.at(2.1).reconcile()
    else:
        managed.at(2.24).reconcile()
        assert state(layout) == "cutting"
        gpu_operators.shows(simulator, labels={MIG_STATE: "pending"}, slots={})
        managed.at(2.3).reconcile()

    assert (state(layout), is_cordoned(managed), label(managed)) == ("rolling_back", True, before)
    services.heal(pool=managed.pool, now=managed.now)
    assert [flag.reservation_id for flag in BookingFlag.objects.filter(resolved_at=None)] == [
        lost.pk
    ]
    # Nothing of the old cut is sold before it is there, and nothing is lost once it is.
    works(managed, simulator)
    managed.at(2.4).reconcile()
    assert (state(layout), is_cordoned(managed)) == ("failed", False)
    assert present() == {(SLICE, 0), (GPU, 1)}
    [message] = OutboxMessage.objects.filter(event="layout.failed")
    assert message.data["reason"]
    make.admitted(of=managed.pool, wish=make.wish(units=4, at=make.window(3, 5)))


def test_a_node_that_does_not_come_back_stays_cordoned_and_people_are_told_once(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    layout = plan(admin)
    managed.at(2).reconcile()
    works(managed, simulator)
    managed.at(2.1).reconcile()
    managed.at(8).reconcile()
    assert state(layout) == "cutting_back"

    gpu_operators.shows(simulator, labels={MIG_STATE: "failed"}, slots={})
    managed.at(8.1).reconcile()
    managed.at(8.5).reconcile()

    assert (state(layout), is_cordoned(managed), layout.is_late) == ("cutting_back", True, True)
    assert OutboxMessage.objects.filter(event="layout.late").count() == 1
    works(managed, simulator)
    managed.at(9).reconcile()
    assert (state(layout), is_cordoned(managed)) == ("over", False)


def test_missed_ticks_lose_nothing(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    layout = plan(admin)
    before = label(managed)

    managed.at(5).reconcile()  # nobody looked when it should have begun

    assert (state(layout), label(managed)) == ("failed", before)
    assert "nobody looked" in layout.state_reason
    assert present() == {(SLICE, 0), (GPU, 1)}


def test_a_late_look_at_its_end_starts_nothing_before_the_node_is_cut_back(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    layout = plan(admin)
    managed.at(2).reconcile()
    works(managed, simulator)
    managed.at(2.1).reconcile()
    slices = make.admitted(of=managed.pool, wish=make.wish(at=make.window(9, 12)))
    whole = make.admitted(of=managed.pool, wish=make.wish(resource_name=GPU, at=make.window(9, 12)))

    managed.at(10).reconcile()

    assert state(layout) == "cutting_back"
    assert set(Reservation.objects.values_list("state", flat=True)) == {"APPROVED"}
    works(managed, simulator)
    managed.reconcile()
    managed.reconcile()
    assert state(layout) == "over"
    for each in (slices, whole):
        each.refresh_from_db()
        assert each.state == "ACTIVE"


def test_an_administrators_cordon_stays(
    managed: Installation, simulator: Simulator, admin: User
) -> None:
    layout = plan(admin)
    store = simulator.server.cluster.registry.store

    def cordon() -> None:
        found = store.get(kinds.NODE, "", "gpu-node-1")
        assert found is not None
        store.put(kinds.NODE, {**found, "spec": {**found.get("spec", {}), "unschedulable": True}})

    simulator.call(cordon)
    managed.at(2).reconcile()
    works(managed, simulator)

    managed.at(2.1).reconcile()

    assert (state(layout), is_cordoned(managed)) == ("stands", True)
