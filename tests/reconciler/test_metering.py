"""Meters of sessions and nodes: read through the cluster, booked once, and once more at the end."""

from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gpuaas.core import locks
from gpuaas.inventory.models import Device
from reconciler import cluster as port
from reconciler import metering, naming, tasks
from reconciler.metering import Report, Target
from reservations import selectors as reservations
from reservations import services
from reservations.models import Reservation
from sessions.models import WorkspaceSession
from simcluster.testing import Simulator
from tests import make
from tests.cluster.waiting import eventually
from tests.reconciler.conftest import Installation
from tests.reconciler.test_cycle import booked, state_of
from tokenomics import selectors
from tokenomics.core import telemetry
from tokenomics.core.engines.reading import Reading
from tokenomics.models import FinalReading, GpuEntry, MeterSpan, UsageEntry
from tokenomics.services import meters
from tokenomics.services.meters import EngineLook

FIXTURES = Path(__file__).parents[1] / "metering" / "fixtures"
GPUS = FIXTURES / "dcgm"
BORN = int(make.NOON.timestamp()) + 30


def vllm(generated: float, *, born: int = BORN) -> str:
    return (
        f'vllm:generation_tokens_total{{model_name="qwen"}} {generated}\n'
        f"process_start_time_seconds {born}\n"
    )


@pytest.fixture
def reservation(installation: Installation) -> Reservation:
    """A booking from noon to four, its workspace ready."""
    made = booked(installation, 0, 4)
    installation.reconcile()
    return made


def run_pod(  # noqa: PLR0913 -- a pod has that many sides; each has a default
    installation: Installation,
    simulator: Simulator,
    name: str,
    shows: str = "",
    *,
    namespace: str = "",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    port_number: int = 8000,
) -> None:
    namespace = namespace or WorkspaceSession.objects.get().namespace
    installation.kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {naming.ENGINE_LABEL: "vllm"} if labels is None else labels,
                "annotations": annotations or {},
            },
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        }
    )
    ref = port.Ref("v1", "Pod", name, namespace)

    def is_running() -> bool:
        pod = installation.kube.get(ref)
        return pod is not None and pod["status"].get("phase") == "Running"

    eventually(is_running)
    if shows:
        simulator.show(f"{namespace}/{name}:{port_number}/metrics", shows)


def show(simulator: Simulator, name: str, text: str) -> None:
    namespace = WorkspaceSession.objects.get().namespace
    simulator.show(f"{namespace}/{name}:8000/metrics", text)


def read(installation: Installation, minute: float) -> Report:
    installation.at(minute / 60)
    return metering.read(cluster=installation.row, kube=installation.kube, clock=installation.clock)


def generated() -> int:
    return sum(entry.generated or 0 for entry in UsageEntry.objects.all())


def test_every_token_is_booked_once_over_looks_a_restart_and_the_end(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(installation, simulator, "vllm", vllm(100))
    assert read(installation, 1).problems == {}
    show(simulator, "vllm", vllm(150))
    read(installation, 2)
    show(simulator, "vllm", vllm(170, born=BORN + 130))  # a new process, and it did more
    read(installation, 3)
    read(installation, 4)  # nothing happened
    show(simulator, "vllm", vllm(180, born=BORN + 130))
    reservation.refresh_from_db()
    installation.at(5 / 60)
    services.give_back(
        reservation=reservation, actor=reservation.requested_by, now=installation.now
    )
    installation.reconcile()

    assert generated() == 150 + 180
    restarts = UsageEntry.objects.order_by("pk").values_list("evidence__restart", flat=True)
    assert list(restarts) == [False, False, True, False]
    assert state_of(reservation)[1] == "ENDED"
    reservation.refresh_from_db()
    coverage = selectors.coverage_of(reservation, now=installation.now)
    assert coverage.ratio == 1
    assert coverage.gaps == ()
    assert coverage.final == ""


def test_the_last_reading_is_of_the_booking_even_after_its_end(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(installation, simulator, "vllm", vllm(100))
    read(installation, 239)
    show(simulator, "vllm", vllm(700))

    installation.at(4.01).reconcile()

    last = UsageEntry.objects.latest("pk")
    assert (last.generated, last.ended_at) == (600, reservation.ends_at)
    assert last.hour == make.at(3)
    assert FinalReading.objects.get().problem == ""


def test_a_namespace_goes_though_its_last_reading_fails_and_that_is_shown(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(installation, simulator, "vllm")  # listens not

    installation.at(4.01).reconcile()

    assert state_of(reservation)[1] == "ENDED"
    assert "vllm: error trying to reach" in FinalReading.objects.get().problem
    coverage = selectors.coverage_of(reservation, now=installation.now)
    assert coverage.ratio == 0
    assert "connection refused" in (coverage.final or "")


def test_a_last_look_takes_no_longer_than_it_may(
    installation: Installation,
    simulator: Simulator,
    reservation: Reservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_pod(installation, simulator, "vllm", vllm(1))
    monkeypatch.setattr(metering, "SESSION_SECONDS", -1.0)
    namespace = WorkspaceSession.objects.get().namespace

    (late,) = metering.last_look(installation.kube, namespace)
    assert late.problem == "vllm: there was no time"

    simulator.fault(kind="error", code=500, path="pods")
    (unlisted,) = metering.last_look(installation.kube, namespace)
    assert unlisted.problem.startswith("pods could not be listed")
    monkeypatch.setattr(metering, "engines_among", lambda *_: 1 / 0)
    simulator.clear_faults()
    (crashed,) = metering.last_look(installation.kube, namespace)
    assert "ZeroDivisionError" in crashed.problem


def test_a_sessions_slow_pods_cost_its_own_reading(
    installation: Installation,
    simulator: Simulator,
    reservation: Reservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_pod(installation, simulator, "vllm", vllm(1))
    monkeypatch.setattr(metering, "SESSION_SECONDS", -1.0)

    (problem,) = read(installation, 1).problems.values()

    assert problem == "vllm: there was no time"


def test_a_last_reading_that_cannot_be_booked_keeps_nothing(
    installation: Installation,
    reservation: Reservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meters, "book_look", lambda **_: 1 / 0)

    installation.at(4.01).reconcile()

    assert state_of(reservation)[1] == "ENDED"
    assert not FinalReading.objects.exists()


def test_a_dry_run_reads_nothing(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(installation, simulator, "vllm", vllm(100))
    before = installation.kube.calls["read"]

    installation.at(4.01).reconcile(dry_run=True)

    assert installation.kube.calls["read"] == before
    assert not FinalReading.objects.exists()


HOSTILE = [
    "vllm:generation_tokens_total NaN\n",
    "vllm:generation_tokens_total 1e15\n",  # no hardware is that fast
    "<html></html>",
    "x" * (metering.MOST_BYTES + 1),
    "".join(f'vllm:generation_tokens_total{{model_name="{n}"}} 1\n' for n in range(5000)),
    "node_load1 1\n",
]


@pytest.mark.parametrize("shows", HOSTILE, ids=range(len(HOSTILE)))
def test_a_pod_that_shows_nonsense_spoils_its_own_reading_only(
    installation: Installation, simulator: Simulator, reservation: Reservation, shows: str
) -> None:
    run_pod(installation, simulator, "bad", shows)
    run_pod(installation, simulator, "good", vllm(100))

    report = read(installation, 1)

    assert generated() == 100
    assert list(report.problems) == [str(WorkspaceSession.objects.get())]
    assert not MeterSpan.objects.exists()  # what was not seen whole is a gap


def test_too_many_counters_are_a_problem(reservation: Reservation) -> None:
    readings = tuple(Reading("vllm", f"m{n}", generated=1) for n in range(201))

    problems = meters.book_look(
        reservation=reservation, looks=[EngineLook("uid", readings)], now=make.at(0.1)
    )

    assert problems == ["201 counters: at most 200 are read"]
    assert generated() == 200


def test_a_reading_older_than_the_last_is_left_out(reservation: Reservation) -> None:
    def book(number: int, hour: float) -> None:
        reading = Reading("vllm", "m" * 190, replica="r" * 200, generated=number)
        meters.book_look(
            reservation=reservation,
            looks=[EngineLook("uid", (reading, reading))],
            now=make.at(hour),
        )

    book(100, 0.2)
    book(90, 0.1)
    book(130, 0.3)

    assert generated() == 130


def test_a_gap_between_looks_is_listed(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    for minute in (1, 2, 30, 31):
        read(installation, minute)

    covered = selectors.coverage_of(reservation, now=make.at(0.6))

    assert [round((last - first) / timedelta(minutes=1)) for first, last in covered.gaps] == [28, 5]


@pytest.mark.parametrize(
    ("labels", "annotations", "found"),
    [
        ({naming.ENGINE_LABEL: "vllm"}, {}, (8000, "/metrics", "")),
        ({naming.ENGINE_LABEL: "sglang"}, {}, (30000, "/metrics", "")),
        ({naming.ENGINE_LABEL: "vllm"}, {"prometheus.io/port": "9"}, (9, "/metrics", "")),
        (
            {naming.ENGINE_LABEL: "tgi"},
            {naming.MODEL_ANNOTATION: "llama", "prometheus.io/path": "/m"},
            (80, "/m", "llama"),
        ),
        ({}, {"prometheus.io/scrape": "true", "prometheus.io/port": "77"}, (77, "/metrics", "")),
        ({}, {"prometheus.io/scrape": "true"}, None),
        ({}, {"prometheus.io/scrape": "true", "prometheus.io/port": "70000"}, None),
        ({}, {"prometheus.io/scrape": "true", "prometheus.io/port": "8" * 5000}, None),
        ({}, {"prometheus.io/scrape": "true", "prometheus.io/port": "²"}, None),
        ({}, {"prometheus.io/port": "77"}, None),
        ({naming.ENGINE_LABEL: "other"}, {}, None),
    ],
)
def test_engines_are_found_by_label_or_annotation(
    labels: dict[str, str], annotations: dict[str, str], found: tuple[int, str, str] | None
) -> None:
    metadata = {"name": "p", "namespace": "s-1", "uid": "u", "labels": labels}
    pod: dict[str, Any] = {
        "metadata": {**metadata, "annotations": annotations},
        "status": {"phase": "Running"},
    }

    targets = [(t.port, t.path, t.model) for t in metering.engines_among([pod], "s-1")]

    assert targets == ([found] if found else [])
    assert metering.engines_among([pod], "s-2") == []
    leaving = {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "now"}}
    pending = {**pod, "status": {"phase": "Pending"}}
    assert metering.engines_among([leaving, pending], "s-1") == []
    assert len(metering.engines_among([pod] * 50, "s-1")) <= metering.MOST_PODS


def test_an_engine_that_names_no_model_has_that_of_its_pod(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(
        installation,
        simulator,
        "llama",
        "llamacpp:tokens_predicted_total 7\n",
        labels={naming.ENGINE_LABEL: "llamacpp"},
        annotations={naming.MODEL_ANNOTATION: "llama-3", "prometheus.io/port": "8000"},
    )

    read(installation, 1)

    assert UsageEntry.objects.get().model == "llama-3"


def test_a_look_that_crashes_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "_text", lambda *_: 1 / 0)
    target = Target("s-1", "p", "u", 1, "/")

    seen = metering.look(None, target)  # type: ignore[arg-type]

    assert seen.problem == "p: ZeroDivisionError('division by zero')"


# --- GPUs --------------------------------------------------------------------------------------


def whole_gpu(energy_mj: int, active: float, uuid: str = "GPU-1", index: int = 0) -> str:
    labels = f'gpu="{index}",UUID="{uuid}",pod="x",namespace="elsewhere"'
    return f"{telemetry.ENERGY}{{{labels}}} {energy_mj}\n{telemetry.ACTIVE}{{{labels}}} {active}\n"


def run_exporter(installation: Installation, simulator: Simulator, shows: str) -> None:
    operator = {"name": "gpu-operator"}
    installation.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": operator})
    account = port.Ref("v1", "ServiceAccount", "default", "gpu-operator")
    eventually(lambda: installation.kube.get(account) is not None)
    run_pod(
        installation,
        simulator,
        "dcgm",
        shows,
        namespace="gpu-operator",
        labels={"app": "nvidia-dcgm-exporter"},
        port_number=metering.GPU_PORT,
    )


def show_gpus(simulator: Simulator, text: str) -> None:
    simulator.show(f"gpu-operator/dcgm:{metering.GPU_PORT}/metrics", text)


def test_a_gpus_energy_and_work_go_to_the_booking_that_holds_it(
    installation: Installation, simulator: Simulator
) -> None:
    reservation = booked(installation, 0, 4)
    installation.reconcile()
    run_exporter(installation, simulator, whole_gpu(1_000, 0.5))
    device = reservation.holds.get().device
    Device.objects.filter(pk=device.pk).update(uuid="GPU-1", compute_share=1)

    read(installation, 1)
    show_gpus(simulator, whole_gpu(7_000, 0.5))
    report = read(installation, 2)
    read(installation, 30)  # after a gap nothing is booked

    assert report.nodes == 1
    entry = GpuEntry.objects.get()
    assert (entry.reservation_id, entry.energy_mj) == (reservation.pk, 6_000)
    assert entry.active_ms == pytest.approx(30_000, abs=300)


def test_a_tenants_pod_is_no_exporter(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_pod(
        installation,
        simulator,
        "dcgm",
        whole_gpu(1, 1),
        labels={"app": "nvidia-dcgm-exporter"},
        port_number=metering.GPU_PORT,
    )

    assert metering.exporters_among(installation.kube.find("v1", "Pod")) == []


def test_an_exporter_in_trouble_leaves_the_engines_be(
    installation: Installation, simulator: Simulator, reservation: Reservation
) -> None:
    run_exporter(installation, simulator, "nonsense\n")
    run_pod(installation, simulator, "vllm", vllm(3))

    report = read(installation, 1)

    assert generated() == 3
    assert "line 1" in next(iter(report.problems.values()))


def test_one_session_or_node_that_cannot_be_booked_leaves_the_others_be(
    installation: Installation,
    simulator: Simulator,
    reservation: Reservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_exporter(installation, simulator, whole_gpu(1, 1))
    monkeypatch.setattr(meters, "book_look", lambda **_: 1 / 0)
    monkeypatch.setattr(meters, "book_boards", lambda **_: 1 / 0)

    report = read(installation, 1)

    assert len(report.problems) == 2


def test_only_one_reads_a_cluster_at_a_time(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "held_alone", lambda *_: nullcontext(False))  # noqa: FBT003

    assert read(installation, 1).skipped == "the meters of this cluster are being read"


@pytest.mark.django_db(transaction=True)
def test_the_task_reads_every_cluster_and_one_that_is_down_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.cluster(name="down")
    seen: list[list[Report]] = []
    really = metering.read_on_each_cluster
    monkeypatch.setattr(
        metering, "read_on_each_cluster", lambda **given: seen.append(really(**given))
    )

    tasks.read_meters()

    ((report,),) = seen
    assert "no credentials" in report.problems["down"]


def test_what_is_held_is_told_with_its_place(installation: Installation) -> None:
    reservation = booked(installation, 0, 4)

    (device,) = reservations.held_devices(installation.row, now=make.at(1))

    assert (device.reservation_id, device.resource_name) == (
        reservation.pk,
        reservation.resource_name,
    )
    assert reservations.held_devices(installation.row, now=make.at(5)) == []
