"""What probes and Prometheus are told."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from gpuaas.inventory.models import Cluster
from reservations import lifecycle
from sessions import measures, services
from sessions.models import PassRecord, SessionState
from tests import make

pytestmark = pytest.mark.django_db
Sample = tuple[str, frozenset[tuple[str, str]]]


def ask(path: str, **headers: str) -> tuple[int, str]:
    answer = Client().get(path, headers=headers)
    return answer.status_code, answer.content.decode()


def samples() -> dict[Sample, float]:
    """Return everything that Prometheus would read."""
    status, text = ask("/metrics", authorization="Bearer let-me-in")
    assert status == HTTPStatus.OK
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


@pytest.fixture
def token(settings: Settings) -> None:
    settings.METRICS_TOKEN = "let-me-in"  # noqa: S105 -- of this test


def record(cluster: Cluster, *, seconds: float = 1.5, error: str = "") -> None:
    services.record_pass(
        cluster=cluster,
        seconds=seconds,
        answers={("list", 200): 12, ("apply", 429): 1},
        put_off=2,
        error=error,
        now=make.NOON,
    )


def test_a_process_that_answers_is_alive() -> None:
    assert ask("/healthz") == (HTTPStatus.OK, "alive\n")


def test_it_is_ready_with_a_database_that_it_knows() -> None:
    assert ask("/readyz") == (HTTPStatus.OK, "ready\n")


def test_it_is_not_ready_before_the_migrations_are_applied() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'gpu_sessions'")

    status, text = ask("/readyz")

    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "migrations are to be applied" in text


def test_it_is_not_ready_without_a_database() -> None:
    def gone(*_: object) -> None:
        raise DatabaseError("the server closed the connection")

    with connection.execute_wrapper(gone):
        assert ask("/readyz") == (
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        )
        assert ask("/healthz")[0] == HTTPStatus.OK


def test_a_reconciler_that_looks_everywhere_is_well() -> None:
    cluster = make.cluster()
    services.record_look(cluster=cluster, now=timezone.now())

    assert ask("/healthz/reconciler") == (HTTPStatus.OK, "looking\n")


@pytest.mark.parametrize("silent_for", [None, timedelta(minutes=2)])
def test_a_reconciler_that_has_stalled_is_told_of(silent_for: timedelta | None) -> None:
    services.record_look(cluster=make.cluster(name="lit"), now=timezone.now())
    dark = make.cluster(name="dark")
    Cluster.objects.update(known_since=timezone.now() - timedelta(minutes=3))
    if silent_for:
        services.record_look(cluster=dark, now=timezone.now() - silent_for)

    status, text = ask("/healthz/reconciler")

    assert (status, text) == (HTTPStatus.SERVICE_UNAVAILABLE, "stalled on 1 of 2 clusters\n")


def test_a_cluster_that_was_never_looked_at_is_starting_and_not_for_ever() -> None:
    make.cluster()

    assert ask("/healthz/reconciler") == (HTTPStatus.OK, "starting on 1 of 1 clusters\n")
    Cluster.objects.update(known_since=timezone.now() - timedelta(seconds=89))
    assert ask("/healthz/reconciler")[0] == HTTPStatus.OK
    Cluster.objects.update(known_since=timezone.now() - timedelta(seconds=91))
    assert ask("/healthz/reconciler")[0] == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_slow_reconciler_has_more_time(settings: Settings) -> None:
    settings.RECONCILE_INTERVAL_SECONDS = 300
    services.record_look(cluster=make.cluster(), now=timezone.now() - timedelta(minutes=10))

    assert ask("/healthz/reconciler")[0] == HTTPStatus.OK


def test_there_are_no_metrics_without_a_token() -> None:
    assert ask("/metrics", authorization="Bearer ")[0] == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Basic let-me-in", "Bearer lét-me-in"])
def test_metrics_are_for_who_shows_the_token(token: None, shown: str) -> None:
    assert ask("/metrics", authorization=shown)[0] == HTTPStatus.UNAUTHORIZED


def test_passes_add_up_whoever_runs_them(token: None) -> None:
    cluster = make.cluster(name="lab")
    record(cluster)
    record(cluster, seconds=31)
    record(cluster, error="no answer")

    found = samples()

    bucket = "gpuaas_reconcile_pass_seconds_bucket"
    assert found[named(bucket, cluster="lab", le="1")] == 0
    assert found[named(bucket, cluster="lab", le="2")] == 1
    assert found[named(bucket, cluster="lab", le="60")] == 2
    assert found[named(bucket, cluster="lab", le="+Inf")] == 2
    assert found[named("gpuaas_reconcile_pass_seconds_sum", cluster="lab")] == 32.5
    assert found[named("gpuaas_reconcile_failed_passes_total", cluster="lab")] == 1
    assert found[named("gpuaas_reconcile_put_off_total", cluster="lab")] == 4
    lists = named("gpuaas_cluster_api_answers_total", cluster="lab", verb="list", code="200")
    assert found[lists] == 36
    told_to_wait = named(
        "gpuaas_cluster_api_answers_total", cluster="lab", verb="apply", code="429"
    )
    assert found[told_to_wait] == 3
    assert PassRecord.objects.get().last_error == "no answer"


def test_what_is_there_is_counted_by_state(token: None) -> None:
    now = timezone.now()
    session = make.session(state=SessionState.READY)
    cluster = session.reservation.pool.cluster.name
    failed = make.reservation(state=lifecycle.State.CANCELED)
    type(failed).objects.filter(pk=failed.pk).update(
        state=lifecycle.State.FAILED.value,
        state_reason="not ready after 3 minutes: the image lab/ide:1 can't be pulled",
        state_changed_at=now,
        starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=1),
    )

    found = samples()

    assert found[named("gpuaas_sessions", cluster=cluster, state="READY")] == 1
    assert found[named("gpuaas_sessions", cluster=cluster, state="STOPPING")] == 0
    assert found[named("gpuaas_reservations", state="ACTIVE")] == 1
    assert found[named("gpuaas_reservation_failures_24h", reason="image")] == 1
    assert found[named("gpuaas_reservation_failures_24h", reason="quota")] == 0
    assert found[named("gpuaas_reconcile_heartbeat_age_seconds", cluster=cluster)] == float("inf")


def test_the_lag_is_from_the_window_to_the_workspace() -> None:
    pool = make.pool(devices={make.SLICE: 4})
    lags = (5, 20, 35)
    for seconds in lags:
        session = make.session(of=make.reservation(of=pool, at=make.window(0, 2)))
        type(session).objects.filter(pk=session.pk).update(
            state=SessionState.READY.value, ready_at=make.NOON + timedelta(seconds=seconds)
        )
    make.session(of=make.reservation(of=pool, at=make.window(0, 2)))  # still on its way

    found = measures.start_lags_seconds(now=make.NOON + timedelta(seconds=50))

    assert found == [5, 20, 35, 50]
    assert [measures.quantile(found, share) for share in (0.01, 0.5, 0.99)] == [5, 20, 50]
    assert measures.start_lags_seconds(now=make.at(9)) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("it will never be ready: the image x can't be had", "image"),
        ("what else runs in the session leaves the workspace no quota", "quota"),
        ("not ready after 20 minutes: no node has room for the workspace", "no_room"),
        ("the platform could not start it before its window ended", "missed"),
        ('deployments.apps is forbidden: User "x"', "refused"),
        ("not ready after 20 minutes: the workspace is starting", "too_slow"),
        ("a meteor", "other"),
    ],
)
def test_failures_have_a_handful_of_reasons(text: str, reason: str) -> None:
    assert measures.reason_of(text) == reason


@pytest.mark.parametrize("count", [1, 5])
def test_metrics_cost_the_same_however_much_there_is(
    token: None, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        cluster = make.cluster(name=f"lab-{number}")
        record(cluster)
        services.record_look(cluster=cluster, now=make.NOON)
        make.session()

    with django_assert_num_queries(8):
        samples()


def test_the_lag_is_shown_by_quantile(token: None) -> None:
    now = timezone.now()
    session = make.session(state=SessionState.READY)
    minute = timedelta(minutes=1)
    type(session.reservation).objects.update(starts_at=now - 2 * minute, ends_at=now + 9 * minute)
    type(session).objects.update(ready_at=now - minute)

    found = samples()

    lag = found[named("gpuaas_session_start_lag_seconds", quantile="0.99")]
    assert lag == pytest.approx(60)


def test_a_window_of_nobody_says_nothing_of_lag(token: None) -> None:
    names = {name for name, _ in samples()}

    assert "gpuaas_session_start_lag_seconds" not in names
