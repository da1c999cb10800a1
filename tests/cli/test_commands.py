"""Every command against the real API."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_django.live_server_helper import LiveServer

from gpuaas.accounts.models import MembershipRole
from gpuaas.inventory.models import Cluster
from gpuaas_cli import bookings, client, logins
from reservations.lifecycle import State
from reservations.models import Reservation, Series
from sessions import services as sessions
from sessions.models import ClusterToken, SessionState
from tests import make
from tests.cli.conftest import Office, Terminal

BOOK = ("book", "1g.24gb", "--start", "13:00", "--for", "4h")


def booked(ada: Terminal, *more: str) -> dict[str, Any]:
    result = ada(*BOOK, *more, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


# --- who one is --------------------------------------------------------------------------------


def test_log_in_look_and_log_out(
    nobody: Terminal, office: Office, live_server: LiveServer, tmp_path: Path
) -> None:
    made = nobody("login", "--url", f"{live_server.url}/", typed=f"{office.token}\n")
    kept = tmp_path / "config" / "login.json"

    assert made.exit_code == 0, made.output
    assert f"Logged in to {live_server.url} as ada" in made.stdout
    assert office.token not in made.output
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "Sun 01 Mar 12:00" in (shown := nobody("whoami").stdout) or "Mon 02 Mar" in shown
    assert json.loads(nobody("teams", "--json").stdout)[0] == {
        "slug": "vision",
        "name": "Vision",
        "role": "member",
        "expires_at": None,
        "may_book": True,
    }
    # A token that is kept is for the server that it is from.
    assert nobody("whoami", GPUAAS_URL="http://127.0.0.1:9").exit_code == 3
    assert nobody("logout").stdout == "Forgotten.\n"
    assert not kept.exists()
    assert nobody("whoami").exit_code == 3


def test_a_token_from_standard_input(
    nobody: Terminal, office: Office, live_server: LiveServer
) -> None:
    made = nobody("login", "--url", live_server.url, "--token-stdin", typed=office.token)

    assert made.exit_code == 0, made.output
    assert nobody("teams").stdout.split()[-4:] == ["vision", "Vision", "member", "yes"]


def test_a_wrong_token_is_not_kept(
    nobody: Terminal, office: Office, live_server: LiveServer, tmp_path: Path
) -> None:
    made = nobody("login", "--url", live_server.url, typed="gpuaas_wrong\n")

    assert made.exit_code == 3
    assert made.stderr.splitlines()[-1] == (
        "gpuaas: There is no such token. Run `gpuaas login`. [token_unknown]"
    )
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("--token-stdin",), "x"),
        (("--url", "ftp://example.com"), "x"),
        (("--url", "https://"), "x"),
        (("--url", "http://["), "x"),
        (("--url", "https://ada:secret@example.com"), "x"),
        (("--url", "https://example.com", "--token-stdin"), ""),
        (("--url", "https://example.com", "--token-stdin"), "a\nb"),
    ],
)
def test_a_login_that_makes_no_sense(
    nobody: Terminal, arguments: tuple[str, ...], typed: str
) -> None:
    assert nobody("login", *arguments, typed=typed).exit_code == 2


def test_a_login_file_that_is_broken(nobody: Terminal, tmp_path: Path) -> None:
    kept = tmp_path / "config" / "login.json"
    kept.parent.mkdir()
    kept.write_text("[]")

    assert nobody("whoami").exit_code == 3
    assert "cannot be read" in nobody("whoami").stderr


# --- looking -----------------------------------------------------------------------------------


def test_what_is_free(ada: Terminal) -> None:
    booked(ada)

    assert ada("free", "--utc").stdout.splitlines() == [
        "POOL  TYPE     MEMORY  WHOSE        FREE    AT ONCE  UNTIL                 MORE FROM",
        "lab   gpu      96 GB   yours alone  1 of 1  1        -                     -        ",
        "lab   1g.24gb  24 GB   yours alone  4 of 4  4        Sun 01 Mar 13:00 UTC  -        ",
    ]
    assert [each["free_now"] for each in json.loads(ada("free", "--json").stdout)] == [1, 4]
    assert len(json.loads(ada("free", "--type", "GPU", "--json").stdout)) == 1
    hours = ada("free", "--type", "1g.24gb", "--hours", "6", "--utc")
    assert hours.stdout.splitlines()[1:] == [
        "lab   1g.24gb  4     Sun 01 Mar 12:00 - 13:00 UTC",
        "lab   1g.24gb  3     Sun 01 Mar 13:00 - 17:00 UTC",
        "lab   1g.24gb  4     Sun 01 Mar 17:00 - 18:00 UTC",
    ]
    (raw,) = json.loads(ada("free", "--type", "gpu", "--hours", "2", "--json").stdout)
    assert (raw["pool"], raw["free"]) == ("lab", [1, 1])
    assert ada("free", "--pool", "nowhere").stdout.startswith("There is no such pool")


def test_lists_are_of_what_is_mine_and_not_over(ada: Terminal, office: Office) -> None:
    mine = booked(ada)
    mates = make.reservation(of=office.pool, by=office.team, at=make.window(8, 9))
    over = make.reservation(
        of=office.pool,
        by=office.team,
        requested_by=office.ada,
        at=make.window(-9, -8),
        state=State.COMPLETED,
    )
    make.reservation(of=office.pool, at=make.window(10, 11))

    def numbers(*arguments: str) -> list[str]:
        return [each["id"] for each in json.loads(ada("list", "--json", *arguments).stdout)]

    assert numbers() == [mine["id"]]
    assert numbers("--past") == [mine["id"], str(over.public_id)]
    assert numbers("--team", "vision") == [str(mates.public_id), mine["id"]]
    assert numbers("--everyone", "--limit", "1") == [str(mates.public_id)]
    assert numbers("--state", "completed") == [str(over.public_id)]
    assert numbers("--pool", "nowhere") == []
    assert "gpuaas free" in ada("list", "--pool", "nowhere").stdout


def test_a_list_is_a_table_or_blocks_on_a_narrow_terminal(ada: Terminal) -> None:
    mine = booked(ada, "--purpose", "fine-tuning \x1b[31m of a model that has a long name")

    wide, usual, narrow = (ada("list", "--utc", COLUMNS=each) for each in (None, "80", "40"))

    assert wide.stdout.splitlines()[1].split()[:6] == [
        mine["id"][:8],
        "APPROVED",
        "1",
        "x",
        "1g.24gb",
        "lab",
    ]
    assert "Sun 01 Mar 13:00 - 17:00 UTC" in wide.stdout
    assert usual.stdout.splitlines()[0].split() == [
        "NUMBER",
        "STATE",
        "WHAT",
        "POOL",
        "TEAM",
        "WHEN",
        "BY",
    ]
    assert "\x1b" not in wide.stdout
    assert f"NUMBER   {mine['id'][:8]}" in narrow.stdout


def test_one_booking(ada: Terminal, office: Office) -> None:
    mine = booked(ada, "--purpose", "fine-tuning", "--mode", "inference")

    assert json.loads(ada("show", mine["id"][:6], "--json").stdout)["id"] == mine["id"]
    shown = ada("show", mine["id"].upper()).stdout
    assert "purpose    fine-tuning" in shown
    assert "mode       inference" in shown
    for unknown in ("abc", "00000000", "00000000-0000-4000-8000-000000000000"):
        assert ada("show", unknown).exit_code == 1


# --- booking -----------------------------------------------------------------------------------


def test_a_booking_twice_with_one_key_is_one(ada: Terminal) -> None:
    first, second = booked(ada, "--key", "k"), booked(ada, "--key", "k")

    assert first["id"] == second["id"]
    assert booked(ada)["id"] != first["id"]
    assert Reservation.objects.count() == 2


def test_every_reason_against_a_booking_is_printed(ada: Terminal) -> None:
    refused = ada("book", "1g.24gb", "--start", "today 9:00", "--for", "15d", "--utc")

    assert refused.exit_code == 1
    lines = refused.stderr.splitlines()
    assert lines[0] == "gpuaas: 2 reasons against it [wish_refused]"
    assert "[window_too_long]" in lines[1]
    assert lines[2] == "    nearest yes: Sun 01 Mar 09:00 - Sun 15 Mar 09:00 UTC"
    assert "[window_in_the_past]" in lines[3]


def test_a_full_pool_says_what_would_do(ada: Terminal) -> None:
    booked(ada, "--units", "4")

    refused = ada(*BOOK, "--units", "2", "--utc")

    assert refused.exit_code == 1
    assert "[pool_full]" in refused.stderr
    assert "nearest yes: Sun 01 Mar 17:00 - 21:00 UTC" in refused.stderr
    assert "instead: 1 x gpu" in refused.stderr
    body = json.loads(ada(*BOOK, "--units", "2", "--json").stderr)
    assert body["code"] == "pool_full"
    assert body["details"]["nearest"]["starts_at"] == "2026-03-01T17:00:00Z"


def test_a_booking_that_makes_no_sense_is_not_sent(ada: Terminal) -> None:
    for arguments, says in {
        ("a100", "--for", "4h"): "nvidia.com/gpu in lab",
        ("gpu",): "--for, --until",
        ("gpu", "--for", "4h", "--until", "18:00"): "--for, --until",
        ("gpu", "--for", "long"): "no length of time",
        ("gpu", "--start", "soon", "--for", "4h"): "no time",
        ("gpu", "--for", "4h", "--units", "0"): "--units",
    }.items():
        result = ada("book", *arguments)

        assert result.exit_code == 2
        assert says in result.stderr
    assert not Reservation.objects.exists()


def test_who_books_for_several_teams_or_pools_says_which(ada: Terminal, office: Office) -> None:
    make.membership(of=make.team(slug="speech"), whose=office.ada)
    make.pool(slug="annex")

    assert "--pool: annex, lab" in ada(*BOOK).stderr
    assert "--team: speech, vision" in ada(*BOOK, "--pool", "lab").stderr
    assert booked(ada, "--pool", "lab", "--team", "speech")["team"] == "speech"


def test_who_books_for_no_team_is_told(ada: Terminal, office: Office) -> None:
    office.team.memberships.all().delete()

    assert "ask a manager" in ada(*BOOK).stderr
    assert "You are in no team" in ada("teams").stdout


# --- changing ----------------------------------------------------------------------------------


def test_extending(ada: Terminal) -> None:
    number = booked(ada)["id"]

    assert "13:00 - 19:00 UTC" in ada("extend", number, "--by", "2h", "--utc").stdout
    assert "13:00 - 20:00 UTC" in ada("extend", number, "--until", "20:00", "--utc").stdout
    assert json.loads(ada("extend", number, "--max", "--json").stdout)["ends_at"] == (
        "2026-03-15T13:00:00Z"
    )
    refused = ada("extend", number, "--by", "1d", "--utc")
    assert (refused.exit_code, "[window_too_long]" in refused.stderr) == (1, True)
    assert ada("extend", number).exit_code == 2


def test_an_extension_that_is_too_long_says_how_long_it_can_be(ada: Terminal) -> None:
    number = booked(ada, "--units", "4")["id"]
    ada("book", "1g.24gb", "--start", "18:00", "--for", "1h")

    refused = ada("extend", number, "--by", "3h", "--utc")

    assert refused.exit_code == 1
    assert "nearest yes: until Sun 01 Mar 18:00 UTC (--max)" in refused.stderr


def test_shortening_and_moving(ada: Terminal, office: Office) -> None:
    number = booked(ada)["id"]

    assert "13:00 - 16:00 UTC" in ada("shorten", number, "--by", "1h", "--utc").stdout
    assert "13:00 - 15:00 UTC" in ada("shorten", number, "--until", "15:00", "--utc").stdout
    assert ada("shorten", number, "--until", "18:00").exit_code == 1
    assert "18:00 - 20:00 UTC" in ada("move", number, "--start", "18:00", "--utc").stdout
    assert "2 x 1g.24gb" in ada("move", number, "--units", "2").stdout
    assert ada("move", number, "--units", "9").exit_code == 1
    assert ada("move", number).exit_code == 2
    assert "1 x gpu" in ada("move", number, "--type", make.GPU, "--units", "1").stdout


def test_a_change_is_of_the_booking_that_was_looked_at(ada: Terminal) -> None:
    """Somebody changes it between our look and our word: asked again, one says so knowingly."""
    number = booked(ada)["id"]
    found = bookings.find

    def then_changed(api: client.Api, text: str) -> client.Json:
        booking = found(api, text)
        Reservation.objects.filter(public_id=number).update(purpose="another")
        return booking

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bookings, "find", then_changed)
        stale = ada("cancel", number, "--yes")

    assert (stale.exit_code, "[changed_meanwhile]" in stale.stderr) == (1, True)
    assert ada("cancel", number, "--yes").exit_code == 0


def test_giving_back(ada: Terminal, office: Office) -> None:
    running = make.reservation(
        of=office.pool,
        by=office.team,
        requested_by=office.ada,
        at=make.window(-1, 3),
        state=State.ACTIVE,
    )

    assert "COMPLETED" in ada("release", str(running.public_id)).stdout
    refused = ada("release", booked(ada)["id"])
    assert (refused.exit_code, "[transition_not_allowed]" in refused.stderr) == (1, True)


def test_canceling_asks_before(ada: Terminal) -> None:
    number = booked(ada)["id"]

    kept = ada("cancel", number, "--utc", typed="n\n")

    assert kept.exit_code == 1
    assert "Cancel 1 x 1g.24gb, Sun 01 Mar 13:00 - 17:00 UTC? [y/N]" in kept.stderr
    assert json.loads(ada("show", number, "--json").stdout)["state"] == "APPROVED"
    assert "CANCELED" in ada("cancel", number, "--yes").stdout


# --- the workspace -----------------------------------------------------------------------------


def test_into_the_workspace(ada: Terminal, office: Office, tmp_path: Path) -> None:
    running = make.reservation(
        of=office.pool,
        by=office.team,
        requested_by=office.ada,
        at=make.window(-1, 3),
        state=State.ACTIVE,
    )
    number, file = str(running.public_id), tmp_path / "kubeconfig"

    early = ada("open", number, "--utc")
    assert (early.exit_code, "it comes up at Sun 01 Mar 11:00 UTC" in early.stderr) == (1, True)
    session = make.session(of=running, state=SessionState.READY)
    assert "[cluster_not_offered]" in ada("kubeconfig", number).stderr
    Cluster.objects.update(api_url="https://api.example.com")

    url = f"https://{session.namespace}.apps.example.com/"
    assert ada("open", number, "--print").stdout == f"{url}\n"
    assert json.loads(ada("open", number, "--json").stdout) == {"url": url}
    shown, written = ada("kubeconfig", number), ada("kubeconfig", number, "--file", str(file))
    assert "oc login" in shown.stderr
    assert yaml.safe_load(shown.stdout)["current-context"] == session.namespace
    assert (written.stdout, file.read_text()) == ("", shown.stdout)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ada("kubeconfig", number, "--file", str(tmp_path / "no" / "where")).exit_code == 1


def test_a_kubeconfig_with_a_token(
    ada: Terminal, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = make.reservation(
        of=office.pool,
        by=office.team,
        requested_by=office.ada,
        at=make.window(-1, 3),
        state=State.ACTIVE,
    )
    make.session(of=running, state=SessionState.READY)
    Cluster.objects.update(api_url="https://api.example.com")
    number, file = str(running.public_id), tmp_path / "kubeconfig"

    monkeypatch.setattr(client, "pause", lambda _seconds: None)
    never = ada("kubeconfig", number, "--token")
    assert never.exit_code == 1
    assert "not made a token yet" in " ".join(never.stderr.split())

    def reconcile(_seconds: float) -> None:
        token = ClusterToken.objects.get()
        sessions.record_token(
            token=token, text="made-up", expires_at=running.ends_at, now=make.NOON
        )

    monkeypatch.setattr(client, "pause", reconcile)
    taken = ada("kubeconfig", number, "--token", "--file", str(file))
    assert (taken.exit_code, taken.stdout) == (0, "")
    assert "keep it like a password" in taken.stderr
    assert yaml.safe_load(file.read_text())["users"][0]["user"] == {"token": "made-up"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def refuse(_seconds: float) -> None:
        sessions.record_no_token(
            token=ClusterToken.objects.get(), problem="over quota", now=make.NOON
        )

    monkeypatch.setattr(client, "pause", refuse)
    refused = ada("kubeconfig", number, "--token")
    assert refused.exit_code == 1
    assert "made no token: over quota" in " ".join(refused.stderr.split())


# --- the program itself ------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(nobody: Terminal, shell: str) -> None:
    result = nobody("completion", shell)

    assert result.exit_code == 0
    assert "_GPUAAS_COMPLETE" in result.stdout


def test_as_a_program_in_another_zone(ada: Terminal) -> None:
    """The clocks of the machine count, and are named; what is piped on has no colours."""
    booked(ada)
    env = {**os.environ, **{k: v for k, v in ada.env.items() if v}, "TZ": "Europe/Berlin"}
    for name in (logins.FOLDER, "NO_COLOR"):
        env.pop(name, None)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "gpuaas_cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    refused = run("book", "gpu", "--start", "2030-07-01 09:00", "--for", "4h")

    assert "Sun 01 Mar 14:00 - 18:00 CET" in run("list", "--past").stdout
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "[beyond_the_horizon]" in refused.stderr
    assert "\x1b" not in refused.stderr


def test_a_series_says_of_each_what_became_of_it(ada: Terminal, office: Office) -> None:
    make.reservation(of=office.pool, units=4, at=make.window(25, 27))

    said = ada(
        *("book", "1g.24gb", "--start", "2026-03-01T13:00:00Z", "--for", "2h"),
        *("--repeat", "day", "--times", "3"),
        TZ="Europe/Berlin",
    )

    assert said.exit_code == 0, said.output
    assert "every day: 2 of 3 booked" in said.stdout
    assert "refused" in said.stdout
    assert Series.objects.get().time_zone == "Europe/Berlin"
    asked = ("book", "1g.24gb", "--start", "+5d", "--for", "2h", "--repeat", "week")
    again = ada(*asked, "--times", "2", "--time-zone", "UTC", "--json")
    assert [each["outcome"] for each in json.loads(again.stdout)["occurrences"]] == ["booked"] * 2


@pytest.mark.parametrize(
    "options",
    [
        ("--repeat", "day"),
        ("--times", "3"),
        ("--repeat", "day", "--times", "2", "--override", "x", "--reason", "y"),
    ],
)
def test_half_a_series_is_a_mistake(ada: Terminal, options: tuple[str, ...]) -> None:
    assert ada("book", "1g.24gb", "--for", "2h", *options).exit_code == 2


def test_booking_on_behalf_of_somebody_is_for_managers(ada: Terminal, office: Office) -> None:
    asked = ("book", "1g.24gb", "--for", "2h", "--on-behalf-of", "bob")
    bob = make.user(teams=[office.team], username="bob")
    refused = ada(*asked)
    assert (refused.exit_code, "[not_your_team]" in refused.stderr) == (1, True)

    make.membership(of=office.team, whose=office.ada, role=MembershipRole.MANAGER)

    assert ada(*asked).exit_code == 0
    assert Reservation.objects.get().requested_by == bob
