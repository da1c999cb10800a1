"""Answers that are not GPUaaS's: no traceback, no second booking, no token for anybody else."""

import json

import pytest

from gpuaas_cli import logins
from tests import make
from tests.cli.conftest import Terminal
from tests.cli.servers import Answer, hangs_up, huge, no_http, says, silent_for, stranger

BODY: dict[str, object] = {"results": [], "next": None}
FINE = says(200, json.dumps(BODY).encode())
BUSY = says(503, b'{"code": "busy", "message": "Later."}', Retry_After="3")
POOLS = {"results": [{"slug": "lab", "types": [{"resource_name": "nvidia.com/gpu"}]}]}
LAB = says(200, json.dumps(POOLS).encode())
BOOKING = {
    "id": "8dcd9018-01cf-4716-a2cd-f1e36670ebca",
    "starts_at": "2026-03-01T13:00:00Z",
    "ends_at": "2026-03-01T14:00:00Z",
}
BOOK = ("book", "gpu", "--for", "1h", "--team", "vision")


def at(nobody: Terminal, url: str) -> Terminal:
    quick = {"GPUAAS_TIMEOUT_SECONDS": "0.2"}
    return Terminal({**nobody.env, logins.URL: url, logins.TOKEN: "gpuaas_0", **quick})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(200, b"<html>Welcome</html>", "text/html"), "text/html instead of JSON"),
        (says(500, b"<h1>Oops</h1>", "text/html"), "status 500 with text/html"),
        (says(500, b'{"code": "internal", "message": "Broke."}'), "Broke. [internal]"),
        (says(302, b"", Location="https://elsewhere.example/login"), "sends us to https://else"),
        (says(200, b"[1, 2]"), "a JSON list"),
        (says(200, b'{"results": {"a": 1}}'), "no list of the API"),
        (says(200, b'{"results": [1]}'), "no list of the API"),
        (says(200, b"[" * 100_000), "instead of JSON"),
        (says(200, b"\xff\xfe"), "instead of JSON"),
        (says(404, b"{}"), "status 404 without a message"),
        (says(200, b"no gzip", Content_Encoding="gzip"), "decompressing"),
        (huge, "larger than 16,777,216 bytes"),
        (no_http, "[unreachable]"),
    ],
)
def test_an_answer_that_is_not_gpuaas(nobody: Terminal, answer: Answer, reason: str) -> None:
    with stranger(answer) as there:
        result = at(nobody, there.url)("free")

    assert (result.exit_code, result.stdout) == (4, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert set(there.asked) == {("GET", "/api/v1/pools/")}


@pytest.mark.parametrize("answer", [BUSY, hangs_up, silent_for(0.4)], ids=["503", "gone", "mute"])
def test_reading_is_tried_again_with_longer_and_longer_pauses(
    nobody: Terminal, answer: Answer, here_too: list[float]
) -> None:
    with stranger(answer, answer, FINE) as there:
        result = at(nobody, there.url)("free")

    assert result.exit_code == 0, result.stderr
    assert len(there.asked) == 3
    least = [3.0, 3.0] if answer is BUSY else [0.5, 1.0]
    assert [0.8 * a <= b <= 1.2 * a for a, b in zip(least, here_too, strict=True)] == [True, True]


def test_it_gives_up(nobody: Terminal) -> None:
    with stranger(BUSY) as there:
        result = at(nobody, there.url)("free", "--json")

    assert result.exit_code == 4
    assert json.loads(result.stderr) == {"code": "busy", "message": "Later."}
    assert len(there.asked) == 4


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", "Connection refused"),
        ("gpuaas.example.com", "protocol"),
        ("http://[", "http://["),
        ("http://127.0.0.1:port", "port"),
    ],
)
def test_nobody_there(nobody: Terminal, url: str, reason: str) -> None:
    result = at(nobody, url)("free")

    assert result.exit_code == 4
    assert reason in result.stderr


def test_a_booking_is_sent_again_with_the_same_key(nobody: Terminal) -> None:
    booked = says(201, json.dumps(BOOKING).encode())
    with stranger(LAB, BUSY, hangs_up, booked) as there:
        result = at(nobody, there.url)(*BOOK)

    assert result.exit_code == 0, result.stderr
    assert [method for method, _ in there.asked] == ["GET", "POST", "POST", "POST"]
    assert there.keys[1] is not None
    assert set(there.keys[1:]) == {there.keys[1]}


def test_what_could_happen_twice_is_sent_once(nobody: Terminal) -> None:
    shown = says(200, json.dumps(BOOKING).encode())
    with stranger(shown, hangs_up) as there:
        result = at(nobody, there.url)("release", BOOKING["id"])

    assert result.exit_code == 4
    assert [method for method, _ in there.asked] == ["GET", "POST"]


def test_the_token_is_shown_to_no_other_server(nobody: Terminal) -> None:
    with stranger(FINE) as other:
        page = {"results": [], "next": other.url.replace("127.0.0.1", "localhost")}
        with stranger(says(200, json.dumps(page).encode())) as there:
            result = at(nobody, there.url)("free")

    assert result.exit_code == 4
    assert "goes on at" in result.stderr
    assert other.asked == []


@pytest.mark.parametrize(
    "booking", [{}, {"id": 5}, {**BOOKING, "ends_at": None}, {**BOOKING, "ends_at": "0001-01-01"}]
)
def test_a_booking_with_holes(nobody: Terminal, booking: dict[str, object]) -> None:
    with stranger(says(200, json.dumps(booking).encode())) as there:
        terminal = at(nobody, there.url)
        results = [
            terminal("show", BOOKING["id"]),
            terminal("extend", BOOKING["id"], "--by", "1h"),
            terminal("cancel", BOOKING["id"], "--yes"),
            terminal("whoami"),
            terminal("teams"),
        ]

    assert {int(each.exit_code) for each in results} <= {0, 4}


def test_the_terminal_obeys_nobody(nobody: Terminal) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202egpj"
    problems = [{"message": evil, "field": evil}] * 2
    body = {"code": f"x{evil}", "message": evil, "details": {"problems": problems}}
    with stranger(says(422, json.dumps(body).encode())) as there:
        refused = at(nobody, there.url)("free")
    with stranger(says(200, json.dumps({**BOOKING, "purpose": evil}).encode())) as there:
        shown = at(nobody, there.url)("show", BOOKING["id"])

    assert (refused.exit_code, shown.exit_code) == (1, 0)
    assert not set("\x1b\x07\u202e") & set(refused.output + shown.output)


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "601"])
def test_a_timeout_that_makes_no_sense(nobody: Terminal, seconds: str) -> None:
    terminal = Terminal({**at(nobody, "http://127.0.0.1:1").env, "GPUAAS_TIMEOUT_SECONDS": seconds})

    assert terminal("free").exit_code == 2


def test_noon_is_the_moment_of_these_tests(nobody: Terminal) -> None:
    with stranger(LAB, says(201, json.dumps(BOOKING).encode())) as there:
        result = at(nobody, there.url)(*BOOK, "--utc")

    assert f"{make.NOON:%d %b}" in result.stdout
