"""How long the server takes for the portal's pages, and how many queries.

    python benchmarks/portal.py [--reservations N] [--rounds N]

A pool of 100 devices on 10 nodes with 100,000 reservations, most of them history.  Printed are, for
each page, the 95th percentile of the whole answer in this process, its queries, and its size as it
would be sent with gzip; a `!` stands beside what misses its goal.
"""

import argparse
import gc
import gzip
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import world
from availability import LARGE, RESOURCE_NAME, fill

P95_MS, QUERIES = 150, 12


def measure(
    browser: Any, path: str, rounds: int, sent: "dict[str, str] | None" = None
) -> tuple[float, int, int]:
    """Return the 95th percentile in milliseconds, the queries, and the bytes with gzip."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    def ask() -> Any:
        return browser.get(path) if sent is None else browser.post(path, sent)

    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    queries = len(captured)  # now: the next request forgets them
    if answer.status_code != 200:  # noqa: PLR2004
        raise AssertionError(answer.content)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    p95 = sorted(times)[min(rounds - 1, int(rounds * 0.95))]
    return p95, queries, len(gzip.compress(answer.content))


def main() -> None:
    """Fill a pool, look at each page, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reservations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with world.database():
        from django.test import Client  # noqa: PLC0415

        from reservations.models import Reservation  # noqa: PLC0415
        from tests import make  # noqa: PLC0415

        now = datetime.now(UTC)  # noqa: TID251 -- an interface: nobody calls it
        nodes, devices = LARGE
        pool = make.pool(devices={RESOURCE_NAME: devices}, nodes=nodes)
        teams = [make.team(), make.team()]
        person = make.user(teams=teams[:1])
        fill(pool, teams, person, bookings=options.reservations // (nodes * devices), now=now)
        mine = Reservation.objects.filter(team=teams[0], starts_at__gt=now).earliest("starts_at")
        browser = Client()
        browser.force_login(person)
        since = f"from={now:%Y-%m-%dT00:00Z}&until="
        pages = {
            "home": "/",
            "calendar, page": "/calendar/",
            "calendar, a week": (
                f"/calendar/{pool.slug}/data/?{since}{now + timedelta(days=7):%Y-%m-%dT00:00Z}"
            ),
            "calendar, two weeks": (
                f"/calendar/{pool.slug}/data/?{since}{now + timedelta(days=14):%Y-%m-%dT00:00Z}"
            ),
            "booking form": "/book/",
            "session page": f"/reservations/{mine.public_id}/",
            "team": f"/teams/{teams[0].slug}/",
            "team, month": f"/teams/{teams[0].slug}/month/",
            "search": "/search/?q=tuning",
        }
        browser.get("/")
        gc.collect()
        gc.freeze()  # as gpuaas/wsgi.py does: what is loaded is not looked through again and again
        measured = {name: measure(browser, path, options.rounds) for name, path in pages.items()}
        wish = {
            "team": teams[0].slug,
            "type": f"{pool.slug}/{RESOURCE_NAME}",
            "units": "2",
            "begins": "now",
            "length": "4h",
        }
        measured["estimate"] = measure(browser, "/book/estimate/", options.rounds, wish)
    for name, (p95, queries, size) in measured.items():
        slow, many = "!" if p95 > P95_MS else " ", "!" if queries > QUERIES else " "
        sent = f"{size / 1000:7.1f} kB gzip"
        print(f"{name:20} p95 {p95:7.1f} ms{slow}  {queries:3} queries{many} {sent}")


if __name__ == "__main__":
    main()
