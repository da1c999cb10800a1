"""What the chain over the audit trail costs: commits a second with it, and with its trigger off.

    python benchmarks/audit.py [--clients N ...] [--seconds S] [--rounds N]

Each transaction writes one event and nothing else, which is as bad as it gets: commits that write
an event go one after the other, through the write to disk.  Measured in turns on one server.
"""

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

import world

SCRIPT = (
    "INSERT INTO audit_auditevent (at, action, subject, data)"
    " VALUES (now(), 'reservation.approved', 'x', '{}');\n"
)


def rate(url: str, *, clients: int, seconds: int, chained: bool) -> float:
    """Return transactions a second, as pgbench counts them."""
    from django.db import connection  # noqa: PLC0415 -- after Django is set up

    with connection.cursor() as cursor:
        switch = "ENABLE" if chained else "DISABLE"
        cursor.execute(f"ALTER TABLE audit_auditevent {switch} TRIGGER audit_note")
    connection.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.sql"
        path.write_text(SCRIPT)
        done = subprocess.run(
            [
                *(world.pgbench(), "-n", "-M", "prepared", "-c", str(clients), "-j", "1"),
                *("-T", str(seconds), "-f", path, url),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
    line = next(each for each in done.stdout.splitlines() if each.startswith("tps = "))
    return float(line.split()[2])


def main() -> None:
    """Measure in turns, and print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with world.database() as url:
        for clients in asked.clients:
            found: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(asked.rounds):
                for chained, rates in found.items():
                    rates.append(rate(url, clients=clients, seconds=asked.seconds, chained=chained))
            chain, without = (statistics.median(found[each]) for each in (True, False))
            print(
                f"{clients:>3} clients: {chain:7.0f} commits a second with the chain,"
                f" {without:7.0f} without: {chain / without:.2f}"
            )


if __name__ == "__main__":
    main()
