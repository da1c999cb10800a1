"""A session starts as its window opens, through the real beat, broker and worker.

The tick is made slow enough that it could not be what opened the session.
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from onebox import processes
from tests.onebox.product import Product

TICK: Final = timedelta(seconds=30)
# Windows that open within five seconds of each other share a pass; the rest is the worker's way.
AT_ONCE: Final = timedelta(seconds=9)
BOOK: Final = """
from datetime import datetime, timedelta
from gpuaas.inventory.models import Pool
from reservations.capacity import Window
from tests import make
start = datetime.fromisoformat("{start}")
window = Window(start, start + timedelta(minutes=30))
print(make.reservation(of=Pool.objects.earliest("pk"), at=window).pk)
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    monkeypatch.setenv("GPUAAS_RECONCILE_INTERVAL_SECONDS", str(round(TICK.total_seconds())))
    # Not pytest's own folder, which nobody else may enter.
    home = Path(tempfile.mkdtemp(prefix="gpuaas-wake-"))
    home.chmod(0o755)
    product = Product(home / "local")
    try:
        product.start()
        yield product
    finally:
        product.stop()
        product.reset()
        shutil.rmtree(home)


def last_pass(product: Product) -> datetime:
    """Return when the reconciler last had seen a cluster, in a pass of whatever kind."""
    with product.database() as database:
        row = database.execute("SELECT max(completed_at) FROM gpu_sessions_passrecord").fetchone()
    found: datetime | None = row[0] if row else None
    return found or datetime.min.replace(tzinfo=UTC)


def next_pass(product: Product) -> datetime:
    """Wait for the end of a pass; return when that was."""
    before = last_pass(product)
    assert processes.wait_until(
        lambda: last_pass(product) > before, timeout_seconds=3 * TICK.total_seconds()
    )
    return last_pass(product)


def opened_at(product: Product, reservation: int) -> datetime | None:
    with product.database() as database:
        row = database.execute(
            "SELECT opened_at FROM gpu_sessions_workspacesession WHERE reservation_id = %s",
            [reservation],
        ).fetchone()
    return row[0] if row else None


def test_a_session_opens_with_its_window_and_not_with_the_next_tick(product: Product) -> None:
    next_pass(product)
    tick = next_pass(product)
    # Half way between the tick after the next and the one after that.
    starts_at = (tick + 1.5 * TICK).replace(microsecond=0)

    told = product.onebox("manage", "shell", "--no-imports", "-c", BOOK.format(start=starts_at))

    assert told.returncode == 0, told.stderr
    booked = int(told.stdout)
    assert processes.wait_until(
        lambda: opened_at(product, booked) is not None, timeout_seconds=3 * TICK.total_seconds()
    )
    opened = opened_at(product, booked)
    assert opened is not None
    assert starts_at <= opened < starts_at + AT_ONCE, "it waited for the tick"
