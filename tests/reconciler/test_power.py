"""The node loses power in the middle of sessions, at any moment: all heals, and nobody has to act.

A cut comes before or after any request of a pass.  What ran on the node is gone: its pods are not
ready any more, and a pod that is deleted stays until the power is back.  A reboot takes every pod.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cluster import Ref
from reconciler.provision import is_available
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from simcluster.controllers import nodes
from simcluster.objects import kinds
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation
from tests.reconciler.test_crash import (
    MortalCluster,
    all_is_as_it_should_be,
    heal,
    windows,
)
from tests.reconciler.test_crash import (
    installation as installation,  # noqa: PLC0414 -- a fixture
)
from tests.reconciler.test_cycle import state_of

pytestmark = pytest.mark.django_db(transaction=True)
NODE = "gpu-node-1"
QUICK, LONG = timedelta(milliseconds=100), timedelta(seconds=4)


@dataclass
class Power:
    """Power that fails after so many moments, and is back when somebody brings it."""

    simulator: Simulator
    moments: int
    reboots: bool
    lived: int = field(default=0)

    def moment(self) -> None:
        if self.lived == self.moments:
            self.fail()
        self.lived += 1

    def fail(self) -> None:
        self.simulator.power(NODE, is_on=False)
        if self.reboots:
            self.simulator.call(self._lose_every_pod)

    def back(self) -> None:
        self.simulator.power(NODE, is_on=True)

    def _lose_every_pod(self) -> None:
        registry = self.simulator.server.cluster.registry
        for pod in list(registry.store.every(kinds.POD)):
            registry.store.remove(kinds.POD, pod)
        nodes.switch(registry, registry.get(kinds.NODE, "", NODE), is_on=True)


def pass_with(power: Power, installation: Installation) -> None:
    """Run one pass in which the power fails, or right after which it does."""
    steady = installation.kube
    installation.kube = MortalCluster(steady, power)  # type: ignore[arg-type]  # a life of a kind
    try:
        installation.reconcile()
    finally:
        installation.kube = steady
    if power.lived <= power.moments:
        power.fail()


def nothing_is_lost(bookings: list[Reservation], hour: float) -> None:
    """See that no booking failed, and that whoever had a workspace still has the booking."""
    for booking in bookings:
        reservation, session = state_of(booking)
        is_over = (booking.ends_at - make.NOON).total_seconds() / 3600 <= hour
        assert reservation in ({"COMPLETED", "ACTIVE"} if is_over else {"APPROVED", "ACTIVE"})
        assert is_over or session in {"", "PROVISIONING", "READY"}


def every_workspace_runs(installation: Installation) -> None:
    for session in WorkspaceSession.objects.filter(state=SessionState.READY.value):
        deployment = installation.kube.get(
            Ref("apps/v1", "Deployment", "workspace", session.namespace)
        )
        assert deployment is not None
        assert is_available(deployment)


cuts = st.none() | st.tuples(st.integers(0, 120), st.booleans(), st.booleans())


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    booked=st.lists(windows, min_size=1, max_size=3),
    happenings=st.lists(cuts, min_size=6, max_size=6),
)
def test_whenever_the_power_fails_all_heals_when_it_is_back(
    installation: Installation,
    simulator: Simulator,
    booked: list[tuple[int, int]],
    happenings: list[tuple[int, bool, bool] | None],
) -> None:
    bookings = [
        make.reservation(of=installation.pool, at=make.window(*window)) for window in booked
    ]

    for hour, happening in enumerate(happenings, start=1):
        installation.at(hour)
        installation.tick = LONG
        stays_dark = False
        if happening is not None:
            moments, reboots, stays_dark = happening
            power = Power(simulator, moments, reboots and not stays_dark)
            pass_with(power, installation)
            installation.reconcile()
            nothing_is_lost(bookings, hour)
            if not stays_dark:
                power.back()
        if not stays_dark:
            simulator.power(NODE, is_on=True)
            installation.tick = QUICK
            heal(installation)
            all_is_as_it_should_be(installation, bookings, hour)
            every_workspace_runs(installation)
    simulator.power(NODE, is_on=True)
    installation.at(7).tick = QUICK
    heal(installation)
    all_is_as_it_should_be(installation, bookings, 7)


def test_who_ends_in_the_dark_is_over_and_gone_when_the_light_is_back(
    installation: Installation, simulator: Simulator
) -> None:
    booking = make.reservation(of=installation.pool, at=make.window(1, 3))
    installation.at(1).reconcile()
    simulator.power(NODE, is_on=False)
    installation.tick = LONG

    installation.at(3).reconcile()
    dark = state_of(booking)
    simulator.power(NODE, is_on=True)
    installation.tick = QUICK
    heal(installation)

    assert dark == ("ACTIVE", "STOPPING"), "its pod cannot be seen to be gone"
    assert state_of(booking) == ("COMPLETED", "ENDED")
    assert installation.objects() == set()
