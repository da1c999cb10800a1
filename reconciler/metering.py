"""Read the meters: what the engines of sessions and the GPUs of nodes show of themselves.

What pods answer is their tenant's word: it is bounded in bytes, time and number, and a pod that
shows nonsense spoils its own reading and no other.  A look asks the cluster and touches no row.
"""

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from gpuaas.core import locks
from gpuaas.inventory.models import Cluster
from reconciler import cluster as port
from reconciler import connections, holding, naming, presence
from reconciler.cluster import ClusterError, Manifest
from reservations import selectors as reservations
from reservations.selectors import HeldDevice
from sessions import selectors as sessions
from sessions import services
from sessions.models import WorkspaceSession
from sessions.spec import NAMESPACE_PREFIX
from tokenomics import selectors as usage
from tokenomics.core import engines, telemetry
from tokenomics.core.engines.reading import MODEL_UNKNOWN, model_of
from tokenomics.core.exposition import BadExposition
from tokenomics.core.telemetry import Board
from tokenomics.services import meters
from tokenomics.services.meters import EngineLook, Holder

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 4 * 1024 * 1024
MOST_PODS: Final = 32
"""So many pods of one session are read at a look."""

SIDE_BY_SIDE: Final = 8
SESSION_SECONDS: Final = 8.0
"""So long one session's pods are read at a look; a namespace's end waits no longer either."""

PORTS: Final[Mapping[str, int]] = {
    "vllm": 8000,
    "sglang": 30000,
    "tgi": 80,
    "triton": 8002,
    "llamacpp": 8080,
    "litellm": 4000,
}
"""Where each engine shows its metrics unless its pod says otherwise."""

GPU_PORT: Final = 9400
GPU_EXPORTERS: Final = (
    ("app", "nvidia-dcgm-exporter"),
    ("app.kubernetes.io/name", "dcgm-exporter"),
)
_SCRAPE: Final = "prometheus.io/scrape"
_PORT: Final = "prometheus.io/port"
_PATH: Final = "prometheus.io/path"
_MOST_PORT: Final = 65_535


@dataclass(slots=True)
class Report:
    """What one reading of a cluster's meters came to."""

    cluster: str
    sessions: int = 0
    nodes: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One pod that shows metrics, and where."""

    namespace: str
    pod: str
    uid: str
    port: int
    path: str
    node: str = ""
    model: str = ""


def read_on_each_cluster(
    *, clock: Callable[[], datetime], patience: timedelta | None = None
) -> list[Report]:
    """Read the meters of every enabled cluster and return the reports."""
    return connections.on_each_cluster(
        lambda cluster, kube: read(cluster=cluster, kube=kube, clock=clock),
        unreached=lambda name, error: Report(name, problems={name: error}),
        patience=patience,
    )


def read(*, cluster: Cluster, kube: port.Cluster, clock: Callable[[], datetime]) -> Report:
    """Read the engines of each session that is up, and the GPUs of each node.

    Raises:
        ClusterError: the pods could not be listed; nothing was read.
    """
    report = Report(cluster.name)
    with locks.held_alone(locks.LockSpace.READ_METERS, cluster.pk) as alone:
        if not alone:
            report.skipped = "the meters of this cluster are being read"
            return report
        pods = kube.find("v1", "Pod")
        going = list(sessions.to_be_metered(cluster, now=clock()))
        # Read first, all side by side; then write, one after the other.
        by_namespace = {each.namespace: each for each in going}
        wanted = {namespace: engines_among(pods, namespace) for namespace in by_namespace}
        exporters = exporters_among(pods)
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            looks = pool.map(lambda targets: look_at_all(kube, targets), wanted.values())
            shown = pool.map(lambda target: _boards(kube, target), exporters)
            found, boards = list(looks), list(shown)
            workspaces = presence.workspaces_among(pods)
            quiet = list(
                pool.map(
                    lambda name: presence.quiet_seconds(kube, name, workspaces.get(name)), wanted
                )
            )
        now = clock()
        for session, seen in zip(by_namespace.values(), found, strict=True):
            _book(session, seen, now=now, report=report)
        held = reservations.held_devices(cluster, now=now)
        gpus = _book_boards(
            cluster, zip(exporters, boards, strict=True), going, held, now=now, report=report
        )
        _note_work(going, held, gpus, dict(zip(wanted, quiet, strict=True)), now=now)
    return report


def last_look(kube: port.Cluster, namespace: str) -> list[EngineLook]:
    """Look at the engines of a namespace that is about to be deleted.  Never raises."""
    try:
        pods = kube.find("v1", "Pod", namespace=namespace)
        return look_at_all(kube, engines_among(pods, namespace))
    except ClusterError as error:
        return [EngineLook("", problem=f"pods could not be listed: {error}")]
    except Exception as error:
        logger.exception("last look crashed", extra={"namespace": namespace})
        return [EngineLook("", problem=repr(error))]


def look_at_all(kube: port.Cluster, targets: Iterable[Target]) -> list[EngineLook]:
    """Look at each of one session's pods; slow ones cost it its own later ones.  Never raises."""
    over_at = time.monotonic() + SESSION_SECONDS
    return [
        look(kube, target)
        if time.monotonic() <= over_at
        else EngineLook(target.uid, problem=f"{target.pod}: there was no time")
        for target in targets
    ]


def book_last(session: WorkspaceSession, looks: list[EngineLook], *, now: datetime) -> None:
    """Book the last look at a session.  Never raises: nothing keeps a namespace from its end."""
    try:
        meters.book_look(reservation=session.reservation, looks=looks, now=now, is_final=True)
    except Exception:
        logger.exception("last reading not booked", extra={"session": str(session)})


def engines_among(pods: Iterable[Manifest], namespace: str) -> list[Target]:
    """Return the running pods of a namespace that show metrics, by name.

    They say so by the label of an engine that is served, or by the annotations that Prometheus
    looks for.  One that says nonsense is left out: it could as well say nothing.
    """
    found = []
    for pod in pods:
        metadata = pod["metadata"]
        if metadata["namespace"] != namespace or not _is_running(pod):
            continue
        annotations = metadata.get("annotations") or {}
        engine = (metadata.get("labels") or {}).get(naming.ENGINE_LABEL, "")
        if not engine and annotations.get(_SCRAPE) != "true":
            continue
        number = _port_in(annotations.get(_PORT, "")) or PORTS.get(engine)
        if number is None:
            continue
        found.append(
            Target(
                namespace,
                metadata["name"],
                metadata["uid"],
                number,
                annotations.get(_PATH) or "/metrics",
                model=annotations.get(naming.MODEL_ANNOTATION, ""),
            )
        )
    return sorted(found, key=lambda target: target.pod)[:MOST_PODS]


def exporters_among(pods: Iterable[Manifest]) -> list[Target]:
    """Return the pods that show a node's GPUs.  No tenant's pod is one, whatever it is called."""
    found = []
    for pod in pods:
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        if not any(labels.get(key) == value for key, value in GPU_EXPORTERS):
            continue
        if metadata["namespace"].startswith(NAMESPACE_PREFIX) or not _is_running(pod):
            continue
        found.append(
            Target(
                metadata["namespace"],
                metadata["name"],
                metadata["uid"],
                _port_in((metadata.get("annotations") or {}).get(_PORT, "")) or GPU_PORT,
                "/metrics",
                node=pod["spec"].get("nodeName", ""),
            )
        )
    return sorted(found, key=lambda target: target.node)


def look(kube: port.Cluster, target: Target) -> EngineLook:
    """Return what an engine shows, or why it could not be read.  Never raises."""
    try:
        readings = engines.read(_text(kube, target))
        if target.model:
            model = model_of(target.model)
            readings = [
                replace(each, model=model) if each.model == MODEL_UNKNOWN else each
                for each in readings
            ]
    except (ClusterError, BadExposition) as error:
        return EngineLook(target.uid, problem=f"{target.pod}: {error}")
    except Exception as error:
        logger.exception("look crashed", extra={"pod": target.pod})
        return EngineLook(target.uid, problem=f"{target.pod}: {error!r}")
    return EngineLook(target.uid, tuple(readings))


def _boards(kube: port.Cluster, target: Target) -> list[Board] | str:
    """Return the GPUs that an exporter shows, or why it could not be read."""
    try:
        return telemetry.boards(_text(kube, target))
    except (ClusterError, BadExposition) as error:
        return str(error)


def _book(
    session: WorkspaceSession, looks: list[EngineLook], *, now: datetime, report: Report
) -> None:
    try:
        problems = meters.book_look(reservation=session.reservation, looks=looks, now=now)
    except Exception as error:
        logger.exception("reading not booked", extra={"session": str(session)})
        problems = [repr(error)]
    report.sessions += 1
    if problems:
        report.problems[str(session)] = "; ".join(problems)


def _book_boards(
    cluster: Cluster,
    shown: Iterable[tuple[Target, list[Board] | str]],
    going: Iterable[WorkspaceSession],
    devices: Iterable[HeldDevice],
    *,
    now: datetime,
    report: Report,
) -> Mapping[int, list[float | None]]:
    """Book what the GPUs did, and return how active those of each reservation are."""
    seen: list[tuple[Board, dict[str, Holder]]] = []
    by_namespace = {each.namespace: each.reservation_id for each in going}
    held: defaultdict[str, list[HeldDevice]] = defaultdict(list)
    for each in devices:
        held[each.node].append(each)
    for target, boards in shown:
        if isinstance(boards, str):
            report.problems[target.node] = boards
            logger.warning("GPUs unread", extra={"node": target.node, "error": boards})
            continue
        holders = holding.holders_on(boards, held[target.node], by_namespace)
        with_holders = [(board, holders[board.uuid]) for board in boards]
        seen += with_holders
        try:
            meters.book_boards(cluster=cluster, node=target.node, boards=with_holders, now=now)
        except Exception as error:
            logger.exception("GPUs not booked", extra={"node": target.node})
            report.problems[target.node] = repr(error)
        report.nodes += 1
    return presence.gpu_activity(seen)


def _note_work(
    going: Iterable[WorkspaceSession],
    held: Iterable[HeldDevice],
    gpus: Mapping[int, list[float | None]],
    quiet: Mapping[str, float | None],
    *,
    now: datetime,
) -> None:
    """Write down in which sessions something is at work; what could not be asked is not known."""
    devices = Counter(each.reservation_id for each in held)
    serving = usage.made_tokens_since(
        now - timedelta(seconds=presence.RECENT_SECONDS), [each.reservation_id for each in going]
    )
    for session in going:
        is_paused = session.paused_at is not None
        at_work = presence.is_at_work(
            gpus=gpus.get(session.reservation_id, ()),
            devices=devices[session.reservation_id],
            made_tokens=session.reservation_id in serving,
            quiet_for=math.inf if is_paused else quiet[session.namespace],
        )
        try:
            services.record_probe(session=session, is_at_work=at_work, now=now)
        except Exception:
            logger.exception("probe not written down", extra={"session": str(session)})


def _text(kube: port.Cluster, target: Target) -> str:
    return kube.read_pod(
        target.namespace,
        target.pod,
        port=target.port,
        path=target.path,
        at_most_bytes=MOST_BYTES,
    )


def _is_running(pod: Manifest) -> bool:
    running = (pod.get("status") or {}).get("phase") == "Running"
    return running and "deletionTimestamp" not in pod["metadata"]


def _port_in(text: str) -> int | None:
    number = int(text) if text.isdecimal() and len(text) <= len(str(_MOST_PORT)) else 0
    return number if 1 <= number <= _MOST_PORT else None
