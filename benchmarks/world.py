"""What the benchmarks measure against: a durable PostgreSQL, the product's tables, a web server.

Importing it configures Django for the server that `started` has yielded; nothing is left behind.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET = "only for a benchmark on this machine: not a secret at all"  # noqa: S105
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from onebox import binaries, postgres, processes  # noqa: E402 -- found by the path above


@contextmanager
def database() -> Iterator[str]:
    """Start PostgreSQL with fsync on, migrate, and set Django up; yield its address."""
    with tempfile.TemporaryDirectory(prefix="gpuaas-bench-") as folder:
        server = postgres.start(Path(folder) / "postgres", durable=True)
        try:
            server.ensure_database("bench")
            url = server.url_for("bench")
            os.environ["DATABASE_URL"] = url
            os.environ["DJANGO_SETTINGS_MODULE"] = "gpuaas.settings.test"
            os.environ["GPUAAS_SECRET_KEY"] = SECRET  # so that the server knows who logged in here
            import django  # noqa: PLC0415 -- needs the address first

            django.setup()
            from django.core.management import call_command  # noqa: PLC0415

            call_command("migrate", verbosity=0)
            yield url
        finally:
            server.stop()


def pgbench() -> Path:
    """Return the program that comes with the embedded server."""
    return binaries.postgres_programs() / "pgbench"


@contextmanager
def web_server(url: str) -> Iterator[str]:
    """Serve the product as `make run` does; yield its address."""
    port = processes.free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "gpuaas.settings.dev",
        "GPUAAS_SECRET_KEY": SECRET,
        "GPUAAS_ALLOWED_HOSTS": "127.0.0.1",
        "GPUAAS_BASE_URL": address,
        "CELERY_BROKER_URL": "memory://",
        "GPUAAS_LOG_LEVEL": "WARNING",
    }
    arguments = [
        *(sys.executable, "-m", "gunicorn", "gpuaas.wsgi", "--bind", f"127.0.0.1:{port}"),
        *("--preload", "--worker-class", "gthread", "--workers", "2", "--threads", "4"),
        *("--keep-alive", "60", "--no-control-socket"),
    ]
    with tempfile.TemporaryDirectory(prefix="gpuaas-bench-static-") as static:
        environment["GPUAAS_STATIC_ROOT"] = static
        manage = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"]
        subprocess.run(manage, cwd=ROOT, env=environment, check=True)
        server = subprocess.Popen(arguments, cwd=ROOT, env=environment)
        try:
            _wait_for(address)
            yield address
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/accounts/login/", timeout=5).close()  # noqa: S310
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{address} does not answer")
