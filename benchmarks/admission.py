"""Bookings a second over the REST API, against the same critical section as one SQL call.

    python benchmarks/admission.py [--pools N] [--clients N] [--seconds S] [--rounds N] [--form]

The floor is `reservations_admit_booking` driven by pgbench: it writes the same rows (reservation,
device holds, audit event, outbox message) under the same lock.  Both are measured in turns in one
run, on the same server, over the same windows; what counts is the ratio.

The API is asked with tokens and full middleware, on the web server that `make run` starts; the
portal's form (`--form`) with a session's cookie.
"""

import argparse
import json
import random
import statistics
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import load
import world

GOALS = {"hot pool": 0.50, "100 pools": 0.25, "form": 0.33}
GOAL_P99 = 2.0
NODES, DEVICES = 8, 8  # of each pool
RESOURCE_NAME = "nvidia.com/mig-1g.24gb"
HOURS = 80 * 24  # windows of an hour, from tomorrow on
CREATED, FOUND = frozenset({201}), frozenset({302})
CSRF = "a" * 32


@dataclass(frozen=True)
class Tenant:
    """One who books: by token, in one pool."""

    token: str
    pool_id: int
    pool: str
    team_id: int
    team: str
    person_id: int


def tenants(pools: int, clients: int) -> list[Tenant]:
    """Make pools, and people of one team each who book there."""
    from django.utils import timezone  # noqa: PLC0415 -- after Django is set up

    from gpuaas.accounts import services as accounts  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    now = timezone.now()
    made = [
        make.pool(devices={make.SLICE: DEVICES}, nodes=1 if pools > 1 else NODES)
        for _ in range(pools)
    ]
    found = []
    for number in range(max(pools, clients)):
        pool, team = made[number % pools], make.team()
        person = make.user(teams=[team])
        day = timedelta(days=1)
        _, token = accounts.create_token(
            person=person, name="bench", expires_at=now + day, longest=day, now=now
        )
        found.append(Tenant(token, pool.pk, pool.slug, team.pk, team.slug, person.pk))
    return found


def clear() -> None:
    """Forget every booking, so that each turn begins with an empty calendar."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the audit trail refuses
        cursor.execute(
            "TRUNCATE reservations_reservation, reservations_devicehold, audit_auditevent,"
            " audit_auditlink, notifications_outboxmessage CASCADE"
        )
        cursor.execute("RESET session_replication_role")
    connection.close()


def floor(url: str, who: list[Tenant], *, clients: int, seconds: float) -> tuple[float, float]:
    """Return admissions a second, and the 99th percentile in milliseconds."""
    script = _script(who)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "admit.sql"
        path.write_text(script)
        subprocess.run(
            [
                *(world.pgbench(), "-n", "-M", "prepared", "-c", str(clients), "-j", "1"),
                *("-T", str(int(seconds)), "-f", path, "-l", "--log-prefix", f"{folder}/log"),
                url,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times = [
            int(line.split()[2]) / 1000
            for log in Path(folder).glob("log*")
            for line in log.read_text().splitlines()
        ]
    return len(times) / int(seconds), load.percentile(times, 0.99)


def _script(who: list[Tenant]) -> str:
    """Return what pgbench runs: everybody books, anybody at a time, any of the windows."""
    first = who[0]
    for ids in ("team_id", "person_id"):
        if [getattr(each, ids) - getattr(first, ids) for each in who] != list(range(len(who))):
            raise AssertionError(f"{ids} do not follow each other")
    pools = len({each.pool_id for each in who})
    start = "date_trunc('hour', now()) + interval '1 day' + :hour * interval '1 hour'"
    data = {
        "pool": first.pool,
        "resource_name": RESOURCE_NAME,
        "units": 1,
        "starts_at": "2027-01-01T00:00:00+00:00",
        "ends_at": "2027-01-01T01:00:00+00:00",
    }
    arguments = (
        *("gen_random_uuid()", f"{first.pool_id} + :who % {pools}", f"{first.team_id} + :who"),
        *(f"{first.person_id} + :who", f"'{RESOURCE_NAME}'", "1", "'interactive'", "1000"),
        *("1024", "10", "''", start, f"{start} + interval '1 hour'", "now()", "0", "'EUR'"),
        *("'[]'", "NULL", "NULL", "3000", f"'{json.dumps(data)}'"),
        *("'APPROVED'", "''", "NULL", "NULL"),
    )
    return (
        f"\\set hour random(1, {HOURS})\n\\set who random(0, {len(who) - 1})\n"
        f"SELECT outcome FROM reservations_admit_booking({', '.join(arguments)});"
    )


def rest(address: str, who: list[Tenant], *, clients: int, seconds: float) -> load.Result:
    """Book over the API, as the floor does."""
    tomorrow = _tomorrow()
    draw = random.Random(1)  # noqa: S311 -- no secret
    url = f"{address}/api/v1/reservations/"

    def request(number: int) -> bytes:
        tenant = who[number] if len(who) <= clients else draw.choice(who)
        starts_at = tomorrow + timedelta(hours=draw.randint(1, HOURS))
        wish = {
            "pool": tenant.pool,
            "team": tenant.team,
            "resource_name": RESOURCE_NAME,
            "units": 1,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
            "cpu_millicores": 1000,
            "memory_mib": 1024,
            "storage_gib": 10,
        }
        headers = {"Authorization": f"Bearer {tenant.token}", "Content-Type": "application/json"}
        return load.http("POST", url, headers, json.dumps(wish).encode())

    return load.drive(url, connections=clients, seconds=seconds, request=request, expected=CREATED)


def form(address: str, who: list[Tenant], *, clients: int, seconds: float) -> load.Result:
    """Book with the portal's form, logged in, as the floor does."""
    from django.core import signing  # noqa: PLC0415 -- after Django is set up

    tomorrow = _tomorrow()
    draw = random.Random(1)  # noqa: S311 -- no secret
    url = f"{address}/book/"
    cookies = {tenant.person_id: _cookies(tenant.person_id) for tenant in who}

    def request(number: int) -> bytes:
        tenant = who[number] if len(who) <= clients else draw.choice(who)
        starts_at = tomorrow + timedelta(hours=draw.randint(1, HOURS))
        salt = f"portal.booking:{tenant.person_id}"
        fields = {
            "csrfmiddlewaretoken": CSRF,
            "key": signing.dumps(uuid.uuid4().hex, key=world.SECRET, salt=salt),
            "team": tenant.team,
            "type": f"{tenant.pool}/{RESOURCE_NAME}",
            "units": "1",
            "begins": "later",
            "starts_at": starts_at.isoformat(),
            "length": "until",
            "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
            "mode": "interactive",
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookies[tenant.person_id],
        }
        return load.http("POST", url, headers, urlencode(fields).encode())

    return load.drive(url, connections=clients, seconds=seconds, request=request, expected=FOUND)


def _cookies(person_id: int) -> str:
    """Return the cookies of somebody who has logged in."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 -- after Django is set up
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(get_user_model().objects.get(pk=person_id))
    kept = {name: morsel.value for name, morsel in client.cookies.items()}
    return "; ".join(f"{name}={value}" for name, value in {**kept, "csrftoken": CSRF}.items())


def _tomorrow() -> datetime:
    now = datetime.now(UTC)  # noqa: TID251 -- the server's clock is the real one
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


def main() -> None:
    """Measure in turns, and print each turn and the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pools", type=int, default=1)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--form", action="store_true")
    options = parser.parse_args()
    with world.database() as url:
        who = tenants(options.pools, options.clients)
        floors, answers = [], []
        with world.web_server(url) as address:
            book = form if options.form else rest
            book(address, who, clients=options.clients, seconds=1)  # warm up
            for number in range(options.rounds):
                clear()
                floors.append(floor(url, who, clients=options.clients, seconds=options.seconds))
                clear()
                result = book(address, who, clients=options.clients, seconds=options.seconds)
                answers.append(result)
                print(
                    f"round {number + 1}: floor {floors[-1][0]:6.0f}/s p99 {floors[-1][1]:6.1f} ms"
                    f"   {book.__name__} {result.per_second:6.0f}/s"
                    f" p99 {result.percentile_ms(0.99):6.1f} ms"
                    f"   {result.statuses}",
                    *result.other[:1],
                )
    name = "hot pool" if options.pools == 1 else f"{options.pools} pools"
    name = "form" if options.form else name
    share = statistics.median(a.per_second / f[0] for a, f in zip(answers, floors, strict=True))
    tail = statistics.median(
        a.percentile_ms(0.99) / f[1] for a, f in zip(answers, floors, strict=True)
    )
    print(f"{name}, {options.clients} clients: {share:.2f} of the floor (goal {GOALS.get(name)})")
    print(f"99th percentile: {tail:.2f} times the floor's (goal {GOAL_P99})")


if __name__ == "__main__":
    main()
