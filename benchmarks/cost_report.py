"""A month's cost and tokens by team, pool and model: our report against DuckDB over every hour.

    uv pip install -r requirements/benchmarks.txt
    python benchmarks/cost_report.py [--rows N] [--repeat N]

Bookings of 62 hours with two models each fill the hours of a month; their days and the sums of
`services.sums` are made of them as in the product.  DuckDB groups the same hours, each with its
part of its booking's cost, in Parquet.  Both have to come to the same; and again after late usage
has come through the ledger.  Prints the ratio; the exit status is 1 when that is above 0.2.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import world

GOAL: Final = 0.2
MONTH: Final = date(2026, 10, 1)
STARTS, ENDS = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
TEAMS, PEOPLE, POOLS, MODELS, HOURS = 200, 10, 10, 20, 62
PER_BOOKING: Final = HOURS * 2
# Which team, person, pool, models and hours booking b has; a team uses two pools and six models.
FILL: Final = (
    """
INSERT INTO tokenomics_costline (period_id, number, kind, currency, amounts, amount_minor,
    cost_centre, team_id, user_id, purpose, pool_id, resource_name, reservation_id, device_ms,
    gpu_ns, reason)
SELECT %(period)s, b, 'booked_used', 'EUR', '{}', 1000 + b * 7919 %% 90000, 'CC' || b %% 40,
    %(team)s + b %% 200, %(user)s + b %% 2000, 'purpose ' || b %% 3,
    %(pool)s + (b %% 200 + b %% 2) %% 10, 'nvidia.com/gpu', 1000000 + b, 3600000 * 62, 0, ''
FROM generate_series(1, %(bookings)s) AS b
""",
    """
INSERT INTO tokenomics_usagehour (reservation_id, team_id, pool_id, model, hour, charged_month,
    is_reading, prompt_computed, prompt_cached, generated, requests, entries)
SELECT 1000000 + b, %(team)s + b %% 200, %(pool)s + (b %% 200 + b %% 2) %% 10,
    'model-' || (b %% 200 + 3 * m + b %% 3) %% 20,
    '2026-10-01 00:00Z'::timestamptz + (b %% 12 * 62 + h) * interval '1 hour', '2026-10-01', true,
    20000 + (b * 31 + h * 17) %% 9000, (b + h) %% 4000, 5000 + (b * 13 + h * 7) %% 3000, 60, 60
FROM generate_series(1, %(bookings)s) AS b, generate_series(0, 1) AS m, generate_series(0, 61) AS h
""",
    """
INSERT INTO tokenomics_usageday (team_id, pool_id, model, charged_month, is_reading,
    prompt_computed, prompt_cached, generated, requests, entries, day)
SELECT team_id, pool_id, model, charged_month, is_reading, sum(prompt_computed),
    sum(prompt_cached), sum(generated), sum(requests), sum(entries),
    (hour AT TIME ZONE 'UTC')::date AS day
FROM tokenomics_usagehour GROUP BY 1, 2, 3, 4, 5, day
""",
)
HOURS_WITH_COST: Final = """
COPY (
    WITH booking AS (
        SELECT reservation_id, amount_minor / sum(prompt_computed + generated) AS each
        FROM tokenomics_usagehour hour JOIN tokenomics_costline USING (reservation_id)
        GROUP BY 1, amount_minor
    )
    SELECT hour.reservation_id, team_id, pool_id, model, extract(epoch FROM hour)::bigint AS hour,
        prompt_computed, prompt_cached, generated,
        (each * (prompt_computed + generated))::float8 AS cost
    FROM tokenomics_usagehour hour JOIN booking USING (reservation_id)
) TO STDOUT WITH (FORMAT csv, HEADER)
"""
GROUP_BY: Final = """
SELECT team_id, pool_id, model, sum(cost), sum(prompt_computed), sum(prompt_cached), sum(generated)
FROM read_parquet('{files}') GROUP BY ALL
"""
Groups = dict[tuple[int, int, str], tuple[float, ...]]


def timed(ask: Callable[[], Any], repeat: int) -> float:
    """Return the median of some goes, in seconds, after one to warm up."""
    ask()
    took = []
    for _ in range(repeat):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def step(what: str, do: Callable[[], Any]) -> Any:
    """Do it and say how long that took."""
    began = time.perf_counter()
    found = do()
    print(f"  {what}: {time.perf_counter() - began:.1f} s", flush=True)
    return found


def fill(bookings: int) -> Any:
    """Make teams, people, pools and a month, then its lines and hours; return the period."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up

    from gpuaas.accounts.models import Team, User  # noqa: PLC0415
    from gpuaas.inventory.models import Pool  # noqa: PLC0415
    from tests import make  # noqa: PLC0415
    from tokenomics.models import CostPeriod  # noqa: PLC0415

    cluster = make.cluster()
    teams = Team.objects.bulk_create(Team(slug=f"t{n}", name=f"Team {n}") for n in range(TEAMS))
    people = User.objects.bulk_create(User(username=f"p{n}") for n in range(TEAMS * PEOPLE))
    pools = Pool.objects.bulk_create(
        Pool(cluster=cluster, slug=f"hardware-{n}", name=f"Pool {n}") for n in range(POOLS)
    )
    period = CostPeriod.objects.create(
        month=MONTH, currency="EUR", time_zone="UTC", starts_at=STARTS, ends_at=ENDS
    )
    asked = {"period": period.pk, "bookings": bookings, "team": teams[0].pk}
    asked |= {"user": people[0].pk, "pool": pools[0].pk}
    with connection.cursor() as cursor:
        # The bookings of these rows do not exist: nothing here looks at them.
        cursor.execute("SET session_replication_role = replica")
        for sql in FILL:
            step(sql.split()[2], lambda sql=sql: cursor.execute(sql, asked))
        cursor.execute("SET session_replication_role = origin")
        step("vacuum", lambda: cursor.execute("VACUUM ANALYZE"))
    return period


def to_parquet(path: Path) -> None:
    """Write every hour with its part of its booking's cost."""
    import duckdb  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    text = path.with_suffix(".csv")
    with (
        connection.cursor() as cursor,
        text.open("wb") as file,
        cursor.copy(HOURS_WITH_COST) as rows,
    ):
        file.writelines(rows)
    duckdb.sql(f"COPY (FROM read_csv('{text}')) TO '{path}' (FORMAT parquet)")
    text.unlink()


def come_late(folder: Path, entries: int) -> None:
    """Book usage of a booking of the month through the ledger, and write it beside the Parquet."""
    import duckdb  # noqa: PLC0415

    from tests import make  # noqa: PLC0415
    from tokenomics.core.ledger import Booking, Usage  # noqa: PLC0415
    from tokenomics.services import usage  # noqa: PLC0415

    made = make.reservation()
    booking = Booking(made.pk, made.team_id, made.pool_id, STARTS, ENDS)
    late = [
        Usage(
            source="late",
            event_id=str(number),
            booking=booking,
            engine="vllm",
            model="model-3",
            started_at=STARTS + timedelta(minutes=number),
            ended_at=STARTS + timedelta(minutes=number + 1),
            prompt_computed=number,
            prompt_cached=1,
            generated=2,
            is_reading=True,
        )
        for number in range(entries)
    ]
    usage.record(late, now=ENDS + timedelta(days=2))
    computed = sum(range(entries))
    values = f"{made.pk}, {made.team_id}, {made.pool_id}, 'model-3', 0, {computed}"
    names = "reservation_id, team_id, pool_id, model, hour, prompt_computed, prompt_cached"
    rows = f"(VALUES ({values}, {entries}, {2 * entries}, 0.0)) AS late({names}, generated, cost)"
    duckdb.sql(f"COPY (FROM {rows}) TO '{folder / 'late.parquet'}' (FORMAT parquet)")


def check(period: Any, files: str, bookings: int) -> None:
    """Fail unless both come to the same: tokens exactly, money but for its rounding."""
    import duckdb  # noqa: PLC0415

    from gpuaas.accounts.models import Team  # noqa: PLC0415
    from gpuaas.inventory.models import Pool  # noqa: PLC0415
    from tokenomics.selectors import reports  # noqa: PLC0415

    teams = dict(Team.objects.values_list("pk", "slug"))
    pools = dict(Pool.objects.values_list("pk", "slug"))
    theirs = {
        (teams[team], pools[pool], model): (cost, *map(int, tokens))
        for team, pool, model, cost, *tokens in duckdb.sql(GROUP_BY.format(files=files)).fetchall()
    }
    ours = {
        (team, pool, model): (amount, t.prompt_computed, t.prompt_cached, t.generated)
        for team, pool, model, amount, t in reports.by_team_pool_and_model(
            period, user=None, now=ENDS
        )
    }
    if ours.keys() != theirs.keys():
        raise SystemExit(f"{len(ours)} groups are not the {len(theirs)} of DuckDB")
    most = max(bookings / len(ours) * 2, 2)
    for key, (amount, *tokens) in ours.items():
        if tokens != list(theirs[key][1:]) or abs(amount - theirs[key][0]) > most:
            raise SystemExit(f"{key}: {amount}, {tokens} is not {theirs[key]}")
    print(f"  the same {len(ours):,} groups, {sum(o[0] for o in ours.values()):,} cents")


def main() -> None:
    """Fill, compare, and measure both in one run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=9)
    asked = parser.parse_args()
    bookings = asked.rows // PER_BOOKING
    with tempfile.TemporaryDirectory(prefix="gpuaas-bench-") as name, world.database():
        import duckdb  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        from tokenomics.selectors import reports  # noqa: PLC0415
        from tokenomics.services import sums  # noqa: PLC0415

        folder = Path(name)
        print(f"{bookings * PER_BOOKING:,} hours of {bookings:,} bookings")
        period = fill(bookings)
        step("sums", lambda: sums.refresh(period))
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE tokenomics_costbymodel")
            cursor.execute("SELECT count(*) FROM tokenomics_costbymodel")
            print(f"  {cursor.fetchone()[0]:,} sums")
        step("Parquet", lambda: to_parquet(folder / "hours.parquet"))
        check(period, f"{folder}/hours.parquet", bookings)
        grouping = GROUP_BY.format(files=f"{folder}/hours.parquet")
        theirs = timed(lambda: duckdb.sql(grouping).fetchall(), asked.repeat)
        ours = timed(
            lambda: reports.by_team_pool_and_model(period, user=None, now=ENDS), asked.repeat
        )
        print(f"our report {ours * 1000:.1f} ms, DuckDB {theirs * 1000:.1f} ms")
        print(f"ratio {ours / theirs:.3f} (goal: at most {GOAL})")
        come_late(folder, 1_000)
        step("sums after late usage", lambda: sums.refresh(period))
        check(period, f"{folder}/*.parquet", bookings)
        sys.exit(ours / theirs > GOAL)


if __name__ == "__main__":
    main()
