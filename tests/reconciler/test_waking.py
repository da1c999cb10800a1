"""`reconciler.waking`: windows that open between two ticks are opened as they do."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from gpuaas.inventory.models import Cluster
from reconciler import cycle, tasks, waking
from reservations import lifecycle
from reservations.capacity import Window
from tests import make

pytestmark = pytest.mark.django_db
TICK = timedelta(seconds=30)


def seconds(count: float) -> datetime:
    return make.NOON + timedelta(seconds=count)


def opening_at(count: float, **more: Any) -> None:
    starts_at = seconds(count)
    make.reservation(at=Window(starts_at, starts_at + timedelta(hours=1)), **more)


def due() -> list[float]:
    moments = waking.due_between(make.NOON, make.NOON + TICK)
    return [(each - make.NOON).total_seconds() for each in moments]


def test_it_wakes_when_a_window_opens() -> None:
    opening_at(15)

    assert due() == [15]


def test_windows_that_open_close_together_are_one_pass() -> None:
    for count in (11, 12, 14.5, 15, 20):
        opening_at(count)

    assert due() == [15, 20]


@pytest.mark.parametrize("count", [0, 27, 30, 31])
def test_what_the_ticks_find_themselves_wakes_nobody(count: float) -> None:
    opening_at(count)

    assert due() == []


@pytest.mark.parametrize("state", [lifecycle.State.PENDING, lifecycle.State.CANCELED])
def test_only_what_is_to_be_started_wakes(state: lifecycle.State) -> None:
    opening_at(15, state=state)

    assert due() == []


def test_a_cluster_that_is_left_alone_wakes_nobody() -> None:
    opening_at(15)
    Cluster.objects.update(is_enabled=False)

    assert due() == []


def test_a_tick_asks_for_the_passes_until_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at the moment itself, and none that is still waiting when it is of no more use."""
    asked, ran = [], []

    class Wake:
        @staticmethod
        def apply_async(*, eta: datetime, expires: datetime) -> None:
            asked.append((eta, expires))

    monkeypatch.setattr(tasks, "wake", Wake)
    monkeypatch.setattr(cycle, "run_on_each_cluster", lambda **_: ran.append(len(asked)))
    now = timezone.now()
    starts_at = now + timedelta(seconds=20)
    make.reservation(at=Window(starts_at, starts_at + timedelta(hours=1)))

    tasks.reconcile()

    [(eta, expires)] = asked
    assert starts_at <= eta <= starts_at + waking.TOGETHER
    assert expires == eta + TICK
    assert ran == [1]


def test_a_woken_pass_is_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    monkeypatch.setattr(cycle, "run_on_each_cluster", lambda **given: ran.append(given["patience"]))

    tasks.wake()

    assert ran == [cycle.LONGEST_PASS]
