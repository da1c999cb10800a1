"""schemathesis against the running server: whatever is sent, the answer is one that is described.

It makes up requests from the OpenAPI document, sensible ones and others.  Never a 5xx; the status,
the type, the headers and the shape of every answer are in the document; without the token, or with
another method, there is none.  Bounded in cases; the time is what a busy machine needs to come to
every operation, and an idle one is done long before.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.servers import basehttp
from django.db import connections
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import OrganisationRole, User
from reservations.capacity import Window
from reservations.lifecycle import State
from tests import make
from tests.permissions import world as worlds
from tests.permissions.world import World
from tests.unit.planning.scenarios import priceless
from tokenomics import documents

pytestmark = pytest.mark.django_db(transaction=True)

ROOT: Final = Path(__file__).parents[2]
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)
SECONDS: Final = 60
CASES: Final = 15
# What an address is about, among the things of the permission matrix; the first that fits.
ABOUT: Final = (
    ("/costs/months/{month}/reservations/{public_id}/", "cost"),
    ("/costs/months/{month}/adjustments/{public_id}/", "adjustment"),
    ("/costs/months/{month}/", "month"),
    ("/costs/sheets/{number}/", "cost-sheet"),
    ("/costs/exports/{public_id}/", "export"),
    ("/pools/{slug}/", "pool"),
    ("/teams/{slug}/members/{number}/", "member"),
    ("/teams/{slug}/", "team"),
    ("/reservations/{public_id}/(approve|reject)/", "pending"),
    ("/reservations/{public_id}/(confirm|pass)/", "held"),
    ("/reservations/{public_id}/(open|extend|extension|shorten|kubeconfig)/", "running"),
    ("/reservations/{public_id}/kubeconfig/token/(take/)?", "running"),
    ("/reservations/{public_id}/guests/{username}/", "guest"),
    ("/sessions/{public_id}/", "session"),
    ("/series/{public_id}/", "series"),
    ("/templates/{public_id}/", "template"),
    ("/planning/scenarios/{public_id}/", "scenario"),
    ("/inventory/nodes/{number}/", "node"),
    ("/inventory/devices/{number}/", "device"),
    ("/inventory/clusters/{name}/", "cluster"),
    ("/calendar-feeds/{number}/", "feed"),
    ("/notices/{number}/", "notice"),
    ("/notices/webhook/{team}/", "named-team"),
)


@pytest.fixture
def quick_server(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> LiveServer:
    """A server that keeps connections, and does not wait 40 ms before it sends an answer's end."""
    monkeypatch.setattr(
        basehttp.WSGIRequestHandler, "disable_nagle_algorithm", value=True, raising=False
    )
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", None)
    return live_server


@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", ["member", "platform administrator"])
def test_every_answer_is_one_that_is_described(
    quick_server: LiveServer, tmp_path: Path, role: str
) -> None:
    world = worlds.build(timezone.now())
    bearer = world.bearer if role == "member" else administrators_token(world)
    config, report = tmp_path / "schemathesis.toml", tmp_path / "report.json"
    config.write_text("\n".join(named(world)))

    ran = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", config),
            *("run", f"{quick_server.url}/api/v1/schema/", "--no-color"),
            *("--header", f"Authorization: Bearer {bearer}", "--mode", "all"),
            *("--generation-with-security-parameters", "false", "--continue-on-failure"),
            *("--phases", "coverage,fuzzing", "--checks", ",".join(CHECKS)),
            *("--max-examples", str(CASES), "--max-time", str(SECONDS), "--no-shrink"),
            *("--seed", "1", "--generation-deterministic", "--report-json-path", report),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.api.fuzz_hooks",
            "GPUAAS_FUZZ_KNOWN": json.dumps(sensible(world)),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    operations = json.loads(report.read_text())["operations"]
    assert operations["tested"] == operations["total"], operations["skip_reasons"]


def administrators_token(world: World) -> str:
    boss = User.objects.filter(organisation_role=OrganisationRole.PLATFORM_ADMIN).latest("pk")
    day = timedelta(days=1)
    _, bearer = accounts.create_token(
        person=boss, name="fuzz", expires_at=world.now + day, longest=day, now=world.now
    )
    return bearer


def named(world: World) -> Iterator[str]:
    """Yield a configuration by which addresses are of things that are there.

    What ends a booking gets one of its own, so that the others still have theirs.
    """
    ahead = Window(world.now + timedelta(hours=40), world.now + timedelta(hours=44))
    of_ours: dict[str, Any] = {"by": world.ours.team, "requested_by": world.ours.member}
    pool, running = world.ours.running.pool, world.ours.running.window
    given_back = make.reservation(of=pool, at=running, state=State.ACTIVE, **of_ours)
    canceled = make.reservation(of=pool, at=ahead, **of_ours)
    own = (
        ("/reservations/{public_id}/give-back/", {"public_id": given_back.public_id}),
        ("/reservations/{public_id}/cancel/", {"public_id": canceled.public_id}),
    )
    others = ((address, world.things[kind].ours) for address, kind in ABOUT)
    rest = ("/reservations/{public_id}/", world.things["booked"].ours)
    for address, things in (*own, *others, rest):
        pattern = address.replace("{", r"\{").replace("}", r"\}")
        yield f"[[operations]]\ninclude-path-regex = {json.dumps(pattern)}"
        yield "[operations.parameters]"
        for name, value in things.items():
            yield f"{json.dumps(f'path.{name}')} = {json.dumps(value, default=str)}"


def sensible(world: World) -> dict[str, list[Any]]:
    """Return values that make sense, by field; the first start goes with the first end, ..."""
    starts, ends = (48, 60, 72, 96, 1, 2), (52, 64, 76, 100, 2, 5)

    def instants(hours: tuple[int, ...]) -> list[str]:
        return [(world.now + timedelta(hours=each)).isoformat() for each in hours]

    return {
        "pool": [world.pool_slug],
        "team": [world.ours.team.slug],
        "person": ["newcomer", world.ours.member.username],
        "resource_name": [make.SLICE, make.GPU],
        "units": [1, 2],
        "minutes": [60, 600],
        "starts_at": instants(starts),
        "ends_at": instants(ends),
        "expires_at": instants((24,)),
        "yaml": [documents.yaml_of(priceless(name=name)) for name in ("one", "two")],
        "scenario": [documents.json_of(priceless(name="three"))],
        "event": ["reservation.approved"],
        "currency": ["EUR"],
        "repeat": [{"every": "day", "count": 2}, {"every": "week", "count": 3}],
    }
