"""What the reconciler costs, and how far it is from a script that only sends requests.

    python benchmarks/reconcile.py [--idle N ...] [--at-once N] [--rounds N] [--lag N]

On the real control plane (`make controlplane`), without machines: `onebox.fakekubelet` reports a
pod Ready 0.3 s after the scheduler has placed it.  A session is ready when its Deployment has an
available replica *and* its owner has been let in; the flat-out script is done when it has applied
the same objects, session by session, and every Deployment has an available replica.  It uses the
same client and 8 threads, looks at nothing and waits for nothing in between.

It fails when a goal is missed: the goals stand beside the figures.
"""

import argparse
import dataclasses
import heapq
import math
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import world
import yaml

from onebox import controlplane

if TYPE_CHECKING:
    from gpuaas.inventory.models import Cluster as ClusterRow
    from gpuaas.inventory.models import Pool
    from reconciler.cluster import Cluster, Manifest
    from reservations.models import Reservation
    from sessions.spec import SessionSpec

GPU: Final = "nvidia.com/gpu"
NODES, GPUS_PER_NODE = 24, 50
THREADS: Final = 8
PASSES: Final = 5
TICK: Final = timedelta(seconds=30)
# Half of it is what an hour of bookings may look like; nobody's window ends while we measure.
LENGTH: Final = timedelta(hours=8)
CALLS_A_MINUTE, CPU_MS, TIMES_FLAT_OUT, WRITES, LAG_SECONDS = 24, 1.0, 1.3, 1.2, 35.0
# Controllers that throttle themselves would hide what is measured: one Deployment takes 10 calls.
UNTHROTTLED: Final = {
    "kube-controller-manager": ["--kube-api-qps=2000", "--kube-api-burst=4000"],
    "kube-scheduler": ["--kube-api-qps=2000", "--kube-api-burst=4000"],
}


def machines() -> str:
    """Return nodes with whole GPUs, and the storage class of the reference installation."""
    reference = world.ROOT / "simcluster" / "reference.yaml"
    node, storage = yaml.safe_load_all(reference.read_text())
    kept = {
        name: value
        for name, value in node["metadata"]["labels"].items()
        if "/mig" not in name and not name.startswith(f"{GPU}.")
    }
    documents = [storage]
    for number in range(NODES):
        name = f"bench-{number:02}"
        labels = {
            **kept,
            "kubernetes.io/hostname": name,
            f"{GPU}.product": "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition",
            f"{GPU}.memory": "97887",
            f"{GPU}.count": str(GPUS_PER_NODE),
            f"{GPU}.replicas": "1",
        }
        capacity = {
            "cpu": "2000",
            "memory": "20Ti",
            "ephemeral-storage": "300Ti",
            "pods": "500",
            GPU: str(GPUS_PER_NODE),
        }
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "labels": labels,
                    "annotations": {"capacity.topolvm.io/vg1": str(10**15)},
                },
                "status": {"capacity": capacity, "allocatable": capacity},
            }
        )
    return yaml.safe_dump_all(documents)


class Bench:
    """A cluster of machines that do not exist, and bookings on it."""

    def __init__(self, kube: "Cluster") -> None:
        from gpuaas.inventory import labels, services  # noqa: PLC0415 -- after Django is set up
        from tests import make  # noqa: PLC0415

        self.kube = kube
        self.row: ClusterRow = make.cluster(name="bench")
        nodes = [labels.facts_of(node) for node in kube.find("v1", "Node")]
        services.import_nodes(cluster=self.row, nodes=nodes, actor=None, now=now())
        self.pool: Pool = services.ensure_default_pool(cluster=self.row)
        self.team = make.team()
        self.person = make.user(teams=(self.team,))

    def book(self, starts: Sequence[datetime]) -> "list[Reservation]":
        """Book one GPU from each of ``starts``, past admission; devices that are free then."""
        from psycopg.types.range import TimestamptzRange  # noqa: PLC0415

        from gpuaas.inventory.models import Device  # noqa: PLC0415
        from reservations import lifecycle  # noqa: PLC0415
        from reservations.models import DeviceHold, Reservation  # noqa: PLC0415

        first = min(starts)
        held = DeviceHold.objects.filter(
            during__overlap=TimestamptzRange(first, max(starts) + LENGTH, "[)")
        )
        free = list(
            Device.objects.exclude(pk__in=held.values("device")).select_related("node")[
                : len(starts)
            ]
        )
        made = []
        for device, starts_at in zip(free, starts, strict=True):
            reservation = Reservation.objects.create(
                pool=self.pool,
                node=device.node,
                team=self.team,
                requested_by=self.person,
                resource_name=GPU,
                units=1,
                mode="interactive",
                cpu_millicores=4_000,
                memory_mib=16 * 1024,
                storage_gib=600,
                starts_at=starts_at,
                ends_at=starts_at + LENGTH,
                state=lifecycle.State.APPROVED.value,
                state_changed_at=first,
                created_at=first,
            )
            during = TimestamptzRange(starts_at, starts_at + LENGTH, "[)")
            DeviceHold.objects.create(reservation=reservation, device=device, during=during)
            made.append(reservation)
        return made

    def reconcile(self) -> Any:
        from reconciler import cycle  # noqa: PLC0415

        return cycle.run(cluster=self.row, kube=self.kube, clock=now)

    def reconcile_until_nothing_waits(self) -> list[Any]:
        """Run passes as a busy schedule would; return their reports."""
        reports = [self.reconcile()]
        while reports[-1].waiting or reports[-1].put_off:
            reports.append(self.reconcile())
        return reports

    def end(self, reservations: "Sequence[Reservation]") -> None:
        """Give the bookings back, and see their namespaces gone."""
        from reservations import services  # noqa: PLC0415

        for each in reservations:
            each.refresh_from_db()
            services.give_back(reservation=each, actor=self.person, now=now())
        self.reconcile_until_nothing_waits()

    def specs(self, reservations: "Sequence[Reservation]") -> "list[SessionSpec]":
        """Return what sessions of the bookings would be made from, without opening them."""
        from sessions import selectors, spec  # noqa: PLC0415
        from sessions.models import WorkspaceSession  # noqa: PLC0415

        sessions = []
        for each in reservations:
            public_id = uuid.uuid4()
            sessions.append(
                WorkspaceSession(
                    public_id=public_id,
                    reservation=each,
                    namespace=spec.namespace_name(public_id),
                    exposure="none",
                )
            )
        return [
            dataclasses.replace(each, installation="flat-out")
            for each in selectors.specs_of(sessions, cluster=self.row)
        ]


def now() -> datetime:
    """Return the time."""
    from django.utils import timezone  # noqa: PLC0415

    return timezone.now()


def manifests(spec: "SessionSpec") -> "Iterator[Manifest]":
    """Yield everything a session consists of, in the order of the reconciler's steps."""
    from reconciler.manifests import (  # noqa: PLC0415
        access,
        guardrails,
        namespace,
        network,
        storage,
        workspace,
    )

    yield namespace.build(spec)
    yield guardrails.resource_quota(spec)
    yield guardrails.limit_range(spec)
    yield from network.build(spec)
    yield from storage.build(spec)
    yield workspace.proxy_config(spec)
    yield workspace.service_account(spec)
    yield workspace.service(spec)
    yield workspace.deployment(spec)
    yield from access.build(spec)


def flat_out(kube: "Cluster", specs: "Sequence[SessionSpec]") -> float:
    """Return the seconds until the workspaces of ``specs`` run, if one only sends requests."""
    from reconciler import naming  # noqa: PLC0415
    from reconciler.provision import is_available  # noqa: PLC0415

    labels = naming.ours("flat-out")
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda spec: [kube.apply(each) for each in manifests(spec)], specs))
    while True:
        found = kube.find("apps/v1", "Deployment", labels=labels)
        if sum(is_available(each) for each in found) == len(specs):
            return time.monotonic() - began
        time.sleep(0.25)


def remove(kube: "Cluster") -> None:
    """Delete what the flat-out script made, and see it gone."""
    from reconciler import naming  # noqa: PLC0415
    from reconciler.cluster import is_terminating, ref_to  # noqa: PLC0415

    while found := kube.find("v1", "Namespace", labels=naming.ours("flat-out")):
        for each in found:
            if not is_terminating(each):
                kube.delete(ref_to(each), uid=each["metadata"]["uid"])
        time.sleep(1)


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """What was measured against what is wanted at most."""

    name: str
    value: float
    at_most: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.at_most


def idle(bench: Bench, sessions: int) -> Iterator[Figure]:
    """Measure passes that have nothing to do."""
    bench.reconcile_until_nothing_waits()
    cpu, calls, lasted = [], [], []
    for _ in range(PASSES):
        began, burnt = time.monotonic(), time.process_time()
        report = bench.reconcile()
        cpu.append(time.process_time() - burnt)
        lasted.append(time.monotonic() - began)
        calls.append(sum(report.api_calls.values()))
        if report.changes or set(report.api_calls) != {"list"}:
            print(f"  not idle: {report.changes[:5]} {report.api_calls}")
            yield Figure(f"idle, {sessions}: changes", len(report.changes) or 1, 0)
    print(
        f"  idle with {sessions}: {calls} calls, CPU {min(cpu):.2f}-{max(cpu):.2f} s,"
        f" {min(lasted):.2f}-{max(lasted):.2f} s a pass"
    )
    a_minute = max(calls) * (timedelta(minutes=1) / TICK)
    yield Figure(f"idle, {sessions}: requests", a_minute, CALLS_A_MINUTE, "a minute")
    median = sorted(cpu)[PASSES // 2]
    yield Figure(f"idle, {sessions}: CPU", 1000 * median / sessions, math.inf, "ms/session")


def per_session(figures: Sequence[Figure], counts: Sequence[int]) -> Figure:
    """Return what one more session costs: the slope between the smallest and the largest."""
    cost = {
        count: figure.value * count
        for count in counts
        for figure in figures
        if figure.name == f"idle, {count}: CPU"
    }
    few, many = min(counts), max(counts)
    slope = (cost[many] - cost[few]) / (many - few)
    return Figure(f"CPU of one more session, {few} to {many}", slope, CPU_MS, "ms")


def at_once(bench: Bench, count: int, rounds: int) -> Iterator[Figure]:
    """Start ``count`` sessions at one instant, in alternation with the flat-out script."""
    ratios, writes = [], []
    for _ in range(rounds):
        far = bench.book([now() + timedelta(days=2)] * count)
        flat = flat_out(bench.kube, bench.specs(far))
        remove(bench.kube)
        bookings = bench.book([now()] * count)
        began = time.monotonic()
        reports = bench.reconcile_until_nothing_waits()
        ours = time.monotonic() - began
        objects = count * len(list(manifests(bench.specs(bookings[:1])[0])))
        sent = sum(report.api_calls.get("apply", 0) for report in reports)
        failed = sum(len(report.put_off) for report in reports)
        looks = sum(report.looks for report in reports)
        calls = sum(sum(report.api_calls.values()) for report in reports)
        print(
            f"  {count} at once: flat out {flat:.1f} s, ours {ours:.1f} s in {looks} looks,"
            f" {sent} writes for {objects} objects, {calls} calls, {failed} put off"
        )
        ratios.append(ours / flat)
        writes.append(sent / objects)
        bench.end([*bookings])
        for each in far:
            each.holds.all().delete()
            each.delete()
    ratios.sort()
    yield Figure(f"{count} at once: times flat out", ratios[len(ratios) // 2], TIMES_FLAT_OUT, "x")
    yield Figure(f"{count} at once: writes an object", max(writes), WRITES)


def lag(bench: Bench, count: int) -> Iterator[Figure]:
    """Start ``count`` sessions within one minute, by the schedule; return how late they are."""
    from reconciler import waking  # noqa: PLC0415
    from sessions.models import WorkspaceSession  # noqa: PLC0415

    begins = now() + timedelta(seconds=20)
    minute = [begins + timedelta(minutes=1) * number / count for number in range(count)]
    bookings = bench.book(minute)
    # One worker takes what the schedule and the passes ask for, one after another.
    due = [now()]
    next_tick = due[0]
    while True:
        woken = heapq.heappop(due)
        time.sleep(max(0.0, (woken - now()).total_seconds()))
        if woken >= next_tick:
            next_tick = woken + TICK
            heapq.heappush(due, next_tick)
            for each in waking.due_between(now(), now() + TICK):
                heapq.heappush(due, each)
        bench.reconcile()
        sessions = WorkspaceSession.objects.filter(reservation__in=bookings)
        ready = list(sessions.exclude(ready_at=None).select_related("reservation"))
        if len(ready) == count:
            break
    lags = sorted(
        (s.ready_at - s.reservation.starts_at).total_seconds() for s in ready if s.ready_at
    )
    p50, p99 = lags[count // 2], lags[math.ceil(0.99 * count) - 1]
    print(f"  {count} within a minute: p50 {p50:.1f} s, p99 {p99:.1f} s, latest {lags[-1]:.1f} s")
    bench.end(bookings)
    yield Figure(f"{count} within a minute: p99", p99, LAG_SECONDS, "s")


@contextmanager
def cluster() -> "Iterator[Cluster]":
    """Start a control plane with many GPUs, and yield it."""
    from reconciler.cluster import client  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="gpuaas-bench-") as folder:
        path = Path(folder) / "machines.yaml"
        path.write_text(machines())
        flags = {**UNTHROTTLED, "fake-kubelet": [f"--machines={path}"]}
        with controlplane.start(Path(folder) / "plane", extra_flags=flags) as plane:
            kube = client.connect(plane.kubeconfig)
            yield kube
            kube.close()


def main() -> int:
    """Measure, print, and return 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--idle", type=int, nargs="*", default=[10, 100, 1000])
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lag", type=int, default=200)
    options = parser.parse_args()
    figures: list[Figure] = []
    with world.database(), cluster() as kube:
        bench = Bench(kube)
        if options.at_once:
            figures += at_once(bench, options.at_once, options.rounds)
        if options.lag:
            figures += lag(bench, options.lag)
        running = 0
        for sessions in sorted(options.idle):
            bench.book([now()] * (sessions - running))
            running = sessions
            figures += idle(bench, sessions)
        if len(options.idle) > 1:
            figures.append(per_session(figures, options.idle))
    print(f"\n{'figure':<44}{'value':>10}{'at most':>10}")
    for each in figures:
        goal = "" if math.isinf(each.at_most) else f"{each.at_most:g}"
        missed = "" if each.is_met else "  MISSED"
        print(f"{each.name:<44}{each.value:>10.2f}{goal:>10} {each.unit}{missed}")
    return 0 if all(each.is_met for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
