"""`manage.py doctor`: each part that is broken is found, and each finding says what to do."""

import base64
import io
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from gpuaas.inventory.models import Cluster
from gpuaas.notifications.models import Delivery, DeliveryState, OutboxMessage
from reconciler import doctor, observe
from reconciler.cluster import ClusterRefused, Manifest, Ref
from reconciler.doctor import Finding, Level, clusters, platform
from reconciler.management.commands import doctor as command
from sessions import services as sessions
from simcluster.testing import Simulator
from tests import audits, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def reachable(simulator: Simulator, settings: Settings) -> Cluster:
    settings.KUBECONFIG_DIR = str(simulator.kubeconfig.parent)
    return make.cluster(name="simcluster")


def told(findings: Iterable[Finding], level: Level) -> list[str]:
    """Return what was found at ``level``; nothing but what is well goes without advice."""
    found = list(findings)
    assert all(bool(each.advice) is (each.level is not Level.WELL) for each in found)
    return [f"{each.part}: {each.found}" for each in found if each.level is level]


def errors(findings: Iterable[Finding]) -> list[str]:
    return told(findings, Level.ERROR)


def warnings(findings: Iterable[Finding]) -> list[str]:
    return told(findings, Level.WARNING)


# --- each examination is on its own ---------------------------------------------------------------


def test_an_examination_that_breaks_is_a_finding_and_the_next_one_goes_on() -> None:
    def breaks(now: datetime) -> Iterable[Finding]:
        raise OSError("no route to host")

    found = list(
        doctor.examine(
            [("broker", breaks), ("cache", lambda _: [doctor.well("cache", "answers")])],
            now=make.NOON,
        )
    )

    assert errors(found) == ["broker: could not be examined: no route to host"]
    assert told(found, Level.WELL) == ["cache: answers"]


# --- settings, database ---------------------------------------------------------------------------


def test_a_setting_that_a_check_complains_of_is_told_with_its_code(settings: Settings) -> None:
    settings.RECONCILE_INTERVAL_SECONDS = 1

    assert any("gpuaas.E004" in each for each in errors(platform.configuration(make.NOON)))


def test_silenced_checks_stay_silent(settings: Settings) -> None:
    settings.RECONCILE_INTERVAL_SECONDS = 1
    settings.SILENCED_SYSTEM_CHECKS = ["gpuaas.E004"]

    assert not any("gpuaas.E004" in each for each in errors(platform.configuration(make.NOON)))


def test_a_database_that_is_well_has_one_line() -> None:
    found = list(platform.database(timezone.now()))

    assert errors(found) == []
    assert len(told(found, Level.WELL)) == 1


def test_a_clock_that_goes_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    late = timezone.now() - timedelta(minutes=2)
    monkeypatch.setattr(timezone, "now", lambda: late)

    assert any("120 s apart" in each for each in errors(platform.database(timezone.now())))


def test_an_old_database_with_few_connections_left_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "OLDEST_POSTGRESQL", 99)
    monkeypatch.setattr(platform, "FULLEST_CONNECTIONS", 0.0)

    found = list(platform.database(timezone.now()))

    assert any("is too old" in each for each in errors(found))
    assert any("connections are in use" in each for each in warnings(found))


# --- who works ------------------------------------------------------------------------------------


def test_without_workers_it_says_how_to_start_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "ANSWER_SECONDS", 0.1)

    found = list(platform.workers(make.NOON))

    assert errors(found) == [
        "workers: nobody answers for the queue default",
        "workers: nobody answers for the queue reconciler",
    ]


def test_a_cluster_that_nobody_looks_at_is_found() -> None:
    cluster = make.cluster(name="east")
    long_ago = timezone.now() - timedelta(hours=1)
    Cluster.objects.filter(pk=cluster.pk).update(known_since=long_ago)

    assert errors(platform.schedule(timezone.now())) == [
        "reconciler: east is not looked at (never)"
    ]


def test_a_cluster_that_was_looked_at_long_ago_is_found() -> None:
    cluster = make.cluster(name="east")
    sessions.record_look(cluster=cluster, now=make.NOON)

    assert errors(platform.schedule(make.at(1))) == [
        "reconciler: east is not looked at (last at 2026-03-01 12:00:00 UTC)"
    ]
    assert errors(platform.schedule(make.NOON)) == []


def test_without_a_cluster_it_says_to_add_one() -> None:
    assert warnings(platform.schedule(make.NOON)) == ["reconciler: there is no enabled cluster"]


def test_a_cache_that_forgets_is_found(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert errors(platform.shared_cache(make.NOON))


def test_a_cache_that_remembers_is_well() -> None:
    assert errors(platform.shared_cache(make.NOON)) == []


# --- what waits -----------------------------------------------------------------------------------


def test_what_should_have_been_told_and_what_was_given_up_is_found() -> None:
    message = OutboxMessage.objects.create(
        key="a", event="x", subject="s", data={}, created_at=make.NOON
    )
    Delivery.objects.create(
        message=message,
        channel="email",
        person=make.user(username="ada"),
        state=DeliveryState.DEAD,
        next_try_at=make.NOON,
    )

    assert warnings(platform.backlog(make.at(1))) == [
        "backlog: 1 messages wait for longer than five minutes",
        "backlog: 1 messages were given up",
    ]
    assert warnings(platform.backlog(make.NOON)) == ["backlog: 1 messages were given up"]


def test_nothing_waiting_is_well() -> None:
    assert warnings(platform.backlog(make.NOON)) == []


def test_the_trail_is_read_and_a_change_in_it_is_found() -> None:
    audits.write(3)
    assert told(platform.trail(make.NOON), Level.WELL) == [
        "audit trail: its newest links hold, up to 3"
    ]

    with audits.forging() as cursor:
        cursor.execute("UPDATE audit_auditevent SET subject = 'other'")
    assert errors(platform.trail(make.NOON))


def test_a_trail_with_a_gap_where_reading_begins_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "LINKS_VERIFIED", 1)
    audits.write(3)
    with audits.forging() as cursor:
        cursor.execute("DELETE FROM audit_auditlink WHERE position = 2")

    assert errors(platform.trail(make.NOON)) == ["audit trail: a position is missing"]


# --- clusters -------------------------------------------------------------------------------------


def test_a_cluster_without_credentials_is_found(settings: Settings, tmp_path: Path) -> None:
    settings.KUBECONFIG_DIR = str(tmp_path)
    make.cluster(name="east")

    (found,) = errors(clusters.clusters(make.NOON))

    assert found.startswith("cluster east: cannot be reached: no credentials for cluster east")


def test_a_simulated_cluster_says_so(reachable: Cluster) -> None:
    found = list(clusters.clusters(make.NOON))

    assert errors(found) == []
    assert warnings(found) == ["cluster simcluster: is simulated"]


def test_a_cluster_without_guardrails_is_found(
    reachable: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "SIMULATED", "never")
    monkeypatch.setattr(clusters, "OLDEST_KUBERNETES", (9, 0))

    found = errors(clusters.clusters(make.NOON))

    assert [each for each in found if "does not stand" in each] == [
        f"cluster simcluster: the guard rail {name} does not stand" for name in clusters.GUARDRAILS
    ]
    assert any("has no admission policies" in each for each in found)


class Bound:
    """A cluster whose guard rails are bound in some way."""

    def __init__(self, *actions: str) -> None:
        self._actions = list(actions)

    def get(self, _: Ref) -> Manifest | None:
        return {"spec": {"validationActions": self._actions}}


class Closed(Bound):
    def get(self, _: Ref) -> Manifest | None:
        raise ClusterRefused("forbidden", status_code=403)


@pytest.mark.parametrize(("actions", "count"), [(["Deny", "Audit"], 0), (["Warn"], 4)])
def test_a_guardrail_that_only_warns_holds_nobody(actions: list[str], count: int) -> None:
    found = clusters.guardrails_stand("cluster east", Bound(*actions))  # type: ignore[arg-type]

    assert len(errors(found)) == count


def test_guardrails_that_we_may_not_see_are_a_warning() -> None:
    found = list(clusters.guardrails_stand("cluster east", Closed()))  # type: ignore[arg-type]

    assert len(warnings(found)) == 1
    assert errors(found) == []


def test_a_cluster_that_refuses_a_listing_is_found(
    reachable: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ClusterRefused("namespaces is forbidden", status_code=403)

    monkeypatch.setattr(observe, "look", refuse)

    (found,) = errors(clusters.clusters(make.NOON))

    assert "refuses what a pass needs: namespaces is forbidden" in found


def test_nodes_that_are_not_ready_are_named() -> None:
    ready, gone = (
        {
            "metadata": {"name": name},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        }
        for name, status in (("a", "True"), ("b", "Unknown"))
    )
    new = {"metadata": {"name": "c"}}

    assert warnings(clusters.nodes_are_ready("cluster east", [ready, gone, new])) == [
        "cluster east: nodes that are not ready: b, c"
    ]
    assert warnings(clusters.nodes_are_ready("cluster east", [ready])) == []


def kubeconfig(folder: Path, token: str) -> Path:
    path = folder / "east.kubeconfig"
    path.write_text(json.dumps({"users": [{"name": "u", "user": {"token": token}}]}))
    return path


def web_token(claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{part}.c2ln"


def test_a_token_that_ends_soon_is_found(settings: Settings, tmp_path: Path) -> None:
    settings.KUBECONFIG_DIR = str(tmp_path)
    kubeconfig(tmp_path, web_token({"exp": make.at(24).timestamp()}))
    cluster = make.cluster(name="east")

    assert warnings(clusters.credentials_last("cluster east", cluster, make.NOON)) == [
        "cluster east: the token of its kubeconfig ends at 2026-03-02 12:00:00 UTC"
    ]
    assert warnings(clusters.credentials_last("cluster east", cluster, make.at(-24 * 7))) == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        web_token({}),
        web_token([]),
        web_token({"exp": "x"}),
        web_token({"exp": 1e300}),
    ],
)
def test_a_token_that_says_nothing_of_its_end_has_none(token: str, tmp_path: Path) -> None:
    assert clusters.token_ends_at(kubeconfig(tmp_path, token)) is None


@pytest.mark.parametrize("content", ["", "[]", "{", "users: null"])
def test_what_is_no_kubeconfig_has_no_end(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.kubeconfig"
    path.write_text(content)

    assert clusters.token_ends_at(path) is None
    assert clusters.token_ends_at(tmp_path / "absent") is None


# --- the command ----------------------------------------------------------------------------------


def run(**options: object) -> tuple[str, int]:
    out, status = io.StringIO(), 0
    try:
        call_command("doctor", stdout=out, **options)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return out.getvalue(), status


def test_it_exits_1_at_an_error_and_0_at_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [doctor.error("broker", "does not answer", "Start it.")]
    soon = [doctor.warning("certificate", "ends in 3 days", "Renew it.")]
    fine = [doctor.well("cache", "answers")]

    monkeypatch.setattr(command, "EXAMINATIONS", [("a", lambda _: [*fine, *soon])])
    assert run() == (
        "ok      cache: answers\nwarning certificate: ends in 3 days\n        -> Renew it.\n",
        0,
    )
    monkeypatch.setattr(command, "EXAMINATIONS", [("a", lambda _: bad)])
    out, status = run(json=True)
    assert status == 1
    assert json.loads(out) == {
        "findings": [
            {"part": "broker", "level": "error", "found": "does not answer", "advice": "Start it."}
        ]
    }


def test_every_part_is_examined(reachable: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "ANSWER_SECONDS", 0.1)

    out, status = run(json=True)

    parts = {each["part"] for each in json.loads(out)["findings"]}
    assert {"settings", "database", "cache", "broker", "workers", "backlog", "audit trail"} <= parts
    assert "cluster simcluster" in parts
    assert status == 1  # no worker takes the tests' tasks
