"""The reconciler dies before or after any request and any commit, again and again: all heals.

A death is an exception that nobody catches, after which the process does nothing more: each further
request or statement raises it again, and the database connection is dropped with what it had open.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuaas.inventory import labels, services
from gpuaas.inventory.models import Pool
from reconciler import cluster as port
from reconciler.cluster import Manifest, Ref, client
from reservations import lifecycle
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.reconciler.conftest import Installation
from tests.reconciler.test_cycle import expected, state_of

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process is dead."""


@dataclass
class Life:
    """Moments that are left before the process dies; None: it lives on."""

    moments: int | None
    lived: int = 0

    def moment(self) -> None:
        if self.moments is not None and self.lived >= self.moments:
            raise Killed
        self.lived += 1


@dataclass
class MortalCluster:
    """A cluster asked by a process that may die before a request, or before the answer is read."""

    kube: port.Cluster
    life: Life
    calls: Any = field(init=False)
    answers: Any = field(init=False)

    def __post_init__(self) -> None:
        self.calls, self.answers = self.kube.calls, self.kube.answers

    def close(self) -> None:
        self.kube.close()

    def server_version(self) -> str:
        return self._ask(self.kube.server_version)

    def get(self, ref: Ref) -> Manifest | None:
        return self._ask(lambda: self.kube.get(ref))

    def find(self, api_version: str, kind: str, **narrowed: Any) -> list[Manifest]:
        return self._ask(lambda: self.kube.find(api_version, kind, **narrowed))

    def apply(self, manifest: Manifest) -> Manifest:
        return self._ask(lambda: self.kube.apply(manifest))

    def delete(self, ref: Ref, *, uid: str) -> bool:
        return self._ask(lambda: self.kube.delete(ref, uid=uid))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.kube, name)
        return lambda *args, **more: self._ask(lambda: method(*args, **more))

    def _ask(self, request: Callable[[], T]) -> T:
        self.life.moment()
        answer = request()
        self.life.moment()
        return answer


@contextmanager
def mortal_database(life: Life, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Die before or after commits: those of transactions, and of single statements."""
    commit = connection.commit

    def committing() -> None:
        try:
            life.moment()
        except Killed:
            connection.rollback()  # as the server does when it notices
            raise
        commit()
        life.moment()

    def executing(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Mapping[str, Any]
    ) -> Any:
        alone = not connection.in_atomic_block and sql.lstrip().startswith(WRITES)
        if alone:
            life.moment()
        found = execute(sql, params, many, context)
        if alone:
            life.moment()
        return found

    with monkeypatch.context() as patched, connection.execute_wrapper(executing):
        patched.setattr(connection, "commit", committing)
        yield


@pytest.fixture
def installation(simulator: Simulator) -> Iterator[Installation]:
    """Return the installation of `conftest`, with rows that a dead process leaves behind."""
    kube = client.connect(simulator.kubeconfig)
    row = make.cluster(name="simcluster")
    facts = [labels.facts_of(node) for node in kube.find("v1", "Node")]
    services.import_nodes(cluster=row, nodes=facts, actor=None, now=make.NOON)
    yield Installation(row, services.ensure_default_pool(cluster=row), kube)
    kube.close()


def live_and_die(installation: Installation, life: Life, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run one pass in a process with that ``life``; return whether it died."""
    immortal = installation.kube
    installation.kube = MortalCluster(immortal, life)
    try:
        with mortal_database(life, monkeypatch):
            installation.reconcile()
    except Killed:
        connection.close()  # what was open is rolled back
        return True
    finally:
        installation.kube = immortal
    return False


def heal(installation: Installation) -> None:
    """Run passes as the schedule does, until one changes nothing and waits for nothing."""
    reports = []
    for _ in range(10):
        reports.append(installation.reconcile())
        assert not reports[-1].put_off
        if not reports[-1].changes and not reports[-1].waiting:
            return
    pytest.fail(f"it does not settle: {reports[-1]}")


def wanted(reservation: Reservation, hour: float) -> tuple[str, str]:
    if hour < (reservation.starts_at - make.NOON).total_seconds() / 3600:
        return lifecycle.State.APPROVED.value, ""
    if hour < (reservation.ends_at - make.NOON).total_seconds() / 3600:
        return lifecycle.State.ACTIVE.value, SessionState.READY.value
    return lifecycle.State.COMPLETED.value, SessionState.ENDED.value


def all_is_as_it_should_be(
    installation: Installation, bookings: list[Reservation], hour: float
) -> None:
    objects: set[str] = set()
    for booking in bookings:
        assert state_of(booking) == wanted(booking, hour)
        if state_of(booking)[1] == SessionState.READY.value:
            objects |= expected(booking)
    assert installation.objects() == objects
    held = WorkspaceSession.objects.filter(reservation__in=bookings)
    assert held.count() == sum(wanted(each, hour)[1] != "" for each in bookings)


windows = st.tuples(st.integers(1, 3), st.integers(1, 3)).map(
    lambda drawn: (drawn[0], drawn[0] + drawn[1])
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    booked=st.lists(windows, min_size=1, max_size=3),
    deaths=st.lists(st.lists(st.integers(0, 160), max_size=2), min_size=6, max_size=6),
)
def test_whenever_it_dies_all_ends_as_if_it_had_not(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    booked: list[tuple[int, int]],
    deaths: list[list[int]],
) -> None:
    bookings = [
        make.reservation(of=installation.pool, at=make.window(*window)) for window in booked
    ]

    for hour, lives in enumerate(deaths, start=1):
        installation.at(hour)
        for moments in lives:
            live_and_die(installation, Life(moments), monkeypatch)
        heal(installation)
        all_is_as_it_should_be(installation, bookings, hour)


def test_it_can_die_at_every_moment_of_a_start_and_an_end(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One booking, and a process that dies one moment later each time, until one pass survives."""
    pool: Pool = installation.pool
    booking = make.reservation(of=pool, at=make.window(1, 4))
    for hour in (1, 4):
        deaths = 0
        installation.at(hour)
        while live_and_die(installation, Life(deaths), monkeypatch):
            deaths += 1
        assert deaths > 20, "the process was never really at risk"
        heal(installation)
        all_is_as_it_should_be(installation, [booking], hour)
