"""Is anything at work in a session?  GPUs, engines, kernels and terminals say; else it is unknown.

What is at work anywhere is work.  Quiet is only what every probe found quiet.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from reconciler import cluster as port
from reconciler import naming
from reconciler.cluster import ClusterError, Manifest
from tokenomics.core import exposition
from tokenomics.core.exposition import BadExposition
from tokenomics.core.telemetry import Board
from tokenomics.services.meters import Holder

logger = logging.getLogger(__name__)

PORT: Final = 8091
"""Where a workspace shows its activity (`gpuaas_serve.activity`)."""

GPU_AT_WORK: Final = 0.01
"""A GPU that is active for less of the time is at rest."""

RECENT_SECONDS: Final = 120
"""Longer than the time between two probes: what happened between them is seen by the later."""

_MOST_BYTES: Final = 64 * 1024


def workspaces_among(pods: Iterable[Manifest]) -> dict[str, str]:
    """Return the name of the running workspace's pod by namespace."""
    return {
        pod["metadata"]["namespace"]: pod["metadata"]["name"]
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(naming.COMPONENT_LABEL) == naming.WORKSPACE
        and (pod.get("status") or {}).get("phase") == "Running"
    }


def quiet_seconds(kube: port.Cluster, namespace: str, pod: str | None) -> float | None:
    """Return for how long no kernel and no terminal did anything; None: it cannot be told."""
    if pod is None:
        return None
    try:
        text = kube.read_pod(namespace, pod, port=PORT, path="/metrics", at_most_bytes=_MOST_BYTES)
        return quiet_in(text)
    except (ClusterError, BadExposition):
        return None
    except Exception:
        logger.exception("probe crashed", extra={"namespace": namespace})
        return None


def quiet_in(text: str) -> float | None:
    """Return the least quiet time that is shown; None where some probe failed.

    Raises `BadExposition`.
    """
    found = exposition.read(text)
    failed = found.named("workspace_probe_failed")
    quiet = found.named("workspace_quiet_seconds")
    if not quiet or any(each.value != 0 for each in failed):
        return None
    least = min(each.value for each in quiet)
    return least if least >= 0 else None


def gpu_activity(
    seen: Iterable[tuple[Board, Mapping[str, Holder]]],
) -> dict[int, list[float | None]]:
    """Return how active each GPU and slice of a booking is, by reservation."""
    found: defaultdict[int, list[float | None]] = defaultdict(list)
    for board, holders in seen:
        for part in board.slices:
            holder = holders.get(part.instance)
            if holder is not None and holder.reservation_id is not None:
                found[holder.reservation_id].append(part.active)
    return found


def is_at_work(
    *, gpus: Iterable[float | None], devices: int, made_tokens: bool, quiet_for: float | None
) -> bool | None:
    """Return whether something is at work; None: not known.

    ``gpus`` is the activity of those that were seen, of ``devices`` that are held; ``quiet_for``
    is how long kernels and terminals are quiet, in seconds.
    """
    gpus = list(gpus)
    if made_tokens or any(each is not None and each >= GPU_AT_WORK for each in gpus):
        return True
    if quiet_for is not None and quiet_for < RECENT_SECONDS:
        return True
    if quiet_for is None or len(gpus) < devices or None in gpus:
        return None
    return False
