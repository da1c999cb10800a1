"""Usage that comes when its month is closed, or is being closed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from django.db import connection, transaction

from gpuaas.core import locks
from tests import make
from tests.costs.october import MONTH, OVER, SETTLED, October, enter, october
from tokenomics.core.ledger import Booking, GpuUsage, Usage
from tokenomics.models import CostPeriod, GpuEntry, UsageEntry
from tokenomics.services import periods, usage

NOVEMBER = date(2026, 11, 1)
LAST_HOUR = OVER.replace(month=10, day=31, hour=20, minute=0, second=0, microsecond=0)


def entry(event_id: str, reservation_id: int, team_id: int, pool_id: int) -> Usage:
    booking = Booking(reservation_id, team_id, pool_id, LAST_HOUR, LAST_HOUR + timedelta(hours=2))
    return Usage(
        source="gateway",
        event_id=event_id,
        booking=booking,
        engine="vllm",
        model="qwen",
        started_at=LAST_HOUR,
        ended_at=LAST_HOUR + timedelta(minutes=1),
        generated=5,
    )


def told(month: October, event_id: str) -> Usage:
    one = make.reservation()
    return entry(event_id, one.pk, one.team_id, one.pool_id)


@pytest.fixture
def month() -> October:
    made = october()
    enter(made.by)
    return made


def soft(month: October) -> CostPeriod:
    return periods.soft_close(period=month.period(), actor=month.by, now=OVER)


@pytest.mark.django_db
def test_what_comes_for_a_closed_month_counts_in_the_open_one(month: October) -> None:
    usage.record([told(month, "in time")], now=OVER)
    periods.close(period=soft(month), actor=month.by, now=SETTLED)

    # By the clock of who tells it, the grace is not over.
    usage.record([told(month, "late")], now=SETTLED - timedelta(hours=1))
    one = make.reservation()
    gpu = GpuUsage(
        source="dcgm",
        event_id="late",
        cluster_id=one.pool.cluster_id,
        node="n",
        gpu_uuid="GPU-1",
        instance="",
        reservation_id=one.pk,
        started_at=LAST_HOUR,
        ended_at=LAST_HOUR + timedelta(minutes=1),
        active_ms=1,
        energy_mj=1,
    )
    usage.record_gpus([gpu], now=SETTLED - timedelta(hours=1))

    charged = dict(UsageEntry.objects.values_list("event_id", "charged_month"))
    assert charged == {"in time": MONTH, "late": NOVEMBER}
    assert GpuEntry.objects.get().charged_month == NOVEMBER
    assert {each.hour for each in UsageEntry.objects.all()} == {LAST_HOUR}


@contextmanager
def being_booked(usage_entry: Usage) -> Iterator[None]:
    """Book it in a transaction that is not done before the block is."""
    written, go_on = threading.Event(), threading.Event()

    def book() -> None:
        with transaction.atomic():
            usage.record([usage_entry], now=SETTLED - timedelta(hours=1))
            written.set()
            go_on.wait(20)
        connection.close()

    thread = threading.Thread(target=book)
    thread.start()
    assert written.wait(20)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_closing_waits_for_what_is_being_booked(
    month: October, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periods, "LONGEST_BATCH", timedelta(milliseconds=200))
    period = soft(month)

    with being_booked(told(month, "just now")), pytest.raises(locks.LockBusy):
        periods.close(period=period, actor=month.by, now=SETTLED)

    closed = periods.close(period=period, actor=month.by, now=SETTLED)
    assert closed.state == "closed"
    assert UsageEntry.objects.get().charged_month == MONTH


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_closed_month_gets_usage(
    month: October, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "share_until_commit", lambda *_, **__: None)
    period = soft(month)

    with being_booked(told(month, "just now")):
        closed = periods.close(period=period, actor=month.by, now=SETTLED)
        assert not UsageEntry.objects.exists()

    assert closed.state == "closed"
    assert UsageEntry.objects.get().charged_month == MONTH
