"""The ledger of usage: once, for good, and summed right whatever comes late or twice."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.db.utils import DatabaseError

from gpuaas.audit.models import AuditEvent
from reservations.models import Reservation
from tests import make
from tests.concurrency.threads import at_once
from tokenomics import selectors
from tokenomics.core.ledger import Booking, GpuUsage, Usage
from tokenomics.models import GpuEntry, GpuHour, MeterSpan, UsageDay, UsageEntry, UsageHour
from tokenomics.services import bulk
from tokenomics.services import usage as services

MONTH = make.NOON.astimezone(UTC).date().replace(day=1)


def booking_of(reservation: Reservation) -> Booking:
    return Booking(
        reservation.pk,
        reservation.team_id,
        reservation.pool_id,
        reservation.starts_at,
        reservation.ends_at,
    )


def usage(booking: Booking, event_id: str = "1", **changes: object) -> Usage:
    entry = Usage(
        source="gateway",
        event_id=event_id,
        booking=booking,
        engine="vllm",
        model="qwen",
        started_at=make.NOON,
        ended_at=make.NOON + timedelta(minutes=1),
        prompt_computed=100,
        prompt_cached=20,
        generated=30,
        requests=1,
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def gpu(reservation: Reservation | None, cluster_id: int, event_id: str = "1") -> GpuUsage:
    return GpuUsage(
        source="dcgm",
        event_id=event_id,
        cluster_id=cluster_id,
        node="n",
        gpu_uuid="GPU-1",
        instance="",
        reservation_id=reservation.pk if reservation else None,
        started_at=make.NOON,
        ended_at=make.NOON + timedelta(minutes=1),
        active_ms=30_000,
        energy_mj=None if event_id == "unmeasured" else 1000,
    )


@pytest.fixture
def booking(db: None) -> Booking:
    return booking_of(make.reservation())


def test_the_same_event_again_is_accepted_without_effect(booking: Booking) -> None:
    first = services.record([usage(booking)], now=make.NOON)
    again = services.record([usage(booking), usage(booking, "2")], now=make.NOON)

    assert (first, again) == (services.Booked(1, 0), services.Booked(1, 1))
    hour = UsageHour.objects.get()
    assert (hour.generated, hour.entries) == (60, 2)
    assert UsageDay.objects.get().prompt_computed == 200


def test_another_body_is_refused_and_nothing_of_the_batch_is_booked(booking: Booking) -> None:
    services.record([usage(booking)], now=make.NOON)

    with pytest.raises(services.ToldOtherwise, match="event 1 of gateway"):
        services.record([usage(booking, "new"), usage(booking, generated=31)], now=make.NOON)

    assert UsageEntry.objects.get().generated == 30
    assert UsageHour.objects.get().entries == 1
    assert AuditEvent.objects.filter(action="usage.refused").count() == 1


def test_two_bodies_in_one_batch_are_refused(booking: Booking) -> None:
    with pytest.raises(services.ToldOtherwise):
        services.record([usage(booking), usage(booking, model="other")], now=make.NOON)

    assert not UsageEntry.objects.exists()


def test_too_many_at_once_are_refused(booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "AT_ONCE", 1)

    with pytest.raises(services.TooManyEntries, match="at most 1"):
        services.record([usage(booking), usage(booking, "2")], now=make.NOON)
    assert services.record([], now=make.NOON) == services.Booked(0, 0)


@pytest.mark.parametrize("table", ["tokenomics_usageentry", "tokenomics_gpuentry"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET source = 'x'", "DELETE FROM {}"])
def test_the_database_refuses_to_change_an_entry(booking: Booking, table: str, sql: str) -> None:
    reservation = Reservation.objects.get()
    services.record([usage(booking)], now=make.NOON)
    services.record_gpus([gpu(reservation, reservation.pool.cluster_id)], now=make.NOON)

    with (
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
    ):
        cursor.execute(sql.format(table))

    assert UsageEntry.objects.count() == GpuEntry.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["tokenomics_usageentry", "tokenomics_gpuentry"])
def test_the_database_refuses_to_empty_a_ledger(table: str) -> None:
    trigger = f"{table}_no_truncate"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        with pytest.raises(DatabaseError, match="append-only: TRUNCATE"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table}")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")


def test_late_data_counts_in_its_hour_and_in_the_month_that_is_open(booking: Booking) -> None:
    end = datetime(2026, 12, 1, tzinfo=UTC)
    late = usage(booking, started_at=end - timedelta(minutes=9), ended_at=end)

    for event, arrived in (("1", end), ("2", end + timedelta(days=2)), ("3", end + timedelta(4))):
        services.record([replace(late, event_id=event)], now=arrived)

    rows = UsageHour.objects.order_by("charged_month").values_list("charged_month", "entries")
    assert list(rows) == [(date(2026, 11, 1), 2), (date(2026, 12, 1), 1)]
    assert {row.hour for row in UsageHour.objects.all()} == {end - timedelta(hours=1)}
    assert selectors.usage_by_day(date(2026, 12, 1)).get().day == date(2026, 11, 30)


def test_sums_are_the_ledger_whatever_comes_late_or_twice(booking: Booking) -> None:
    chance = random.Random(8)  # noqa: S311 -- a test's own chance
    events = [
        usage(
            booking,
            str(number),
            model=chance.choice(["a", "b"]),
            generated=chance.choice([None, 0, 7, 10**11]),
            started_at=(when := make.NOON + timedelta(minutes=chance.randrange(3000))),
            ended_at=when + timedelta(seconds=chance.randrange(3600)),
        )
        for number in range(200)
    ]
    for _ in range(12):
        services.record(chance.sample(events, 60), now=make.NOON + timedelta(days=3))
    services.record(events, now=make.NOON + timedelta(days=3))

    assert UsageEntry.objects.count() == 200
    assert selectors.differences(MONTH) == []
    told = sum(each.generated or 0 for each in events)
    assert sum(day.generated for day in selectors.usage_by_day(MONTH)) == told
    assert sum(hour.generated for hour in selectors.usage_by_booking_and_hour(MONTH)) == told


def test_a_sum_that_is_not_the_ledger_is_found(booking: Booking) -> None:
    services.record([usage(booking)], now=make.NOON)
    UsageHour.objects.update(generated=31)

    assert [kind for kind, *_ in selectors.differences(MONTH)] == ["day", "hour"]


def test_gpus_are_booked_once_for_a_booking_or_for_nobody(booking: Booking) -> None:
    reservation = Reservation.objects.get()
    cluster = reservation.pool.cluster_id
    entries = [gpu(reservation, cluster), gpu(reservation, cluster, "unmeasured")]
    idle = [gpu(None, cluster, "idle"), gpu(None, cluster, "idle 2")]

    for _ in range(2):
        services.record_gpus([*entries, *idle], now=make.NOON)

    booked = selectors.gpu_by_booking_and_hour(MONTH).get(reservation=reservation)
    assert (booked.seen_ms, booked.measured_ms) == (120_000, 60_000)
    assert (booked.active_ms, booked.active_seen_ms, booked.energy_mj) == (60_000, 120_000, 1000)
    assert GpuHour.objects.get(reservation=None).entries == 2
    assert selectors.gpu_entries_of(reservation).count() == 2
    with pytest.raises(services.ToldOtherwise):
        services.record_gpus([replace(entries[0], energy_mj=1)], now=make.NOON)


def test_coverage_is_the_seen_part_of_what_has_passed(booking: Booking) -> None:
    reservation = Reservation.objects.get()
    start, hour = reservation.starts_at, timedelta(hours=1)
    assert selectors.coverage_of(reservation, now=start - hour).ratio is None
    for since, until in ((-1, 0.5), (1, 1.5), (1.25, 2), (50, 60)):
        MeterSpan.objects.create(
            reservation=reservation, since=start + since * hour, until=start + until * hour
        )

    covered = selectors.coverage_of(reservation, now=start + 4 * hour)

    length = min(4 * hour, reservation.ends_at - start)
    assert covered.seen == 1.5 * hour
    assert covered.ratio == covered.seen / length
    assert covered.gaps[0] == (start + 0.5 * hour, start + hour)
    assert covered.gaps[1:] == (((start + 2 * hour, start + length),) if length > 2 * hour else ())
    assert covered.final is None


def race(*, in_order: bool) -> list[str]:
    """Let four writers tell the same 300 events, each shuffled; return their errors."""
    booking = booking_of(make.reservation())
    events = [usage(booking, str(number), model=f"m{number % 7}") for number in range(300)]
    fresh: list[int] = []

    def writer(seed: int) -> Callable[[], str]:
        order = random.Random(seed).sample(events, 300)  # noqa: S311 -- a test's own chance

        def write() -> str:
            for first in range(0, 300, 50):
                batch = order[first : first + 50]
                try:
                    fresh.append(services.record(batch, now=make.NOON).fresh)
                except OperationalError as error:
                    return str(error)
            return ""

        return write

    errors = [error for error in at_once([writer(seed) for seed in range(4)]) if error]
    if in_order:
        assert sum(fresh) == UsageEntry.objects.count() == 300
    assert selectors.differences(MONTH) == []
    return errors


@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_events_book_each_once() -> None:
    assert race(in_order=True) == []


@pytest.mark.django_db(transaction=True)
def test_without_an_order_they_wait_for_each_other_in_a_circle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "_INSERT", bulk._INSERT.replace("ORDER BY source, event_id", ""))  # noqa: SLF001

    assert any("deadlock" in error for _ in range(5) for error in race(in_order=False))


def test_batches_of_one_transaction_do_not_mix(booking: Booking) -> None:
    with transaction.atomic():
        first = services.record([usage(booking)], now=make.NOON)
        second = services.record([usage(booking, "2")], now=make.NOON)

    assert (first, second) == (services.Booked(1, 0), services.Booked(1, 0))
    assert UsageHour.objects.get().entries == 2


def test_text_arrives_as_it_was_told(booking: Booking) -> None:
    model = "a\tb\nc\\N\\.\r'\"名"
    evidence = {"series": "back\\slash \t\n {}", "to": {"generated": 3}}

    services.record([usage(booking, model=model, evidence=evidence)], now=make.NOON)

    entry = UsageEntry.objects.get()
    assert (entry.model, entry.evidence) == (model, evidence)
    assert UsageDay.objects.get().model == model


def test_a_refusal_leaves_the_connection_fit_for_the_next(booking: Booking) -> None:
    services.record([usage(booking)], now=make.NOON)
    with pytest.raises(services.ToldOtherwise):
        services.record([usage(booking, generated=31), usage(booking, "2")], now=make.NOON)

    assert services.record([usage(booking, "2")], now=make.NOON) == services.Booked(1, 0)
