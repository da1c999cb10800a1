"""What was counted, in Prometheus' words.  It comes from rows: any web process can answer."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sessions import measures
from sessions.services import BUCKETS_SECONDS


def of(*, now: datetime) -> bytes:
    """Return the exposition of this moment, in the text format."""
    registry = CollectorRegistry()
    registry.register(_Rows(now))
    return generate_latest(registry)


class _Rows(Collector):
    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> list[Metric]:
        return []  # it would ask the database

    def collect(self) -> Iterator[Metric]:
        yield from _passes()
        yield from _heartbeats(self._now)
        yield from _sessions(self._now)
        yield from _reservations(self._now)


def _passes() -> Iterator[Metric]:
    seconds = HistogramMetricFamily(
        "gpuaas_reconcile_pass_seconds", "How long passes over a cluster took", labels=["cluster"]
    )
    failed = CounterMetricFamily(
        "gpuaas_reconcile_failed_passes",
        "Passes that could not see the cluster",
        labels=["cluster"],
    )
    put_off = CounterMetricFamily(
        "gpuaas_reconcile_put_off", "Sessions and others that failed in a pass", labels=["cluster"]
    )
    answers = CounterMetricFamily(
        "gpuaas_cluster_api_answers",
        "Requests to the cluster by verb and HTTP status; 0: no answer",
        labels=["cluster", "verb", "code"],
    )
    for record in measures.passes():
        name = record.cluster.name
        buckets = [(str(bound), record.at_most.get(str(bound), 0)) for bound in BUCKETS_SECONDS]
        seconds.add_metric([name], [*buckets, ("+Inf", record.passes)], record.seconds)
        failed.add_metric([name], record.failed_passes)
        put_off.add_metric([name], record.put_off)
        for key, count in sorted(record.answers.items()):
            verb, _, code = key.partition(" ")
            answers.add_metric([name, verb, code], count)
    yield from (seconds, failed, put_off, answers)


def _heartbeats(now: datetime) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "gpuaas_reconcile_heartbeat_age_seconds",
        "Since the reconciler last looked at a cluster; +Inf: never",
        labels=["cluster"],
    )
    for beat in measures.heartbeats():
        since = now - beat.looked_at if beat.looked_at else None
        age.add_metric([beat.cluster], since.total_seconds() if since else float("inf"))
    yield age


def _sessions(now: datetime) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "gpuaas_sessions", "Sessions that have not ended", labels=["cluster", "state"]
    )
    for (cluster, state), count in sorted(measures.sessions_by_state().items()):
        states.add_metric([cluster, state], count)
    yield states
    lag = GaugeMetricFamily(
        "gpuaas_session_start_lag_seconds",
        "From the opening of a window to its workspace, of windows of the last hour",
        labels=["quantile"],
    )
    lags = measures.start_lags_seconds(now=now)
    for share in measures.QUANTILES if lags else ():
        lag.add_metric([str(share)], measures.quantile(lags, share))
    yield lag


def _reservations(now: datetime) -> Iterator[Metric]:
    live = GaugeMetricFamily(
        "gpuaas_reservations", "Reservations that are not over", labels=["state"]
    )
    for state, count in measures.live_reservations_by_state().items():
        live.add_metric([state], count)
    yield live
    failures = GaugeMetricFamily(
        "gpuaas_reservation_failures_24h", "Reservations that failed in a day", labels=["reason"]
    )
    for reason, count in measures.failures_by_reason(now=now).items():
        failures.add_metric([reason], count)
    yield failures
