"""How long it takes to say what is free, hour by hour, and to draw a calendar.

    python benchmarks/availability.py [--reservations N] [--rounds N]

A pool of 8 devices with 100,000 reservations, most of them history, is asked what is free; one of
100 devices, as full, for its calendar.  Printed are the medians: of the queries alone in the
database, of the answer of the API, and of the calendar of 14 days, each with the share of its goal.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import world

GOALS_MS = {"free by the hour, database": 5, "free by the hour, API": 25, "calendar, API": 100}
SMALL, LARGE = (1, 8), (10, 10)  # nodes, devices of each
RESOURCE_NAME = "nvidia.com/mig-1g.24gb"


def fill(pool: Any, teams: list[Any], person: Any, *, bookings: int, now: datetime) -> None:
    """Give each device ``bookings``, one every 4 hours; the last two weeks lie ahead.

    Every tenth is of the first of the two teams.
    """
    from django.db import connection  # noqa: PLC0415 -- after Django is set up

    last = now.replace(minute=0, second=0, microsecond=0) + timedelta(days=14)
    begin = last - bookings * timedelta(hours=4)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH slot AS (
                SELECT n, d.id AS device, d.node_id, %s + n * interval '4 hours' AS at
                FROM inventory_device d, inventory_node v, generate_series(0, %s - 1) AS n
                WHERE v.id = d.node_id AND v.pool_id = %s
            ), booked AS (
                INSERT INTO reservations_reservation (public_id, pool_id, node_id, team_id,
                    requested_by_id, resource_name, units, mode, cpu_millicores, memory_mib,
                    storage_gib, purpose, starts_at, ends_at, state, state_reason,
                    state_changed_at, created_at, cost_minor, currency, overridden)
                SELECT md5(device || ' ' || at)::uuid, %s, node_id,
                    CASE WHEN n %% 10 = 0 THEN %s ELSE %s END, %s, %s, 1, 'interactive',
                    1000, 1024, 10, '', at, at + interval '3 hours',
                    CASE WHEN at + interval '3 hours' <= %s THEN 'COMPLETED' ELSE 'APPROVED' END,
                    '', %s, %s, 0, 'EUR', '[]'
                FROM slot RETURNING id, public_id, starts_at, ends_at
            )
            INSERT INTO reservations_devicehold (reservation_id, device_id, during)
            SELECT b.id, s.device, tstzrange(b.starts_at, b.ends_at)
            FROM booked b JOIN slot s ON b.public_id = md5(s.device || ' ' || s.at)::uuid
            """,
            [
                *(begin, bookings, pool.pk, pool.pk, teams[0].pk, teams[1].pk, person.pk),
                RESOURCE_NAME,
                *(now, now, now),
            ],
        )
        cursor.execute("ANALYZE")


def median_ms(what: Callable[[], Any], rounds: int) -> float:
    """Return the median of ``rounds`` calls, in milliseconds, the first not counted."""
    what()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        what()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def database_ms(answer: Callable[[], Any], rounds: int) -> float:
    """Return what PostgreSQL itself needs for all the queries of ``answer``."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        answer()
    total = 0.0
    with connection.cursor() as cursor:
        for query in captured.captured_queries:
            if not query["sql"].lstrip().startswith("SELECT"):
                continue
            times = []
            for _ in range(rounds):
                cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + query["sql"])
                times.append(cursor.fetchone()[0][0]["Execution Time"])
            total += statistics.median(times)
    return total


def main() -> None:
    """Fill a pool, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reservations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with world.database():
        from django.test import Client  # noqa: PLC0415

        from reservations import calendar  # noqa: PLC0415
        from tests import make  # noqa: PLC0415

        now = datetime.now(UTC)  # noqa: TID251 -- an interface: nobody calls it
        small, large = (
            make.pool(devices={RESOURCE_NAME: devices}, nodes=nodes)
            for nodes, devices in (SMALL, LARGE)
        )
        teams = [make.team(), make.team()]
        person = make.user(teams=teams[:1])
        fill(small, teams, person, bookings=options.reservations // 8, now=now)
        fill(large, teams, person, bookings=100, now=now)
        browser = Client()
        browser.force_login(person)
        window = f"starts_at={now:%Y-%m-%dT%H:00Z}"
        end = f"ends_at={now + timedelta(days=14):%Y-%m-%dT%H:00Z}"

        def ask(path: str) -> None:
            response = browser.get(path)
            if response.status_code != 200:  # noqa: PLR2004
                raise AssertionError(response.content)

        def sweep() -> None:
            free = calendar.free_by_hour(small, resource_name=RESOURCE_NAME, since=now, hours=336)
            if not free or max(free) == min(free):
                raise AssertionError("nothing is booked")

        measured = {
            "free by the hour, database": database_ms(sweep, options.rounds),
            "free by the hour, API": median_ms(
                lambda: ask(
                    f"/api/v1/pools/{small.slug}/availability/?resource_name={RESOURCE_NAME}&{window}"
                ),
                options.rounds,
            ),
            "calendar, API": median_ms(
                lambda: ask(f"/api/v1/pools/{large.slug}/calendar/?{window}&{end}"), options.rounds
            ),
        }
    for name, ms in measured.items():
        print(f"{name:28} {ms:7.1f} ms   {ms / GOALS_MS[name]:.2f} of the goal of {GOALS_MS[name]}")


if __name__ == "__main__":
    main()
