"""The embedded servers: what they hold outlives them, and none outlives its use."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from onebox import postgres, processes, valkey
from onebox.errors import CannotStart
from onebox.state import ROOT

# A process that starts a server and does nothing more, until it is killed.
ABANDONED = """
import sys, time
from pathlib import Path
from onebox import postgres, valkey
server = {module}.start(Path(sys.argv[1]), durable={durable})
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder every account can enter, as a checkout in /srv is."""
    home = Path(tempfile.mkdtemp(prefix="gpuaas-servers-"))
    home.chmod(0o755)
    yield home / "server"
    postgres.forget(home / "server")
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def private_folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder below one that only its owner can enter, as root's home is."""
    tmp_path.chmod(0o700)
    yield tmp_path / "server"
    postgres.forget(tmp_path / "server")


def abandon(module: str, folder: Path, *, durable: bool) -> int:
    """Start a server from a process that is then killed; return the server's pid."""
    with subprocess.Popen(
        [sys.executable, "-c", ABANDONED.format(module=module, durable=durable), str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    return pid


def keep(server: postgres.Postgres, word: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])


def kept(server: postgres.Postgres) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {row[0] for row in connection.execute("SELECT word FROM kept")}


class TestPostgres:
    @pytest.fixture(params=["folder", "private_folder"])
    def server(self, request: pytest.FixtureRequest) -> Iterator[postgres.Postgres]:
        directory: Path = request.getfixturevalue(request.param)
        server = postgres.start(directory)
        yield server
        server.stop()

    def test_a_database_is_made_once(self, server: postgres.Postgres) -> None:
        keep(server.ensure_database("portal"), "first")

        again = server.ensure_database("portal")

        assert again.url.endswith("/portal")
        assert kept(again) == {"first"}

    def test_what_overlapping_ranges_need_is_there(self, server: postgres.Postgres) -> None:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
            connection.execute(
                "CREATE TABLE slot (gpu int, during tstzrange,"
                " EXCLUDE USING gist (gpu WITH =, during WITH &&))"
            )
            connection.execute("INSERT INTO slot VALUES (1, '[2030-01-01,2030-01-02)')")
            with pytest.raises(psycopg.errors.ExclusionViolation):
                connection.execute("INSERT INTO slot VALUES (1, '[2030-01-01,2030-01-03)')")

    def test_nobody_enters_without_the_password(self, server: postgres.Postgres) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url, password="guessed")  # noqa: S106 -- it is wrong

    def test_it_keeps_its_data_when_stopped(self, folder: Path) -> None:
        server = postgres.start(folder)
        keep(server, "stopped")
        server.stop()

        again = postgres.start(folder, port=server.port)

        assert again.port == server.port
        assert again.identity == server.identity
        assert kept(again) == {"stopped"}
        again.stop()

    def test_it_keeps_its_data_when_killed(self, folder: Path) -> None:
        server = postgres.start(folder)
        keep(server, "killed")
        server.process.kill()
        server.process.wait()

        again = postgres.start(folder)

        assert kept(again) == {"killed"}
        again.stop()

    def test_a_pid_file_naming_a_stranger_stops_neither_us_nor_the_stranger(
        self, folder: Path
    ) -> None:
        postgres.start(folder).stop()
        pid_file = folder / "data" / "postmaster.pid"
        pid_file.write_text(f"{os.getpid()}\n{folder / 'data'}\n")

        postgres.start(folder).stop()

        assert processes.birth(os.getpid())

    def test_an_interrupted_first_start_begins_again(self, folder: Path) -> None:
        postgres.start(folder).stop()
        (folder / "password").unlink()

        server = postgres.start(folder)

        assert server.ensure_database("portal").url.endswith("/portal")
        server.stop()

    def test_a_forgetful_one_leaves_no_data(self, private_folder: Path) -> None:
        server = postgres.start(private_folder, durable=False)
        data = (private_folder / "data").resolve()

        server.stop()

        assert not data.exists()
        assert not (private_folder / "data").is_symlink()

    def test_forgetting_stops_and_removes_it(self, private_folder: Path) -> None:
        server = postgres.start(private_folder)
        data = (private_folder / "data").resolve()

        postgres.forget(private_folder)

        assert server.process.wait(5) is not None
        assert not data.exists()
        assert not private_folder.exists()

    def test_a_missing_program_is_said_in_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PG_BIN", "/nowhere")

        with pytest.raises(CannotStart, match="set PG_BIN"):
            postgres.start(folder)


class TestValkey:
    def test_it_keeps_its_data_when_killed(self, folder: Path) -> None:
        server = valkey.start(folder)
        with redis.Redis.from_url(server.url) as client:
            client.rpush("queue", "task")
        server.process.kill()
        server.process.wait()

        again = valkey.start(folder, port=server.port)

        assert again.url == server.url
        with redis.Redis.from_url(again.url) as client:
            assert client.lrange("queue", 0, -1) == [b"task"]
        again.stop()

    def test_nobody_enters_without_the_password(self, folder: Path) -> None:
        server = valkey.start(folder, durable=False)
        stranger = redis.Redis(port=server.port)

        with pytest.raises(redis.AuthenticationError):
            stranger.ping()

        stranger.close()
        server.stop()

    def test_its_password_is_in_no_process_list(self, folder: Path) -> None:
        server = valkey.start(folder)
        password = (folder / "password.conf").read_text().split()[1]

        assert password not in processes.command_line(server.pid)
        assert str(folder) in processes.command_line(server.pid)
        server.stop()

    def test_forgetting_stops_and_removes_it(self, folder: Path) -> None:
        server = valkey.start(folder)

        valkey.forget(folder)

        assert server.process.wait(5) is not None
        assert not folder.exists()


Start = Callable[..., "postgres.Postgres | valkey.Valkey"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.parametrize("module", ["postgres", "valkey"])
@pytest.mark.parametrize("durable", [True, False])
def test_a_server_dies_with_its_parent(folder: Path, module: str, *, durable: bool) -> None:
    pid = abandon(module, folder, durable=durable)

    assert processes.wait_until(lambda: not processes.birth(pid), timeout_seconds=10)


@pytest.mark.parametrize("start", [postgres.start, valkey.start])
def test_a_left_over_is_stopped_by_the_next_start(folder: Path, start: Start) -> None:
    left_over = start(folder)

    server = start(folder)

    assert left_over.process.wait(5) is not None
    assert processes.birth(server.pid)
    server.process.send_signal(signal.SIGINT)
    server.process.wait()
