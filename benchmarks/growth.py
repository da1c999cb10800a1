"""What an admission costs over a table of 10^3 reservations, and over one of 10^6.

    python benchmarks/growth.py [--clients N] [--seconds S] [--rounds N]

All of them were in the one pool that is booked in; both tables are measured in turns, in one run.
What is measured is `reservations_admit_booking`, called by pgbench: what Python does before does
not look at the table.
"""

import argparse
import statistics

import admission
import world

GOAL = 1.15
FEW, MANY = 10**3, 10**6

_COPIES = """
INSERT INTO reservations_reservation (public_id, starts_at, ends_at, state, released_at, {rest})
SELECT gen_random_uuid(), begin, begin + interval '1 hour', 'COMPLETED', begin + interval '1 hour',
    {rest}
FROM reservations_reservation one
CROSS JOIN LATERAL (SELECT one.starts_at - interval '90 days' - i * interval '90 seconds' AS begin
                    FROM generate_series(1, %s) i) past
"""
_OWN = {"id", "public_id", "starts_at", "ends_at", "state", "released_at"}


def fill(rows: int, who: list[admission.Tenant]) -> None:
    """Leave nothing in the calendar but ``rows`` bookings of the pool that are over."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up

    from gpuaas.accounts.models import Team, User  # noqa: PLC0415
    from gpuaas.inventory.models import Pool  # noqa: PLC0415
    from reservations.models import Reservation  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    admission.clear()
    one = make.reservation(
        of=Pool.objects.get(pk=who[0].pool_id),
        by=Team.objects.get(pk=who[0].team_id),
        requested_by=User.objects.get(pk=who[0].person_id),
        at=make.window(0, 1),
    )
    columns = [field.column for field in Reservation._meta.concrete_fields]  # noqa: SLF001 -- documented by Django
    rest = ", ".join(column for column in columns if column not in _OWN)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_COPIES.format(rest=rest), [rows])
        cursor.execute("DELETE FROM reservations_devicehold")
        cursor.execute("DELETE FROM reservations_reservation WHERE id = %s", [one.pk])
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM ANALYZE reservations_reservation")
        cursor.execute("SELECT count(*) FROM reservations_reservation")
        assert cursor.fetchone() == (rows,)  # noqa: S101 -- it is what is measured
    connection.close()


def main() -> None:
    """Measure both tables in turns, and print the ratio of what an admission takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    with world.database() as url:
        who = admission.tenants(1, options.clients)
        for number in range(options.rounds):
            rates = []
            for rows in (FEW, MANY):
                fill(rows, who)
                admission.floor(url, who, clients=options.clients, seconds=2)  # warm up
                rate, _ = admission.floor(
                    url, who, clients=options.clients, seconds=options.seconds
                )
                rates.append(rate)
            ratios.append(rates[0] / rates[1])
            print(
                f"round {number + 1}: {rates[0]:.0f}/s over {FEW:,},"
                f" {rates[1]:.0f}/s over {MANY:,}",
                flush=True,
            )
    print(f"growth: {statistics.median(ratios):.2f} times (goal {GOAL})")


if __name__ == "__main__":
    main()
