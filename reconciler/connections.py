"""From a cluster's row to a connection: credentials are mounted files, never columns."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import connection

from gpuaas.core import logs
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Cluster
from reconciler import cluster as port
from reconciler.cluster import client

logger = logging.getLogger(__name__)
R = TypeVar("R")


def connect(cluster: Cluster) -> port.Cluster:
    """Return the connection to ``cluster``; nothing is sent yet.

    Raises:
        ClusterUnavailable: there are no credentials for it.
    """
    if cluster.in_cluster:
        return client.connect(None)
    path = Path(settings.KUBECONFIG_DIR) / f"{cluster.name}.kubeconfig"
    if not settings.KUBECONFIG_DIR or not path.is_file():
        msg = f"no credentials for cluster {cluster.name}: {path} does not exist"
        raise port.ClusterUnavailable(msg)
    return client.connect(path)


def on_each_cluster(
    work: Callable[[Cluster, port.Cluster], R],
    *,
    unreached: Callable[[str, str], R],
    patience: timedelta | None = None,
) -> list[R]:
    """Do ``work`` on every enabled cluster side by side, and return the results in their order.

    One that is down or slow spoils nothing for the others.  ``unreached`` makes the result of such
    a cluster from its name and the error.  One that takes longer than ``patience`` is left at
    work: whoever comes next finds its lock taken and lets it be.  None waits however long.
    """
    clusters = list(inventory.enabled_clusters())
    if len(clusters) == 1 and patience is None:
        return [_on_one(clusters[0], work, unreached)]
    results: dict[str, R] = {}
    threads = [
        # Daemons: a process that is told to end does not wait for a cluster that never answers.
        threading.Thread(
            target=_on_its_own_thread,
            args=(cluster, work, unreached, results),
            name=f"cluster-{cluster.name}",
            daemon=True,
        )
        for cluster in clusters
    ]
    for thread in threads:
        thread.start()
    over_at = None if patience is None else time.monotonic() + patience.total_seconds()
    for thread in threads:
        thread.join(None if over_at is None else max(0.0, over_at - time.monotonic()))
    found = dict(results)
    late = f"still at work after {patience}; the other clusters go on"
    return [
        found[each.name] if each.name in found else unreached(each.name, late) for each in clusters
    ]


def _on_its_own_thread(
    cluster: Cluster,
    work: Callable[[Cluster, port.Cluster], R],
    unreached: Callable[[str, str], R],
    results: dict[str, R],
) -> None:
    try:
        results[cluster.name] = _on_one(cluster, work, unreached)
    finally:
        connection.close()  # the thread's own


def _on_one(
    cluster: Cluster,
    work: Callable[[Cluster, port.Cluster], R],
    unreached: Callable[[str, str], R],
) -> R:
    try:
        with logs.about(cluster=cluster.name), closing(connect(cluster)) as kube:
            return work(cluster, kube)
    except port.ClusterError as error:
        logger.warning("cluster put off", extra={"cluster": cluster.name}, exc_info=error)
        return unreached(cluster.name, str(error))
    except Exception as error:
        logger.exception("cluster crashed", extra={"cluster": cluster.name})
        return unreached(cluster.name, repr(error))
