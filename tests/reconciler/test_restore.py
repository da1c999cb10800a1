"""A dump restored into an empty database, before an empty cluster: everything comes back by itself.

What docs/runbook/backup-and-restore.md says, done: pg_dump, pg_restore, and the commands in a
process of their own that knows the restored database alone.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from psycopg import sql

from gpuaas.audit import selectors as audit
from onebox import binaries
from onebox.state import ROOT
from reconciler import observe
from reconciler.cluster import client
from reservations.capacity import Window
from sessions.models import SessionState, WorkspaceSession
from simcluster import testing
from tests import make
from tests.reconciler.conftest import Installation

pytestmark = pytest.mark.django_db(transaction=True)
RESTORED = "restored_from_a_dump"


def address_of(database: str) -> str:
    """Return the address of a database of the suite's server."""
    its = connection.get_connection_params()
    where = f"{its['user']}:{its.get('password', '')}@{its['host']}:{its['port']}"
    return urlunsplit(("postgresql", where, f"/{database}", "", ""))


@pytest.fixture
def restored() -> Iterator[str]:
    """Yield the address of an empty database, for this test alone."""
    name = f"{RESTORED}_{os.getpid()}"
    with psycopg.connect(address_of("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield address_of(name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def postgres(program: str, *arguments: str) -> None:
    path = binaries.postgres_programs() / program
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def manage(*arguments: str, database: str, kubeconfigs: Path) -> str:
    """Return what a command printed in a process that knows the restored database alone."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "gpuaas.settings.test",
            "GPUAAS_KUBECONFIG_DIR": str(kubeconfigs),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_restored_database_brings_an_empty_cluster_to_what_it_says(
    installation: Installation, restored: str, tmp_path: Path
) -> None:
    now = timezone.now()
    hour = timedelta(hours=1)
    runs, later = (
        make.reservation(of=installation.pool, at=Window(now + begins, now + 4 * hour))
        for begins in (-hour, 2 * hour)
    )
    installation.now = now
    installation.reconcile()
    assert WorkspaceSession.objects.get().state == SessionState.READY
    before = installation.objects()
    head = audit.head()
    backup = tmp_path / "gpuaas.dump"
    database = str(connection.settings_dict["NAME"])

    postgres("pg_dump", "--format=custom", f"--file={backup}", address_of(database))
    # What happens after the backup is lost, and nothing else.
    WorkspaceSession.objects.update(state=SessionState.STOPPING)
    postgres("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(backup))

    folder = tmp_path / "empty"
    folder.mkdir()
    empty = testing.start(folder, plain_http=True)
    try:
        manage("migrate", "--check", database=restored, kubeconfigs=folder)
        said = manage(
            "verify_audit",
            f"--expect={head.position}:{head.digest.hex()}",
            database=restored,
            kubeconfigs=folder,
        )
        assert f"head {head}" in said
        manage("reconcile", "--once", database=restored, kubeconfigs=folder)
        manage("collect_garbage", "--once", database=restored, kubeconfigs=folder)
        kube = client.connect(empty.kubeconfig)
        found = {str(ref) for ref in observe.look(kube, installation="gpuaas").objects}
        kube.close()
    finally:
        empty.stop()

    assert found == before
    with psycopg.connect(restored) as database_again:
        states: dict[int, str | None] = dict(
            database_again.execute(
                "SELECT r.id, s.state FROM reservations_reservation r"
                " LEFT JOIN gpu_sessions_workspacesession s ON s.reservation_id = r.id"
            ).fetchall()
        )
    assert states == {runs.pk: "READY", later.pk: None}
    assert urlsplit(restored).path[1:] != database
