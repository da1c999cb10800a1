"""Where spans end and batches are too long: the edges that no pass comes to."""

from datetime import timedelta

import pytest
from django.db.models import Sum

from reservations.models import Reservation
from tests import make
from tokenomics.core.engines.reading import Reading
from tokenomics.models import FinalReading, MeterSpan, UsageEntry
from tokenomics.services import events, meters
from tokenomics.services.usage import TooManyEntries

pytestmark = pytest.mark.django_db


@pytest.fixture
def reservation() -> Reservation:
    return make.reservation()


def test_a_final_reading_long_after_the_end_adds_no_span(reservation: Reservation) -> None:
    start, end = reservation.starts_at, reservation.ends_at
    meters.book_look(reservation=reservation, looks=[], now=start + timedelta(minutes=1))
    meters.book_look(reservation=reservation, looks=[], now=end + timedelta(hours=1), is_final=True)

    span = MeterSpan.objects.get()
    assert (span.since, span.until) == (start, start + timedelta(minutes=1))
    assert FinalReading.objects.get().problem == ""


def test_the_first_look_of_all_sees_no_further_back_than_a_gap(reservation: Reservation) -> None:
    now = reservation.starts_at + timedelta(hours=1)
    meters.book_look(reservation=reservation, looks=[], now=now)

    assert MeterSpan.objects.get().since == now - meters.LONGEST_GAP


def test_more_events_than_a_batch_has_are_refused(reservation: Reservation) -> None:
    event = events.Event(
        event_id="1",
        reservation=reservation.public_id,
        engine="ollama",
        model="llama",
        started_at=reservation.starts_at,
        ended_at=reservation.starts_at,
    )

    with pytest.raises(TooManyEntries, match="1001 events at once"):
        events.tell(source="gw", events=[event] * 1001, actor=make.user(), now=make.NOON)


def test_computed_tokens_are_kept_apart_over_looks(reservation: Reservation) -> None:
    for minute, (prompt, cached) in enumerate([(100, 20), (100, 70), (180, 70)], 1):
        reading = Reading("sglang", "m", prompt_total=prompt, prompt_cached=cached)
        meters.book_look(
            reservation=reservation,
            looks=[meters.EngineLook("uid", (reading,))],
            now=reservation.starts_at + timedelta(minutes=minute),
        )

    sums = UsageEntry.objects.aggregate(Sum("prompt_computed"), Sum("prompt_cached"))
    assert sums == {"prompt_computed__sum": 110, "prompt_cached__sum": 70}
