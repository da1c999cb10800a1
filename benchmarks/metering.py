"""How many meter readings a second the ledger takes, with their sums by hour and by day.

    python benchmarks/metering.py [--rows N] [--batch N ...] [--writers N ...]

Into a ledger that has entries already, on a durable PostgreSQL; then the same events once more.
It fails when one writer books fewer than 10,000 new ones a second, or the sums are not the ledger.
"""

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import world

if TYPE_CHECKING:
    from tokenomics.core.ledger import Booking, Usage

NOON = datetime(2026, 10, 14, 12, tzinfo=UTC)
BOOKINGS = 200
ROWS_PER_SECOND = 10_000
MODELS = ("qwen-7b", "llama-8b", "gpt-oss-120b")


def readings(bookings: "Sequence[Booking]", first: int, rows: int) -> "list[Usage]":
    """Return readings as they come: one minute after another, of every booking and model."""
    from tokenomics.core.ledger import Usage  # noqa: PLC0415 -- after Django is set up

    made = []
    for number in range(first, first + rows):
        minute, of = divmod(number, len(bookings) * len(MODELS))
        started = NOON + timedelta(minutes=minute)
        made.append(
            Usage(
                source="cluster/lab",
                event_id=f"pod-{of:04}/vllm@{started:%Y-%m-%dT%H:%M:%S}",
                booking=bookings[of // len(MODELS)],
                engine="vllm",
                model=MODELS[of % len(MODELS)],
                started_at=started,
                ended_at=started + timedelta(minutes=1),
                prompt_computed=40_000 + number % 977,
                prompt_cached=9_000,
                generated=12_000,
                requests=60,
                is_reading=True,
                evidence={"from": {"generated": number}, "to": {"generated": number + 12_000}},
            )
        )
    return made


def seconds_to_book(entries: "Sequence[Usage]", *, batch: int, writers: int) -> float:
    """Return how long ``writers`` take to book all of ``entries`` between them."""
    from django.db import connection  # noqa: PLC0415

    from tokenomics.services import usage  # noqa: PLC0415

    def write(mine: "Sequence[Usage]") -> None:
        for at in range(0, len(mine), batch):
            usage.record(mine[at : at + batch], now=NOON + timedelta(days=1))
        connection.close()

    share = -(-len(entries) // writers)
    threads = [
        threading.Thread(target=write, args=(entries[n * share : (n + 1) * share],))
        for n in range(writers)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def main() -> None:
    """Book, book again, and print rows a second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, nargs="+", default=[1_000, 5_000])
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    with world.database():
        from tests import make  # noqa: PLC0415 -- after Django is set up
        from tokenomics import selectors  # noqa: PLC0415
        from tokenomics.core.ledger import Booking, month_of  # noqa: PLC0415

        made = [make.reservation() for _ in range(BOOKINGS)]
        bookings = [
            Booking(each.pk, each.team_id, each.pool_id, each.starts_at, each.ends_at)
            for each in made
        ]
        first = 0
        seconds_to_book(readings(bookings, first, asked.rows), batch=5_000, writers=1)
        best = 0.0
        for writers, batch in itertools.product(asked.writers, asked.batch):
            first += asked.rows
            entries = readings(bookings, first, asked.rows)
            for what in ("new", "told again"):
                rate = asked.rows / seconds_to_book(entries, batch=batch, writers=writers)
                print(f"{writers} writers, {batch:,} at once, {what}: {rate:,.0f} rows/s")
                if (writers, what) == (min(asked.writers), "new"):
                    best = max(best, rate)
        differ = len(selectors.differences(month_of(NOON)))
        print("sums that differ from the ledger:", differ)
        if best < ROWS_PER_SECOND or differ:
            sys.exit(f"{best:,.0f} rows/s: at least {ROWS_PER_SECOND:,} are promised")


if __name__ == "__main__":
    main()
