"""`reconciler.cycle` on the simulated cluster: a booking's whole life, and what can go wrong."""

from datetime import timedelta
from typing import Any

import pytest

from gpuaas.core import locks
from reconciler import cluster as port
from reconciler import cycle, naming, observe, provision
from reconciler.cluster import ClusterUnavailable, Ref
from reconciler.world import World
from reservations import lifecycle, services
from reservations.models import Reservation
from sessions import services as sessions
from sessions.models import SessionState, WorkspaceSession
from sessions.spec import SessionSpec
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation

EVERYTHING = {
    "ConfigMap gpuaas-proxy",
    "Deployment workspace",
    "LimitRange gpuaas",
    "NetworkPolicy gpuaas-allow-api-server",
    "NetworkPolicy gpuaas-allow-dns",
    "NetworkPolicy gpuaas-allow-inside",
    "NetworkPolicy gpuaas-allow-router",
    "NetworkPolicy gpuaas-allow-to-agents",
    "NetworkPolicy gpuaas-deny-all",
    "PersistentVolumeClaim home",
    "PersistentVolumeClaim model-cache",
    "ResourceQuota gpuaas",
    "RoleBinding gpuaas-tenant",
    "RoleBinding gpuaas-workspace",
    "Service workspace",
    "ServiceAccount workspace",
}

# How fast a test's clock runs decides how often a pass looks before it stops waiting.
PATIENT, IMPATIENT = timedelta(milliseconds=100), timedelta(seconds=4)


def state_of(reservation: Reservation) -> tuple[str, str]:
    """Return the states of a reservation and of its session."""
    reservation.refresh_from_db()
    session = WorkspaceSession.objects.filter(reservation=reservation).first()
    return reservation.state, session.state if session else ""


def namespace_of(reservation: Reservation) -> str:
    return WorkspaceSession.objects.get(reservation=reservation).namespace


def expected(reservation: Reservation) -> set[str]:
    """Return the addresses of everything a running session consists of."""
    name = namespace_of(reservation)
    inside = {f"{k} {name}/{n}" for k, n in (each.split() for each in EVERYTHING)}
    return {f"Namespace {name}", *inside}


def booked(installation: Installation, first: float, last: float, **more: Any) -> Reservation:
    return make.reservation(of=installation.pool, at=make.window(first, last), **more)


def test_a_bookings_whole_life(installation: Installation) -> None:
    reservation = booked(installation, 1, 4)

    installation.at(0.5).reconcile()
    assert state_of(reservation) == ("APPROVED", "")
    assert installation.objects() == set()

    installation.at(1).reconcile()
    assert state_of(reservation) == ("ACTIVE", "READY")
    assert installation.objects() == expected(reservation)

    installation.at(4).reconcile()
    assert state_of(reservation) == ("COMPLETED", "ENDED")
    assert installation.objects() == set()


def test_the_tenant_is_let_in_after_everything_else(installation: Installation) -> None:
    booked(installation, 0, 4)

    report = installation.reconcile()

    applied = [change for change in report.changes if change.startswith("apply")]
    assert applied[0].startswith("apply Namespace")
    assert applied[1].startswith("apply ResourceQuota")
    assert applied[-1].endswith("/gpuaas-tenant")


def test_a_second_pass_writes_nothing(installation: Installation) -> None:
    booked(installation, 0, 4)
    installation.reconcile()

    report = installation.reconcile()

    assert report.changes == []
    assert report.looks == 1


def test_an_idle_pass_asks_the_same_number_of_questions_however_many_sessions_run(
    installation: Installation,
) -> None:
    calls = []
    for _ in range(3):
        booked(installation, 0, 4)
        installation.reconcile()
        calls.append(installation.reconcile().api_calls)

    assert calls == [{"list": 12}] * 3


def test_a_missed_hour_of_ticks_loses_nothing(installation: Installation) -> None:
    reservation = booked(installation, 1, 4)

    installation.at(2).reconcile()
    assert state_of(reservation) == ("ACTIVE", "READY")

    installation.at(5).reconcile()
    assert state_of(reservation) == ("COMPLETED", "ENDED")


def test_a_window_that_passed_unseen_fails_and_says_whose_fault_it_was(
    installation: Installation,
) -> None:
    reservation = booked(installation, 1, 2)

    installation.at(3).reconcile()

    assert state_of(reservation) == ("FAILED", "")
    assert reservation.state_reason == "the platform could not start it before its window ended"


@pytest.mark.parametrize("kind", sorted({each.split()[0] for each in EVERYTHING}))
def test_what_the_tenant_removed_comes_back(installation: Installation, kind: str) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    before = installation.objects()
    namespace = namespace_of(reservation)
    for found in _of_kind(installation, kind, namespace):
        ref = Ref(found["apiVersion"], kind, found["metadata"]["name"], namespace)
        installation.kube.delete(ref, uid=found["metadata"]["uid"])

    installation.reconcile()

    assert installation.objects() == before


def test_what_the_tenant_changed_is_put_right(installation: Installation) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    ref = Ref("v1", "ResourceQuota", "gpuaas", namespace_of(reservation))
    generous = installation.kube.get(ref)
    assert generous is not None
    hard = {**generous["spec"]["hard"], f"requests.{make.GPU}": "4"}
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {k: generous["metadata"][k] for k in ("name", "namespace", "labels")},
            "spec": {"hard": hard},
        }
    )

    report = installation.reconcile()

    assert report.changes == [f"apply {ref}"]
    healed = installation.kube.get(ref)
    assert healed is not None
    assert healed["spec"]["hard"][f"requests.{make.GPU}"] == "0"


def test_given_back_early_it_goes_in_the_next_pass(installation: Installation) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    reservation.refresh_from_db()
    services.give_back(
        reservation=reservation, actor=reservation.requested_by, now=installation.now
    )

    installation.reconcile()

    assert state_of(reservation) == ("COMPLETED", "ENDED")
    assert installation.objects() == set()


def test_back_to_back_bookings_of_one_device_hand_over_in_one_pass(
    installation: Installation,
) -> None:
    first = booked(installation, 0, 2, resource_name=make.GPU)
    second = booked(installation, 2, 4, resource_name=make.GPU)
    installation.reconcile()

    installation.at(2).reconcile()

    assert state_of(first) == ("COMPLETED", "ENDED")
    assert state_of(second) == ("ACTIVE", "READY")


def test_a_dry_run_tells_and_changes_nothing(installation: Installation) -> None:
    reservation = booked(installation, 0, 4)

    report = installation.reconcile(dry_run=True)

    assert any(change.startswith("open session") for change in report.changes)
    assert any(change.startswith("apply Namespace") for change in report.changes)
    assert state_of(reservation) == ("APPROVED", "")
    assert installation.objects() == set()
    assert report.api_calls == {"list": 11}


def test_a_second_pass_at_the_same_time_is_skipped(installation: Installation) -> None:
    reservation = booked(installation, 0, 4)

    with locks.held_alone(locks.LockSpace.RECONCILE_CYCLE, installation.row.pk) as alone:
        assert alone
        report = installation.reconcile()

    assert report.skipped == "another pass over this cluster is running"
    assert state_of(reservation) == ("APPROVED", "")


WRITES = 16  # a namespace and what is in it, as `EVERYTHING` has it, and one to spare


@pytest.mark.parametrize("kind", ["crash-before", "crash-after", "error", "garbage"])
@pytest.mark.parametrize("write", range(0, WRITES, 3))
def test_an_interruption_at_any_write_is_made_good(
    installation: Installation, simulator: Simulator, kind: str, write: int
) -> None:
    reservation = booked(installation, 0, 4)
    seen = 0
    apply = installation.kube.apply

    def apply_and_count(manifest: port.Manifest) -> port.Manifest:
        nonlocal seen
        if seen == write:
            simulator.fault(kind=kind, method="PATCH", code=503)
        seen += 1
        return apply(manifest)

    installation.kube.apply = apply_and_count  # type: ignore[method-assign]  # a port of ours
    installation.reconcile()
    simulator.clear_faults()

    for hour in (0.1, 0.2):
        installation.at(hour).reconcile()

    assert state_of(reservation) == ("ACTIVE", "READY")
    assert installation.objects() == expected(reservation)


def test_one_poisoned_session_does_not_stop_the_others(
    installation: Installation, simulator: Simulator
) -> None:
    poisoned = booked(installation, 0, 4)
    installation.reconcile()
    namespace = namespace_of(poisoned)
    ref = Ref("v1", "ResourceQuota", "gpuaas", namespace)
    found = installation.kube.get(ref)
    assert found is not None
    installation.kube.delete(ref, uid=found["metadata"]["uid"])
    simulator.fault(kind="error", code=500, path=f"{namespace}/resourcequotas", times=0)
    healthy = booked(installation, 0, 4)

    report = installation.reconcile()

    assert list(report.put_off) == [f"repair:{namespace}"]
    assert state_of(healthy) == ("ACTIVE", "READY")


def test_what_the_cluster_refuses_for_good_fails_with_the_reason_and_is_cleaned_up(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 4)
    simulator.fault(
        kind="error", code=403, method="PATCH", path="deployments", message="no deployments here"
    )

    installation.reconcile()
    installation.reconcile()

    assert state_of(reservation) == ("FAILED", "ENDED")
    assert "no deployments here" in reservation.state_reason
    assert installation.objects() == set()
    assert not Reservation.objects.holding_capacity().exists()


def test_a_refusal_never_takes_a_workspace_that_somebody_works_in(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    namespace = namespace_of(reservation)
    ref = Ref("v1", "Service", "workspace", namespace)
    found = installation.kube.get(ref)
    assert found is not None
    installation.kube.delete(ref, uid=found["metadata"]["uid"])
    simulator.fault(kind="error", code=403, method="PATCH", path="services", times=0)

    for minute in range(0, 180, 10):
        installation.at(minute / 60).reconcile()
    assert state_of(reservation) == ("ACTIVE", "READY")

    simulator.clear_faults()
    installation.at(3.5).reconcile()
    assert installation.objects() == expected(reservation)


def test_a_session_that_was_put_off_ends_with_its_window_all_the_same(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 1)
    installation.reconcile()
    WorkspaceSession.objects.update(failures=5, retry_at=make.at(9))

    installation.at(1).reconcile()

    assert state_of(reservation) == ("COMPLETED", "ENDED")


def test_an_outage_does_not_use_up_the_patience_with_a_slow_start(
    installation: Installation, simulator: Simulator
) -> None:
    installation.tick = IMPATIENT
    reservation = booked(installation, 0, 4)
    simulator.power("gpu-node-1", is_on=False)
    installation.reconcile()
    assert state_of(reservation) == ("ACTIVE", "PROVISIONING")

    installation.at(2).reconcile()
    assert state_of(reservation) == ("ACTIVE", "PROVISIONING")

    simulator.power("gpu-node-1", is_on=True)
    installation.tick = PATIENT
    installation.at(2.1).reconcile()
    assert state_of(reservation) == ("ACTIVE", "READY")


def test_a_workspace_that_never_gets_ready_fails_after_twenty_minutes_of_watching(
    installation: Installation, simulator: Simulator
) -> None:
    installation.tick = IMPATIENT
    reservation = booked(installation, 0, 4)
    simulator.power("gpu-node-1", is_on=False)

    installation.reconcile()
    session = WorkspaceSession.objects.get(reservation=reservation)
    for minute in range(1, 21):  # as the passes in between would
        sessions.record_waiting(session=session, reason="a slow start", now=make.at(minute / 60))

    for minute in (21, 22, 23):
        installation.at(minute / 60).reconcile()

    assert state_of(reservation) == ("FAILED", "ENDED")
    assert reservation.state_reason.startswith("not ready after 20 minutes:")


def test_a_session_waits_until_the_one_before_it_has_left_the_device(
    installation: Installation,
) -> None:
    installation.tick = IMPATIENT
    first = booked(installation, 0, 2, resource_name=make.GPU)
    second = booked(installation, 2, 4, resource_name=make.GPU)
    installation.reconcile()
    pinned = {"name": "pinned", "namespace": namespace_of(first), "finalizers": ["a.example/b"]}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": pinned}
    installation.kube.apply(config_map)

    report = installation.at(2).reconcile()
    assert state_of(first) == ("ACTIVE", "STOPPING")
    assert state_of(second) == ("ACTIVE", "PROVISIONING")
    assert "before yours" in report.waiting[f"start:{namespace_of(second)}"]

    installation.kube.apply({**config_map, "metadata": {**pinned, "finalizers": []}})
    installation.tick = PATIENT
    installation.at(2.1).reconcile()
    assert state_of(first) == ("COMPLETED", "ENDED")
    assert state_of(second) == ("ACTIVE", "READY")


def test_a_cluster_that_is_down_is_an_error_and_nothing_is_done(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 4)
    simulator.fault(kind="crash-before", times=0)

    with pytest.raises(ClusterUnavailable):
        installation.reconcile()

    assert state_of(reservation) == ("APPROVED", "")


def test_a_bug_in_one_session_is_put_off_and_noted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservation = booked(installation, 0, 4)
    monkeypatch.setattr(provision, "advance", lambda *_: 1 / 0)

    report = installation.reconcile()

    assert "ZeroDivisionError" in next(iter(report.put_off.values()))
    session = WorkspaceSession.objects.get(reservation=reservation)
    assert session.failures == 1
    assert session.retry_at is not None


def test_a_cancel_between_the_look_and_the_write_wins(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservation = booked(installation, 0, 4)
    open_session = sessions.open_session

    def cancel_first(**arguments: Any) -> WorkspaceSession:
        fresh = Reservation.objects.get(pk=reservation.pk)
        services.cancel(reservation=fresh, actor=fresh.requested_by, now=make.NOON)
        return open_session(**arguments)

    monkeypatch.setattr(sessions, "open_session", cancel_first)

    report = installation.reconcile()

    assert report.put_off == {}
    assert state_of(reservation) == ("CANCELED", "")
    assert installation.objects() == set()


def test_a_namespace_that_someone_deletes_comes_back_when_it_is_gone(
    installation: Installation,
) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    session = WorkspaceSession.objects.get(reservation=reservation)
    installation.kube.delete(Ref("v1", "Namespace", session.namespace), uid=session.namespace_uid)

    installation.reconcile()

    assert installation.objects() == expected(reservation)
    session.refresh_from_db()
    assert session.state == SessionState.READY


def test_a_namespace_that_lost_its_labels_is_stopped_all_the_same(
    installation: Installation,
) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    installation.reconcile()  # the second pass has seen the namespace's UID
    name = namespace_of(reservation)
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    installation.kube.apply(bare)
    assert Ref("v1", "Namespace", name) not in _seen(installation)

    installation.at(4).reconcile()

    assert state_of(reservation) == ("COMPLETED", "ENDED")
    assert installation.kube.get(Ref("v1", "Namespace", name)) is None


def test_a_strangers_namespace_of_the_same_name_is_left_alone(
    installation: Installation,
) -> None:
    session = make.session(of=booked(installation, 0, 4, state=lifecycle.State.ACTIVE))
    stranger = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": session.namespace}}
    installation.kube.apply(stranger)

    installation.at(4).reconcile()

    assert installation.kube.get(Ref("v1", "Namespace", session.namespace)) is not None


def test_a_session_being_stopped_survives_every_failure(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    simulator.fault(kind="error", code=403, method="DELETE", path="namespaces", times=1)

    installation.at(4).reconcile()
    assert state_of(reservation) == ("ACTIVE", "STOPPING")

    installation.at(4.5).reconcile()
    assert state_of(reservation) == ("COMPLETED", "ENDED")


def _seen(installation: Installation) -> set[Ref]:
    return set(observe.look(installation.kube, installation="gpuaas").objects)


def _of_kind(installation: Installation, kind: str, namespace: str) -> list[dict[str, Any]]:
    [api_version] = [v for v, k in observe.MANAGED_KINDS if k == kind]
    found = installation.kube.find(
        api_version, kind, namespace=namespace, labels=naming.ours("gpuaas")
    )
    return [{**each, "apiVersion": api_version} for each in found]


def test_what_goes_wrong_in_its_namespace_is_told_once(installation: Installation) -> None:
    reservation = booked(installation, 1, 4)
    installation.at(1).reconcile()
    namespace = namespace_of(reservation)
    about = {"apiVersion": "v1", "kind": "Pod", "name": "vllm-0", "namespace": namespace}
    for number in range(2):
        installation.kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"vllm-0.{number}", "namespace": namespace},
                "involvedObject": about,
                "type": "Warning",
                "reason": "OOMKilling",
                "message": "Memory cgroup out of memory",
            }
        )

    for hour in (1.1, 1.2):
        installation.at(hour).reconcile()

    session = WorkspaceSession.objects.get(reservation=reservation)
    told = session.events.filter(is_problem=True).values_list("message", flat=True)
    assert list(told) == ["vllm-0 used more memory than it may"]


def test_what_is_complete_is_compared_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until an object or the wish changes; without memory all is compared, and found the same."""
    compared: list[str] = []
    advance = provision.advance

    def counting(spec: SessionSpec, world: World) -> provision.Outcome:
        compared.append(spec.namespace)
        return advance(spec, world)

    monkeypatch.setattr(provision, "advance", counting)
    one, other = booked(installation, 0, 4), booked(installation, 0, 4)
    installation.reconcile()
    installation.reconcile()
    compared.clear()

    assert installation.reconcile().changes == []
    assert compared == []

    ref = Ref("v1", "ConfigMap", naming.PROXY, namespace_of(one))
    seen = installation.kube.get(ref)
    assert seen is not None
    installation.kube.change(seen, {"metadata": {"annotations": {"a": "b"}}})
    installation.reconcile()
    assert compared == [namespace_of(one)]

    compared.clear()
    Reservation.objects.filter(pk=other.pk).update(ends_at=make.at(5))
    assert installation.reconcile().changes == [f"apply Namespace {namespace_of(other)}"]
    assert compared == [namespace_of(other)]

    compared.clear()
    monkeypatch.setattr(cycle, "_complete", {})
    assert installation.reconcile().changes == []
    assert sorted(compared) == sorted([namespace_of(one), namespace_of(other)])
