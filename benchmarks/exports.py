"""How fast cost reports are written as files, and that their length costs no memory.

    python benchmarks/exports.py [--lines N] [--formats csv focus xlsx]

Each file is written by a process of its own, with a tenth of the lines and with all of them: the
most memory that the two ever held is what to compare.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenomics.exports import csv_text, focus, xlsx_book
from tokenomics.exports.tables import Column, Kind, Row, Table

FORMATS = ("csv", "focus", "xlsx")
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
COLUMNS = (
    Column("Cost centre"),
    Column("Team"),
    Column("Project"),
    Column("Person"),
    Column("Pool"),
    Column("Kind"),
    Column("Category"),
    Column("Day", Kind.DAY),
    Column("GPU-hours", Kind.HOURS, is_summed=True),
    Column("Amount", Kind.MONEY, is_summed=True),
)


def rows(count: int) -> Iterator[Row]:
    """Return lines of a month, one by one."""
    for n in range(count):
        yield (
            *(f"CC-{n % 40:04} Risk analytics", f"team-{n % 200}", f"project {n % 900}"),
            *(f"person-{n % 3000}", f"pool-{n % 10}", "booked, used", "power"),
            *(date(2026, 10, 1 + n % 31), Decimal(n % 7440) / 10, n % 100_000),
        )


def charges(count: int) -> Iterator[focus.Charge]:
    """Return the same as charges."""
    for n in range(count):
        yield focus.Charge(
            billed_from=FIRST,
            billed_until=FIRST + timedelta(days=31),
            charged_from=FIRST,
            charged_until=FIRST + timedelta(days=31),
            currency="EUR",
            amount_minor=n % 100_000,
            description="Power, booked and used",
            invoice="2026-10/1",
            sku="mig-1g.24gb/power",
            meter="Slice Hours",
            resource_id=f"node-{n % 40}/gpu-0",
            resource_name=f"node-{n % 40}, GPU 0",
            resource_type="nvidia.com/gpu",
            region="lab",
            sub_account=f"cc-{n % 40:04}",
            sub_account_name="Risk analytics",
            hours=Decimal(n % 7440 + 1) / 10,
            reservation=f"urn:gpuaas:reservation:{n}",
            status=focus.Status.USED,
            tags={"team": f"team-{n % 200}", "user": f"person-{n % 3000}"},
        )


def write(form: str, lines: int, path: Path) -> None:
    """Write a file of ``lines`` lines, and print seconds, bytes and the most memory held in MiB."""
    began = time.perf_counter()
    table = Table("October 2026", "EUR", COLUMNS, rows(lines))
    if form == "xlsx":
        xlsx_book.write(path, [table])
    else:
        by = focus.Provider("Platform team", "gpuaas", "GPUaaS")
        pieces = csv_text.pieces(table) if form == "csv" else focus.pieces(charges(lines), by=by)
        with path.open("wb") as file:
            file.writelines(pieces)
    took = time.perf_counter() - began
    status = Path("/proc/self/status").read_text()
    most = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(f"{took:.3f} {path.stat().st_size} {most:.1f}")


def main() -> None:
    """Write every format, short and long."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=["csv"])
    parser.add_argument("--one", nargs=2, metavar=("FORMAT", "PATH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        write(asked.one[0], asked.lines, Path(asked.one[1]))
        return
    print(f"{'format':8}{'lines':>12}{'seconds':>10}{'lines/s':>12}{'MB':>9}{'most MiB':>10}")
    with tempfile.TemporaryDirectory(prefix="gpuaas-bench-") as folder:
        for form in asked.formats:
            for lines in (asked.lines // 10, asked.lines):
                command = (sys.executable, __file__, "--lines", f"{lines}", "--one", form)
                done = subprocess.run(
                    (*command, str(Path(folder) / "file")), check=True, stdout=subprocess.PIPE
                )
                took, size, most = map(float, done.stdout.split())
                speed = f"{took:10.2f}{lines / took:12,.0f}"
                print(f"{form:8}{lines:12,}{speed}{size / 1e6:9.1f}{most:10.1f}")


if __name__ == "__main__":
    main()
