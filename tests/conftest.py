"""The suite's PostgreSQL: a real one, embedded, started when the first test asks for a database.

Set DATABASE_URL to use another server.  Under pytest-xdist one server serves every worker.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import connection, connections
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from gpuaas.settings import env
from onebox import postgres

UNSET: Final = "unset"  # the database that gpuaas.settings.test names when the environment does not
WORKER_INPUT: Final = "gpuaas_database_url"

COSTS: Final = ("period", "line", "pool", "adjustment", "statement", "sheet", "centrebudget")

# What counts is the answer, not how long a busy machine takes to find it.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

_controllers_server = pytest.StashKey[Any]()


@contextmanager
def embedded_postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="gpuaas-tests-") as directory:
        server = postgres.start(Path(directory) / "postgres", durable=False)
        try:
            yield server.url
        finally:
            server.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give each xdist worker the address of the one server, which the controller starts."""
    if connections.settings["default"]["NAME"] != UNSET:
        return
    stash = node.config.stash
    if _controllers_server not in stash:
        server = embedded_postgres()
        stash[_controllers_server] = server.__enter__()
        node.config.add_cleanup(lambda: server.__exit__(None, None, None))
    node.workerinput[WORKER_INPUT] = stash[_controllers_server]


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the address of the server to use, None where the environment already names one."""
    if connections.settings["default"]["NAME"] != UNSET:
        yield None
    elif url := getattr(request.config, "workerinput", {}).get(WORKER_INPUT):
        yield url
    else:
        with embedded_postgres() as url:
            yield url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,  # a database per worker
    database_url: str | None,
) -> None:
    """Point Django's one connection to the server before pytest-django makes its database."""
    if database_url is not None:
        address = env.parse_database_url(database_url)
        connection = connections["default"].settings_dict
        connection.update(
            {key: address[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
        )


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let Django empty the tables after a test with transactions; some would refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_no_truncate")
        cursor.execute("ALTER TABLE audit_auditlink DISABLE TRIGGER audit_link_no_truncate")
        of_tokenomics = ("usageentry", "gpuentry", *(f"cost{name}" for name in COSTS))
        for table in (f"tokenomics_{name}" for name in of_tokenomics):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_truncate")
