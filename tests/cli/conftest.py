"""The command line in front of the real API, on a server of its own.  It is noon for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_django.live_server_helper import LiveServer

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from gpuaas_cli import client, clock, logins
from gpuaas_cli.program import program
from tests import make
from tests.api.conftest import it_is_noon

__all__ = ["it_is_noon"]


@dataclass(frozen=True)
class Terminal:
    """Somebody's terminal: nothing of the machine's own login or screen counts."""

    env: Mapping[str, str | None]

    def __call__(self, *arguments: str, typed: str | None = None, **env: str | None) -> Result:
        with_env = {**self.env, **env}
        return CliRunner().invoke(program, arguments, input=typed, env=with_env)


@dataclass(frozen=True)
class Office:
    """A team of one, a pool of four slices and a GPU, and a token."""

    team: Team
    ada: User
    pool: Pool
    token: str


@pytest.fixture(autouse=True)
def here_too(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make it noon here too, and return how long was waited between tries, without waiting."""
    pauses: list[float] = []
    monkeypatch.setattr(clock, "now", lambda: make.NOON)
    monkeypatch.setattr(client, "pause", pauses.append)
    return pauses


@pytest.fixture
def nobody(tmp_path: Path) -> Terminal:
    """Return a terminal where nobody has logged in."""
    unset = dict.fromkeys([logins.URL, logins.TOKEN, "COLUMNS", "GPUAAS_TIMEOUT_SECONDS"])
    return Terminal({**unset, logins.FOLDER: str(tmp_path / "config"), "NO_COLOR": "1"})


@pytest.fixture
def office(transactional_db: None) -> Office:
    team = make.team(slug="vision")
    ada = make.user(teams=[team], username="ada")
    _, token = accounts.create_token(
        person=ada,
        name="laptop",
        expires_at=make.at(24),
        longest=timedelta(days=1),
        now=make.NOON,
    )
    return Office(team, ada, make.pool(slug="lab"), token)


@pytest.fixture
def ada(nobody: Terminal, office: Office, live_server: LiveServer) -> Terminal:
    """Return Ada's terminal."""
    return Terminal(
        {**nobody.env, logins.URL: live_server.url, logins.TOKEN: office.token},
    )


def only(results: Any) -> Any:
    """Return the one thing that is there."""
    (result,) = results
    return result
