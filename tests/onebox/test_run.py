"""The promises of `make run`, kept by a whole product that is killed in every way."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onebox import processes
from tests.onebox.product import HEALED_TIMEOUT_SECONDS, Product

CHILDREN = (
    "postgres",
    "valkey",
    "cluster",
    "router",
    "web",
    "worker-reconciler",
    "worker-default",
    "beat",
)
STOP_LIMIT_SECONDS = 10

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    # Not pytest's own folder, which nobody else may enter: that is a case of its own.
    home = Path(tempfile.mkdtemp(prefix="gpuaas-run-"))
    home.chmod(0o755)
    product = Product(home / "local")
    product.start()
    try:
        yield product
    finally:
        product.stop()
        product.reset()
        shutil.rmtree(home)


@pytest.fixture(autouse=True)
def _running(product: Product) -> None:
    """Give every test a product that runs and answers, whatever the test before did to it."""
    if product.runner.poll() is not None:
        product.start()
    assert processes.wait_until(
        lambda: product.status() == 200, timeout_seconds=HEALED_TIMEOUT_SECONDS
    ), product.printed()


def answers(product: Product) -> bool:
    """Tell whether it answers, or does so soon: a part that was killed may just be coming back."""
    return processes.wait_until(
        lambda: product.status() == 200, timeout_seconds=HEALED_TIMEOUT_SECONDS
    )


def test_it_prints_the_address_and_the_four_logins(product: Product) -> None:
    printed = product.printed()

    assert f"http://127.0.0.1:{product.port}" in printed
    for role in ("end user", "team manager", "finance", "platform administrator"):
        assert role in printed
    assert answers(product)


def test_every_process_of_the_product_runs(product: Product) -> None:
    assert processes.wait_until(
        lambda: product.living() == set(CHILDREN), timeout_seconds=HEALED_TIMEOUT_SECONDS
    )


def test_secrets_are_readable_by_their_owner_alone(product: Product) -> None:
    secrets = [
        product.state.folder / "secret-key",
        product.state.environment,
        product.state.postgres / "password",
        product.state.valkey / "password.conf",
    ]

    assert {file.stat().st_mode & 0o077 for file in secrets} == {0}
    assert product.state.kubeconfig.parent.stat().st_mode & 0o077 == 0


def test_a_second_run_is_refused_with_the_address_of_the_first(product: Product) -> None:
    second = product.onebox("run", "--no-setup")

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"already running at http://127.0.0.1:{product.port}" in second.stderr


def test_a_reset_is_refused_while_it_runs(product: Product) -> None:
    answer = product.reset()

    assert answer.returncode == 1
    assert "running at" in answer.stderr
    assert answers(product)


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_comes_back_and_nothing_is_lost(product: Product, name: str) -> None:
    product.write(f"before the death of {name}")
    killed = product.pid(name)

    os.kill(killed, signal.SIGKILL)

    assert processes.wait_until(
        lambda: product.pid(name) != killed and product.living() == set(CHILDREN),
        timeout_seconds=HEALED_TIMEOUT_SECONDS,
    ), product.printed()
    assert processes.wait_until(
        lambda: product.status() == 200, timeout_seconds=HEALED_TIMEOUT_SECONDS
    )
    rows, messages = product.read()
    assert f"before the death of {name}" in rows & messages
    assert f"{name} ended (SIGKILL): starting it again" in product.printed()


def test_a_killed_runner_takes_all_with_it_and_the_next_start_heals(product: Product) -> None:
    product.write("before the runner's death")

    product.kill_runner()
    product.start()

    rows, messages = product.read()
    assert "before the runner's death" in rows & messages
    assert product.living() == set(CHILDREN)
    assert answers(product)


def test_the_next_start_heals_after_everything_was_killed_at_once(product: Product) -> None:
    product.write("before the power cut")
    pids = [product.pid(name) for name in CHILDREN]

    for pid in (product.runner.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    product.runner.wait()
    product.start()

    rows, messages = product.read()
    assert "before the power cut" in rows & messages
    assert product.living() == set(CHILDREN)


def test_sigterm_stops_everything_in_time(product: Product) -> None:
    record = product.recorded()

    seconds = product.stop()

    assert product.runner.returncode == 0
    assert seconds < STOP_LIMIT_SECONDS
    assert [name for name, entry in record.items() if processes.birth(entry["pid"])] == []
    assert product.printed().rstrip().endswith("stopped")


def test_a_taken_port_that_was_asked_for_is_one_clear_line(product: Product) -> None:
    product.stop()
    with socket.create_server(("127.0.0.1", product.port)):
        answer = product.onebox("run", "--no-setup")

    assert answer.returncode == 1
    assert answer.stderr == (
        f"cannot run: port {product.port} is in use: choose another one with PORT=...\n"
    )


def test_reset_forgets_everything(product: Product) -> None:
    product.write("before the reset")
    product.stop()

    assert product.reset().returncode == 0
    assert not product.state.folder.exists()

    product.start()
    with product.database() as connection:
        found = connection.execute("SELECT to_regclass('witness')").fetchone()
    assert found == (None,)
