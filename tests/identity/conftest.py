"""Product A, in a process of its own, is the identity provider; product B is this process."""

import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import psycopg
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.identity.models import DirectoryGroup
from tests import make

ROOT = Path(__file__).parents[2]
CALLBACK = "/accounts/oidc/sso/login/callback/"


@dataclass
class Provider:
    """Product A: where it is, and a pipe to tell it what happens over there."""

    address: str
    secret: str
    process: "subprocess.Popen[str]" = field(repr=False)

    def tell(self, *words: str) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", f"it did not do: {words}"

    def log_in(self, username: str, address: str) -> str:
        """Log in over there as a browser would; return where it sends the browser in the end."""
        browser = requests.Session()
        browser.headers["X-Real-IP"] = f"10.0.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        page = browser.get(address)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        form = {"login": username, "password": make.PASSWORD, "csrfmiddlewaretoken": token[1]}
        form |= dict(re.findall(r'type="hidden" name="(next)" value="([^"]+)"', page.text))
        form = {name: value.replace("&amp;", "&") for name, value in form.items()}
        response = browser.post(page.url, form, allow_redirects=False)
        for _ in range(5):
            where = response.headers.get("Location", "")
            if where.startswith("http://testserver"):
                return where
            assert where, response.text
            response = browser.get(urljoin(response.url, where), allow_redirects=False)
        raise AssertionError(f"it did not come back: {response.url}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def signing_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="session")
def provider(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    server = connections.settings["default"]
    name = f"provider_{secrets.token_hex(4)}"
    admin = psycopg.connect(
        host=server["HOST"], port=server["PORT"], user=server["USER"],
        password=server["PASSWORD"], dbname="postgres", autocommit=True,
    )  # fmt: skip
    port, folder = free_port(), tmp_path_factory.mktemp("provider")
    secret_file = folder / "secret"
    secret_file.write_text(secrets.token_urlsafe(30))
    admin.execute(f"CREATE DATABASE {name}")
    credentials = f"{server['USER']}:{server['PASSWORD']}" if server["PASSWORD"] else server["USER"]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "tests.identity.provider_process",
            str(port), f"http://testserver{CALLBACK}", str(secret_file),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "gpuaas.settings.test",
            "DATABASE_URL": f"postgresql://{credentials}@{server['HOST']}:{server['PORT']}/{name}",
            "GPUAAS_BASE_URL": f"http://127.0.0.1:{port}",
            "GPUAAS_IDP_PRIVATE_KEY": signing_key(),
            "GPUAAS_CLIENT_IP_HEADER": "X-Real-IP",
            "GPUAAS_IDP_CLIENT_ORIGINS": "http://testserver",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield Provider(f"http://127.0.0.1:{port}", secret_file.read_text(), process)
    finally:
        process.terminate()
        process.communicate(timeout=10)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.close()


@pytest.fixture
def directory(provider: Provider, settings: Settings) -> Iterator[Provider]:
    """Product B relies on product A, which works."""
    settings.OIDC_ISSUER = provider.address
    settings.OIDC_CLIENT_ID = "portal-b"
    settings.OIDC_CLIENT_SECRET = provider.secret
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 30  # this machine may have much else to do
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            **settings.SOCIALACCOUNT_PROVIDERS["openid_connect"],
            "APPS": [
                {
                    "provider_id": "sso",
                    "name": "the lab's directory",
                    "client_id": "portal-b",
                    "secret": provider.secret,
                    "settings": {"server_url": provider.address},
                }
            ],
        }
    }
    yield provider
    provider.tell("fail", "no")


def come_in(browser: Client, directory: Provider, username: str) -> int:
    """Log in to B with an account of A; return the status of B's last answer."""
    start = browser.post("/accounts/oidc/sso/login/")
    assert start.status_code == 302, start.content
    assert "code_challenge_method=S256" in start["Location"]
    back = urlsplit(directory.log_in(username, start["Location"]))
    return browser.get(f"{back.path}?{back.query}").status_code


def newcomer(directory: Provider, *teams: tuple[str, str]) -> str:
    """Make a person over there, in ``(team, role)``s; return their name."""
    name = f"person-{secrets.token_hex(3)}"
    directory.tell("person", name)
    for slug, role in teams:
        directory.tell("team", name, slug, role)
    return name


def roles_of(username: str, *, at: datetime | None = None) -> dict[str, str]:
    user = User.objects.get(username=username)
    at = at or timezone.now()
    return {m.team.slug: m.role for m in accounts.memberships_of(user, now=at)}


def group(name: str, *, gives: str = "member", team: Team | None = None) -> DirectoryGroup:
    return DirectoryGroup.objects.create(
        provider="sso", group=name, team=team or make.team(slug="lab"), role=gives
    )
