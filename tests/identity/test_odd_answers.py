"""A provider that answers oddly ends nobody's access."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.identity import rounds, services
from gpuaas.identity.models import DirectoryPerson
from gpuaas.identity.provider import Grant, Provider, Unreachable
from tests import make

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Fake(Provider):
    """A provider that renews always, and says of everybody what it is told to."""

    says: Mapping[str, Any] | None = None

    def renew(self, refresh_token: str) -> Grant:  # noqa: ARG002 -- of the port
        return Grant("access", "")

    def claims(self, access_token: str) -> Mapping[str, Any]:  # noqa: ARG002 -- of the port
        if self.says is None:
            raise ZeroDivisionError("a bug")
        return self.says


def fake(says: Mapping[str, Any] | None) -> Fake:
    return Fake("https://id.example.com", "us", "s", says=says)


@pytest.fixture
def person(db: None) -> User:
    user = make.user()
    answer = services.Answer("sso", "subject-1", frozenset({"ml"}), "a refresh token")
    services.admit_person(user=user, answer=answer, is_local=False, now=timezone.now())
    return user


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ({"sub": "subject-2", "groups": ["ml"]}, "userinfo is about somebody else"),
        (None, "an error of our own"),
    ],
)
def test_what_cannot_be_meant_is_silence(
    person: User, says: Mapping[str, Any] | None, error: str
) -> None:
    report = rounds.follow(provider=fake(says), now=timezone.now() + HOUR)

    assert report == rounds.Report(silent=1)
    assert DirectoryPerson.objects.get().last_error == error
    person.refresh_from_db()
    assert person.is_active


def test_a_round_that_takes_too_long_leaves_the_rest_to_the_next(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LONGEST_ROUND_SECONDS", -1.0)

    assert rounds.follow(provider=fake({}), now=timezone.now() + HOUR) == rounds.Report()


class Handler(BaseHTTPRequestHandler):
    """A token endpoint that wants our name in the header, and no userinfo endpoint at all."""

    def do_GET(self) -> None:
        self.answer(f'{{"token_endpoint": "http://127.0.0.1:{self.server.server_port}/token"}}')  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        named = self.headers.get("Authorization", "").startswith("Basic ")
        self.answer('{"access_token": "a", "refresh_token": "r"}' if named else "[]")

    def answer(self, body: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


def test_a_provider_that_wants_our_name_in_the_header() -> None:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    provider = Provider(f"http://127.0.0.1:{server.server_port}", "us", "s")

    assert provider.renew("old") == Grant("a", "r")
    with pytest.raises(Unreachable, match="no userinfo_endpoint"):
        provider.claims("a")

    server.shutdown()
    server.server_close()
