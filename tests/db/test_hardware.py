"""Taking hardware out of service, closing it for a while, and what clusters report of it."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import selectors, services
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Closure, ClosureKind, Device, DeviceState, Node, Pool
from gpuaas.notifications.models import OutboxMessage
from tests import make
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
NOBODYS = ["member", "finance", "leaver"]


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


@pytest.fixture
def device() -> Device:
    return make.device(of=make.node(devices={}))


def somebody(who: str) -> User:
    if who == "leaver":
        return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN, is_active=False)
    role = OrganisationRole.FINANCE if who == "finance" else OrganisationRole.NONE
    return make.user(organisation_role=role)


def put(device: Device, state: DeviceState, actor: User | None, reason: str = "hot") -> None:
    services.set_device_state(device=device, state=state, reason=reason, actor=actor, now=make.NOON)


def withdraw(node: Node, actor: User | None, *, back: bool = False, reason: str = "fan") -> None:
    services.set_node_schedulable(
        node=node, is_schedulable=back, reason=reason, actor=actor, now=make.NOON
    )


# --- devices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in DeviceState if s != DeviceState.IN_SERVICE])
def test_a_device_out_of_service_is_not_booked_until_it_is_back(
    device: Device, admin: User, state: DeviceState
) -> None:
    pool = device.node.pool
    assert pool is not None

    put(device, state, admin, "  ECC errors ")
    assert (device.state, device.state_reason) == (state, "ECC errors")
    assert device.state_changed_at == make.NOON
    assert not selectors.bookable_devices(pool).exists()

    put(device, DeviceState.IN_SERVICE, admin, "")
    assert selectors.bookable_devices(pool).exists()
    events = AuditEvent.objects.filter(action="device.state_changed", actor=admin)
    assert [event.data["after"] for event in events] == ["in_service", state.value]


def test_the_platform_itself_may_take_a_device_out(device: Device) -> None:
    put(device, DeviceState.FAILED, None)

    assert AuditEvent.objects.get().actor is None


@pytest.mark.parametrize("who", NOBODYS)
def test_others_change_no_hardware(device: Device, who: str) -> None:
    person, node = somebody(who), device.node

    with pytest.raises(services.PlatformAdminsOnly):
        put(device, DeviceState.FAILED, person)
    with pytest.raises(services.PlatformAdminsOnly):
        withdraw(node, person)
    with pytest.raises(services.PlatformAdminsOnly):
        plan(node, person)
    with pytest.raises(services.PlatformAdminsOnly):
        services.import_nodes(cluster=node.cluster, nodes=[], actor=person, now=make.NOON)

    assert not AuditEvent.objects.exists()


def test_whoever_takes_it_away_says_why(device: Device, admin: User) -> None:
    with pytest.raises(services.ReasonMissing):
        put(device, DeviceState.FAILED, admin, " ")
    with pytest.raises(services.ReasonMissing):
        withdraw(device.node, admin, reason="")


def test_a_state_is_set_once(device: Device, admin: User) -> None:
    with pytest.raises(services.Unchanged, match="in service already"):
        put(device, DeviceState.IN_SERVICE, admin)


def test_two_administrators_do_not_overwrite_each_other(device: Device, admin: User) -> None:
    as_the_other_saw_it = Device.objects.get(pk=device.pk)
    put(device, DeviceState.FAILED, admin)

    with pytest.raises(services.StaleInventory):
        put(as_the_other_saw_it, DeviceState.DRAINING, admin)

    device.refresh_from_db()
    assert device.state == DeviceState.FAILED


def test_what_an_import_retired_an_administrator_can_retire_for_good(admin: User) -> None:
    device = make.device(of=make.node(devices={}), state=DeviceState.RETIRED)
    Device.objects.update(retired_by_import=True)
    device.refresh_from_db()

    put(device, DeviceState.RETIRED, admin)

    assert not device.retired_by_import


# --- nodes -------------------------------------------------------------------------------------


def test_a_node_taken_out_is_not_booked_until_it_is_back(admin: User) -> None:
    pool = make.pool()
    node = pool.nodes.get()

    withdraw(node, admin)
    assert (node.is_schedulable, node.is_withdrawn) == (False, True)
    assert not selectors.bookable_devices(pool).exists()

    withdraw(node, admin, back=True)
    assert (node.is_schedulable, node.is_withdrawn) == (True, False)
    assert AuditEvent.objects.filter(action="node.schedulable_changed").count() == 2


@pytest.mark.parametrize("back", [True, False])
def test_a_node_is_taken_out_once(admin: User, back: bool) -> None:
    node = make.node()
    if not back:
        withdraw(node, admin)

    with pytest.raises(services.Unchanged):
        withdraw(node, admin, back=back)


def test_a_node_the_cluster_closed_can_be_kept_closed(admin: User) -> None:
    node = make.node(is_schedulable=False)

    withdraw(node, admin)

    assert node.is_withdrawn


def test_two_administrators_do_not_overwrite_each_others_node(admin: User) -> None:
    node = make.node()
    as_the_other_saw_it = Node.objects.get(pk=node.pk)
    withdraw(node, admin)

    with pytest.raises(services.StaleInventory):
        withdraw(as_the_other_saw_it, admin)


# --- closures ----------------------------------------------------------------------------------


def plan(
    target: Pool | Node, actor: User, first: float = 1, last: float = 3, **more: Any
) -> Closure:
    return services.plan_closure(
        target=target,
        kind=more.get("kind", ClosureKind.MAINTENANCE),
        starts_at=make.at(first),
        ends_at=make.at(last),
        reason=more.get("reason", " new firmware "),
        actor=actor,
        now=make.NOON,
    )


@pytest.mark.parametrize("of_node", [True, False])
def test_a_closure_of_a_pool_or_a_node(admin: User, of_node: bool) -> None:
    pool = make.pool()

    closure = plan(pool.nodes.get() if of_node else pool, admin)

    assert list(selectors.closures_of(pool, within=make.window(2, 9))) == [closure]
    assert (closure.reason, closure.created_by) == ("new firmware", admin)
    assert AuditEvent.objects.get(action="closure.planned").data["reason"] == "new firmware"


def test_every_reason_against_is_said_at_once(admin: User) -> None:
    with pytest.raises(services.ClosureRefused) as refused:
        plan(make.pool(), admin, -2, -3, reason="")

    codes = [problem.code for problem in refused.value.problems]
    assert codes == ["reason_missing", "closure_in_the_past", "closure_ends_first"]
    assert not Closure.objects.exists()


@pytest.mark.parametrize("of_node", [True, False])
def test_the_same_closure_twice_is_refused_and_names_the_first(admin: User, of_node: bool) -> None:
    pool = make.pool()
    target = pool.nodes.get() if of_node else pool
    plan(target, admin, 1, 3)

    with pytest.raises(services.ClosureRefused, match="until 2026-03-01 15:00 UTC") as refused:
        plan(target, admin, 2, 4)

    assert [problem.code for problem in refused.value.problems] == ["closure_overlaps"]
    plan(target, admin, 3, 4)
    plan(target, admin, 2, 4, kind=ClosureKind.BLACKOUT)
    plan(pool if of_node else pool.nodes.get(), admin, 1, 3)
    assert Closure.objects.count() == 4


def test_a_cancelled_closure_closes_nothing_and_makes_room(admin: User) -> None:
    pool = make.pool()
    closure = plan(pool, admin)

    services.cancel_closure(closure=closure, actor=admin, now=make.at(2))

    assert closure.canceled_at == make.at(2)
    assert not selectors.closures_of(pool, within=make.window(0, 9)).exists()
    plan(pool, admin)
    assert Closure.objects.count() == 2


def test_what_is_over_cannot_be_cancelled(admin: User) -> None:
    closure = plan(make.pool(), admin, 1, 3)

    with pytest.raises(services.ClosureOver, match="over already"):
        services.cancel_closure(closure=closure, actor=admin, now=make.at(3))
    as_seen = Closure.objects.get()
    services.cancel_closure(closure=closure, actor=admin, now=make.at(1))
    with pytest.raises(services.ClosureOver, match="cancelled already"):
        services.cancel_closure(closure=closure, actor=admin, now=make.at(1))
    with pytest.raises(services.StaleInventory):
        services.cancel_closure(closure=as_seen, actor=admin, now=make.at(1))


def test_others_cancel_no_closure(admin: User) -> None:
    closure = plan(make.pool(), admin)

    with pytest.raises(services.PlatformAdminsOnly):
        services.cancel_closure(closure=closure, actor=make.user(), now=make.NOON)


# --- what clusters report ----------------------------------------------------------------------


def report(node: Node, *, gpus: int = 1, is_ready: bool = True) -> NodeReport:
    return NodeReport(node.name, {GPU: gpus, SLICE: 4}, is_ready=is_ready)


def test_a_report_is_kept_and_told_once(admin: User) -> None:
    node = make.node()

    def look(hour: float, **shown: Any) -> tuple[str, ...]:
        return services.record_reports(
            cluster=node.cluster, reports=[report(node, **shown)], now=make.at(hour)
        )

    assert look(0) == (f"{node.name}: {GPU} 1, {SLICE} 4, ready",)
    assert look(1) == ()
    assert look(2, gpus=0, is_ready=False) == (f"{node.name}: {GPU} 0, {SLICE} 4, not ready",)

    node.refresh_from_db()
    assert (node.reported_devices, node.is_ready) == ({GPU: 0, SLICE: 4}, False)
    assert node.reported_at == make.at(2)
    assert AuditEvent.objects.filter(action="node.reported").count() == 2


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ({GPU: 1, SLICE: 4}, None),
        ({GPU: 1, SLICE: 3}, f"it shows 3 of {SLICE}, the inventory has 4"),
        ({GPU: 2, SLICE: 4}, f"it shows 2 of {GPU}, the inventory has 1"),
        (
            {SLICE: 4, "nvidia.com/mig-2g.48gb": 2},
            f"it shows 0 of {GPU}, the inventory has 1; "
            "it shows 2 of nvidia.com/mig-2g.48gb, the inventory has 0",
        ),
    ],
)
def test_administrators_are_told_once_of_a_node_that_shows_other_devices(
    shown: dict[str, int], why: str | None
) -> None:
    node = make.node()
    seen = NodeReport(node.name, shown, is_ready=True)

    for hour in range(3):
        services.record_reports(cluster=node.cluster, reports=[seen], now=make.at(hour))

    told = OutboxMessage.objects.filter(event="node.differs")
    assert [message.data["reason"] for message in told] == ([why] if why else [])
    assert Device.objects.filter(node=node, state=DeviceState.IN_SERVICE).count() == 5


def test_a_node_the_cluster_does_not_show_has_nothing() -> None:
    node, other_clusters = make.node(), make.node()

    lines = services.record_reports(cluster=node.cluster, reports=[], now=make.NOON)

    assert lines == (f"{node.name}: no devices, not ready",)
    node.refresh_from_db()
    other_clusters.refresh_from_db()
    assert (node.reported_devices, node.is_ready) == ({}, False)
    assert (other_clusters.reported_devices, other_clusters.is_ready) == (None, True)


def test_a_node_the_inventory_does_not_know_is_left_to_the_import() -> None:
    cluster = make.cluster()

    reports = [NodeReport("new", {GPU: 8}, is_ready=True)]

    assert services.record_reports(cluster=cluster, reports=reports, now=make.NOON) == ()
    assert not Node.objects.exists()


def test_an_old_report_does_not_undo_a_newer_one() -> None:
    node = make.node()
    services.record_report(node=node, reported_devices={GPU: 1}, is_ready=True, now=make.at(1))

    changed = services.record_report(node=node, reported_devices={}, is_ready=False, now=make.NOON)

    node.refresh_from_db()
    assert (changed, node.reported_devices) == (False, {GPU: 1})


def test_a_look_at_which_nothing_changed_costs_two_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    pool = make.pool(nodes=5)
    reports = [report(node) for node in pool.nodes.all()]
    services.record_reports(cluster=pool.cluster, reports=reports, now=make.NOON)

    with django_assert_num_queries(2):
        services.record_reports(cluster=pool.cluster, reports=reports, now=make.at(1))
