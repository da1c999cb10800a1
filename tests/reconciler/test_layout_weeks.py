"""Random bookings, layouts, failures and repairs over simulated weeks, on a node that a test cuts.

The calendar, healing and the reconciler's own look at the hardware are real; the cluster behind the
port is one node whose GPUs are cut as its label says, at once, later, or not at all.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gpuaas.accounts.models import OrganisationRole
from gpuaas.core.errors import DomainError
from gpuaas.inventory import gpu_operator, layouts, mig, operator_files
from gpuaas.inventory.models import Cluster, Device, DeviceState, Node, PlannedLayout
from reconciler import cluster as port
from reconciler.cluster import Manifest, Ref, ref_to
from reconciler.observe import Picture
from reconciler.phases import hardware
from reconciler.world import World
from reservations import lifecycle, selectors, services
from reservations.capacity import Window
from reservations.models import DeviceHold, Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.make import GPU, SLICE

HALF = "nvidia.com/mig-2g.48gb"
OPERATOR = "gpu-operator"
CUTS: tuple[dict[str, int], ...] = ({GPU: 1}, {HALF: 2}, {SLICE: 4})
FAR = timedelta(days=95)  # after everything that can be booked or planned here


class OneNode(port.Cluster):
    """The port to a cluster of one node with two GPUs, which NVIDIA's pods cut as they are told."""

    def __init__(self, name: str, is_used: Callable[[], bool]) -> None:
        self.calls: Counter[str] = Counter()
        self.answers: Counter[Any] = Counter()
        self.cut: dict[int, dict[str, int]] = {0: {SLICE: 4}, 1: {GPU: 1}}
        self.state, self.mood = "success", "works"
        self.labels: dict[str, str] = {}
        self.is_cordoned = False
        self.maps: dict[Ref, Manifest] = {}
        self._name, self._is_used = name, is_used

    def picture(self) -> Picture:
        return Picture(dict(self.maps))

    def find(self, api_version: str, kind: str, **_: Any) -> list[Manifest]:
        assert (api_version, kind) == ("v1", "Node")
        counts: Counter[str] = Counter()
        for cut in self.cut.values():
            counts.update(cut)
        shown = counts if self.state == "success" else {}
        ours: dict[str, Any] = {"f:unschedulable": {}} if self.is_cordoned else {}
        return [
            {
                "metadata": {
                    "name": self._name,
                    "uid": "1",
                    "labels": {**self.labels, "nvidia.com/mig.config.state": self.state},
                    "managedFields": [
                        {"manager": port.FIELD_MANAGER, "fieldsV1": {"f:spec": ours}}
                    ],
                },
                "spec": {"unschedulable": True} if self.is_cordoned else {},
                "status": {
                    "allocatable": {name: str(count) for name, count in shown.items()},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        ]

    def get(self, ref: Ref) -> Manifest | None:
        return self.maps.get(ref)

    def apply(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] == "ConfigMap":
            self.maps[ref_to(manifest)] = manifest
            return manifest
        labels = manifest["metadata"]["labels"]
        if self._cut_of(labels) not in (None, self.cut):
            assert not self._is_used(), "the node was to be cut under a session"
            self.state = "pending"
        self.labels = labels  # what an apply leaves out is taken away
        self.is_cordoned = bool(manifest.get("spec", {}).get("unschedulable"))
        return manifest

    def delete(self, ref: Ref, *, uid: str) -> bool:
        raise AssertionError(f"nothing is deleted here: {ref} {uid}")

    def change(self, seen: Manifest, fields: Manifest) -> Manifest:
        raise AssertionError(f"nothing of others is changed here: {seen} {fields}")

    def server_version(self) -> str:
        return "v1.36.0"

    def read_pod(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("no pod is read here")

    def request_token(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody asks for a token here")

    def close(self) -> None:
        """There is nothing to close."""

    def nvidia_works(self) -> None:
        """Do what the label says, or fail at it, or take one's time."""
        wanted = self._cut_of(self.labels)
        if self.mood == "sleeps" or wanted is None:
            return
        if wanted == self.cut:
            self.state = "success"
        elif self.mood == "fails":
            self.state = "failed"
        else:
            assert not self._is_used(), "a GPU was cut under a session"
            self.cut, self.state = wanted, "success"

    def _cut_of(self, labels: Mapping[str, str]) -> dict[int, dict[str, int]] | None:
        config = self.maps.get(Ref("v1", "ConfigMap", gpu_operator.MIG_CONFIG_MAP, OPERATOR))
        chosen = labels.get(gpu_operator.MIG_CONFIG_LABEL, "")
        if config is None or not chosen:
            return None
        entries = operator_files.read_mig_config(config["data"]["config.yaml"]).get(chosen)
        if entries is None:  # the label follows with the next look
            return None
        return {
            index: {mig.resource_name_of(name): n for name, n in entry["mig-devices"].items()}
            if entry["mig-enabled"]
            else {GPU: 1}
            for entry in entries
            for index in entry["devices"]
        }


class Weeks(RuleBasedStateMachine):
    """What happens to one node in some weeks."""

    def __init__(self) -> None:
        super().__init__()
        self.example = transaction.savepoint()
        self.now = make.NOON
        self.pool = make.pool()
        Cluster.objects.filter(pk=self.pool.cluster_id).update(gpu_operator_namespace=OPERATOR)
        self.cluster = Cluster.objects.get(pk=self.pool.cluster_id)
        Device.objects.update(replicas=1)
        Device.objects.filter(resource_name=SLICE).update(gpu_index=0)
        Device.objects.filter(resource_name=GPU).update(gpu_index=1)
        self.team = make.team()
        self.person = make.user(teams=[self.team])
        self.admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)
        self.stuck = False
        self.kube = OneNode(self.node.name, self._is_used)
        self._look()
        self._look()

    @property
    def node(self) -> Node:
        return Node.objects.select_related("pool", "cluster").get(pool=self.pool)

    def teardown(self) -> None:
        """Let everything end well, and see that nothing is left over."""
        try:
            self.kube.mood, self.stuck = "works", False
            for state in PlannedLayout.objects.values_list("state", flat=True):
                event(f"a layout was {state}")
            for hours in (0, 1, 24 * 16, 24 * 16, 24 * 16, 1, 1, 1):
                self._pass(timedelta(hours=hours))
            assert not PlannedLayout.objects.filter(state__in=sorted(layouts.STANDING)).exists()
            assert self.kube.cut == {0: {SLICE: 4}, 1: {GPU: 1}}
            assert not self.kube.is_cordoned
            assert self.node.frozen_because == ""
            own = Device.objects.filter(layout=None)
            assert own.count() == own.filter(is_present=True).count() == 5
        finally:
            transaction.savepoint_rollback(self.example)

    # --- what happens ---------------------------------------------------------------------------

    @rule(
        name=st.sampled_from([SLICE, SLICE, GPU, HALF]),
        units=st.integers(1, 2),
        start=st.integers(0, 24),
        hours=st.integers(1, 12),
    )
    def book(self, name: str, units: int, start: int, hours: int) -> None:
        starts_at = self.now + timedelta(hours=start)
        wish = make.wish(
            resource_name=name,
            units=units,
            at=Window(starts_at, starts_at + timedelta(hours=hours)),
            storage_gib=10,
        )
        with refused():
            services.admit(
                pool=self.pool, team=self.team, requested_by=self.person, wish=wish, now=self.now
            )

    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        live = list(Reservation.objects.filter(state="APPROVED").order_by("starts_at"))
        if live:
            with refused():
                services.cancel(
                    reservation=live[which % len(live)], actor=self.person, now=self.now
                )

    @rule(
        gpu=st.integers(0, 1),
        cut=st.sampled_from(CUTS),
        start=st.integers(0, 12),
        hours=st.integers(1, 24),
    )
    def plan(self, gpu: int, cut: dict[str, int], start: int, hours: int) -> None:
        starts_at = self.now + timedelta(hours=start)
        with refused():
            services.plan_layout(
                node=self.node,
                gpu_index=gpu,
                cut=cut,
                times=layouts.Times(starts_at, starts_at + timedelta(hours=hours)),
                reason="weeks",
                actor=self.admin,
                now=self.now,
            )

    @rule(
        gpu=st.integers(0, 1),
        cut=st.sampled_from(CUTS),
        hours=st.integers(2, 6),
        stuck=st.booleans(),
    )
    def a_layout_comes(self, gpu: int, cut: dict[str, int], hours: int, stuck: bool) -> None:
        """Let one come after a session, which may not end, and somebody book what it brings.

        By chance alone few of them ever stand.
        """
        self.book(name=SLICE, units=1, start=0, hours=1)
        self.plan(gpu=gpu, cut=cut, start=2, hours=hours)
        self.book(name=next(iter(cut)), units=1, start=3, hours=1)
        self.stuck = stuck
        self._pass(timedelta(hours=2, minutes=10))
        self.stuck = False
        self._pass(timedelta(hours=1, minutes=10))

    @rule()
    def take_back(self) -> None:
        layout = PlannedLayout.objects.filter(state__in=sorted(layouts.STANDING)).first()
        if layout is not None:
            with refused():
                services.cancel_layout(layout=layout, actor=self.admin, now=self.now)

    @rule(mood=st.sampled_from(["works", "works", "sleeps", "fails"]))
    def nvidia_is(self, mood: str) -> None:
        self.kube.mood = mood

    @rule(stuck=st.booleans())
    def sessions_end(self, stuck: bool) -> None:
        self.stuck = stuck

    @rule(
        which=st.integers(0, 4), state=st.sampled_from([DeviceState.FAILED, DeviceState.IN_SERVICE])
    )
    def a_device_is(self, which: int, state: DeviceState) -> None:
        device = Device.objects.filter(layout=None).order_by("pk")[which]
        Device.objects.filter(pk=device.pk).update(state=state)

    @rule(hours=st.sampled_from([0.5, 6, 40]))
    def nobody_looks_for(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @rule(hours=st.sampled_from([0.1, 3, 8, 8, 20]))
    def time_goes_by(self, hours: float) -> None:
        self._pass(timedelta(hours=hours))

    # --- what never happens ---------------------------------------------------------------------

    @invariant()
    def no_device_has_two_sessions(self) -> None:
        used = Counter(self._used())
        assert all(count == 1 for count in used.values()), used

    @invariant()
    def every_session_has_its_device(self) -> None:
        there = Counter[tuple[int | None, str]]()
        for index, cut in self.kube.cut.items():
            there.update({(index, name): count for name, count in cut.items()})
        wanted = Counter(
            (device.gpu_index, device.resource_name)
            for device in Device.objects.filter(pk__in=list(self._used()))
        )
        assert all(count <= there[where] for where, count in wanted.items()), (wanted, there)

    @invariant()
    def no_booking_counts_on_what_will_not_exist(self) -> None:
        gone = Counter(DeviceHold.objects.filter(reservation=None).values_list("device_id"))
        assert gone or not PlannedLayout.objects.filter(state="planned").exists()
        for each in Reservation.objects.filter(state="APPROVED").prefetch_related("holds__device"):
            holds = list(each.holds.all())
            assert len(holds) == each.units
            assert {hold.device.resource_name for hold in holds} == {each.resource_name}

    @invariant()
    def no_capacity_is_lost(self) -> None:
        [state] = selectors.node_states(self.pool, now=self.now)
        later = Window(self.now + FAR, self.now + FAR + timedelta(hours=1))
        for name in (SLICE, GPU, HALF):
            own = Device.objects.filter(layout=None, resource_name=name, state="in_service")
            assert state.free(name, within=later).devices == own.count(), name

    # --- how it goes on -------------------------------------------------------------------------

    def _pass(self, length: timedelta) -> None:
        """Go on by ``length``, looking whenever something is due and shortly after it."""
        until = self.now + length
        due = [self.now, *Reservation.objects.values_list("starts_at", flat=True)]
        due += Reservation.objects.values_list("ends_at", flat=True)
        moments = {at + timedelta(seconds=10) for at in due} | {until}
        for layout in PlannedLayout.objects.filter(state__in=sorted(layouts.STANDING)):
            for at in (layout.starts_at, layout.ends_at):
                moments |= {at + timedelta(minutes=minutes) for minutes in (1, 2, 3, 16)}
        for moment in sorted(moments):
            if self.now < moment <= until or moment == until:
                self.now = moment
                self._end_sessions()
                self._start_sessions()
                self._look()
                self.kube.nvidia_works()
                self._look()
                services.heal(pool=self.pool, now=self.now)

    def _look(self) -> None:
        world = World(self.kube, self.kube.picture())
        hardware.act(self.cluster, world, self.now)

    def _start_sessions(self) -> None:
        for missed in selectors.missed(self.cluster, now=self.now):
            services.fail_missed(reservation=missed, now=self.now)
        used = set(self._used())
        for each in selectors.due_to_start(self.cluster, now=self.now):
            held = set(each.holds.values_list("device_id", flat=True))
            if held & used:
                continue  # as the reconciler does: the session before it is not gone yet
            services.transition(
                reservation=each,
                target=lifecycle.State.ACTIVE,
                reason="",
                actor=None,
                now=self.now,
            )
            make.session(of=each)
            used |= held

    def _end_sessions(self) -> None:
        over = WorkspaceSession.objects.exclude(state=SessionState.ENDED.value)
        for session in over.select_related("reservation"):
            if session.reservation.ends_at <= self.now and not self.stuck:
                WorkspaceSession.objects.filter(pk=session.pk).update(
                    state=SessionState.ENDED.value, ended_at=self.now
                )
                services.transition(
                    reservation=session.reservation,
                    target=lifecycle.State.COMPLETED,
                    reason="",
                    actor=None,
                    now=self.now,
                )

    def _used(self) -> Iterator[int]:
        """Yield the devices of the sessions that are there, by right or longer."""
        running = WorkspaceSession.objects.exclude(state=SessionState.ENDED.value)
        yield from DeviceHold.objects.filter(
            reservation__in=running.values("reservation")
        ).values_list("device_id", flat=True)

    def _is_used(self) -> bool:
        return any(True for _ in self._used())


@contextmanager
def refused() -> Iterator[None]:
    """Let a refusal pass: it changes nothing."""
    point = transaction.savepoint()
    try:
        yield
    except DomainError:
        transaction.savepoint_rollback(point)


@pytest.mark.django_db
@pytest.mark.timeout(300)
def test_over_weeks_nobody_shares_loses_or_misses_a_device() -> None:
    run_state_machine_as_test(
        Weeks,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
