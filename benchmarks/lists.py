"""How long every list takes with a million reservations: REST API, portal and admin site.

    python benchmarks/lists.py [--reservations N] [--rounds N] [--only TEXT] [--explain]

Three years of bookings of 50 teams, with their sessions, audit events and notices, are written by
PostgreSQL itself.  Then a member, a manager and a platform administrator look at each list, as the
first page, filtered and searched.  Printed are median and 95th percentile of the server's time, the
number of queries, and the share of the goal; with --explain, the plan of each slow query.
With DATABASE_URL the data stay there, and are used again the next time.
"""

import argparse
import contextlib
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import fill_lists
import world

GOAL_MS = 100
SLOW_QUERY_MS = 20
API, PORTAL, ADMIN = "/api/v1/", "/", "/admin/"
LISTS: tuple[tuple[str, str], ...] = (
    # who (m member, g manager, a administrator), and what
    ("mga", f"{API}reservations/"),
    ("mga", f"{API}reservations/?state=FAILED"),
    ("mga", f"{API}reservations/?state=ACTIVE"),
    ("mga", f"{API}reservations/?pool=pool-7"),
    ("mga", f"{API}reservations/?team=team-1"),
    ("mga", f"{API}reservations/?flagged=true"),
    ("mga", f"{API}sessions/"),
    ("mga", f"{API}sessions/?phase=READY"),
    ("mga", f"{API}sessions/?team=team-1"),
    ("mga", f"{API}sessions/?pool=pool-7"),
    ("mga", f"{API}usage/"),
    ("mga", f"{API}usage/?by=day"),
    ("mga", f"{API}usage/?by=day&by=team"),
    ("mga", f"{API}notices/"),
    ("mga", f"{API}teams/"),
    ("mga", f"{API}teams/team-1/members/"),
    ("mga", f"{API}tokens/"),
    ("mga", f"{API}inventory/nodes/"),
    ("mga", f"{API}inventory/devices/"),
    ("mga", f"{API}inventory/closures/"),
    ("mga", f"{PORTAL}reservations/"),
    ("mga", f"{PORTAL}reservations/?whose=team"),
    ("mga", f"{PORTAL}reservations/?whose=team&state=FAILED"),
    ("mga", f"{PORTAL}reservations/?whose=team&state=ACTIVE"),
    ("mga", f"{PORTAL}mine/"),
    ("mga", f"{PORTAL}notices/"),
    ("ga", f"{ADMIN}reservations/reservation/"),
    ("ga", f"{ADMIN}reservations/reservation/?p=50"),
    ("ga", f"{ADMIN}reservations/reservation/?state__exact=FAILED"),
    ("ga", f"{ADMIN}reservations/reservation/?pool__id__exact=POOL"),
    ("ga", f"{ADMIN}reservations/reservation/?o=3"),
    ("ga", f"{ADMIN}reservations/reservation/?q=person-12"),
    ("ga", f"{ADMIN}reservations/reservation/?q=nobody-at-all"),
    ("ga", f"{ADMIN}reservations/reservation/?q=UUID"),
    ("ga", f"{ADMIN}reservations/reservation/?since=any"),
    ("ga", f"{ADMIN}reservations/reservation/?since=any&q=nobody-at-all"),
    ("ga", f"{ADMIN}gpu_sessions/workspacesession/"),
    ("ga", f"{ADMIN}gpu_sessions/workspacesession/?state__exact=ENDED"),
    ("ga", f"{ADMIN}gpu_sessions/workspacesession/?q=s-nothing"),
    ("ga", f"{ADMIN}audit/auditevent/"),
    ("ga", f"{ADMIN}audit/auditevent/?action__exact=reservation.canceled"),
    ("ga", f"{ADMIN}audit/auditevent/?q=reservation:UUID"),
    ("a", f"{ADMIN}audit/auditlink/"),
    ("a", f"{ADMIN}notifications/outboxmessage/"),
    ("a", f"{ADMIN}notifications/outboxmessage/?q=nothing"),
    ("a", f"{ADMIN}notifications/delivery/"),
    ("a", f"{ADMIN}notifications/delivery/?state__exact=dead"),
    ("a", f"{ADMIN}notifications/delivery/?q=nothing"),
    ("a", f"{ADMIN}accounts/user/"),
    ("a", f"{ADMIN}accounts/user/?q=person-12"),
    ("ga", f"{ADMIN}accounts/team/"),
    ("a", f"{ADMIN}accounts/membership/"),
    ("a", f"{ADMIN}accounts/apitoken/"),
    ("a", f"{ADMIN}inventory/node/"),
    ("a", f"{ADMIN}inventory/device/"),
)
WHO = {"m": "member", "g": "manager", "a": "administrator"}


@contextlib.contextmanager
def database() -> Iterator[None]:
    """Use the database of DATABASE_URL, or else one that is gone afterwards."""
    if "DATABASE_URL" not in os.environ:
        with world.database():
            yield
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = "gpuaas.settings.test"
    import django  # noqa: PLC0415 -- needs the address first

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    yield


def percentiles_ms(what: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the median and the 95th percentile of ``rounds`` calls, the first not counted."""
    what()
    gc.collect()
    gc.freeze()  # as gpuaas/wsgi.py does with what is loaded
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        what()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


def queries_of(what: Callable[[], Any]) -> list[tuple[float, str]]:
    """Return the queries of a call with the milliseconds that each took."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        what()
    return [(float(each["time"]) * 1000, each["sql"]) for each in captured.captured_queries]


def print_plans(queries: list[tuple[float, str]]) -> None:
    """Print how PostgreSQL answers the slow ones."""
    from django.db import connection  # noqa: PLC0415

    for ms, sql in queries:
        if ms < SLOW_QUERY_MS or not sql.lstrip().startswith(("SELECT", "WITH")):
            continue
        print(f"      {ms:.0f} ms  {sql[:1500]}")
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}")
            for (line,) in cursor.fetchall():
                print(f"        {line}")


def main() -> None:
    """Fill the tables, look at every list, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reservations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="addresses with this text")
    parser.add_argument("--explain", action="store_true")
    options = parser.parse_args()
    with database():
        from django.test import Client  # noqa: PLC0415

        now = datetime.now(UTC)  # noqa: TID251 -- an interface: nobody calls it
        there = fill_lists.fill(reservations=options.reservations, now=now)
        over = 0
        for callers, path in LISTS:
            if options.only not in path:
                continue
            address = path.replace("UUID", there.number).replace("POOL", str(there.pool))
            for caller in callers:
                browser = Client()
                browser.force_login(there.people[WHO[caller]])

                def ask(browser: Client = browser, address: str = address) -> None:
                    response = browser.get(address)
                    if response.status_code not in {
                        200,
                        302,
                    }:
                        raise AssertionError(f"{address}: {response.status_code}")

                (half, ms), queries = percentiles_ms(ask, options.rounds), queries_of(ask)
                over += ms > GOAL_MS
                mark = "  SLOW" if ms > GOAL_MS else ""
                print(
                    f"{WHO[caller]:13} {path:58} {half:6.0f} {ms:6.0f} ms {len(queries):3} queries "
                    f"{ms / GOAL_MS:6.2f} of the goal{mark}",
                    flush=True,
                )
                if options.explain:
                    print_plans(queries)
    print(f"{over} over the goal of {GOAL_MS} ms (95th percentile of {options.rounds})")


if __name__ == "__main__":
    main()
