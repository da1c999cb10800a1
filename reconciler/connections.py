"""From a cluster's row to a connection: credentials are mounted files, never columns."""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from django.conf import settings

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
    work: Callable[[Cluster, port.Cluster], R], *, unreached: Callable[[str, str], R]
) -> list[R]:
    """Do ``work`` on every enabled cluster; one that is down spoils nothing for the others.

    ``unreached`` makes the result of such a cluster from its name and the error.
    """
    results = []
    for cluster in inventory.enabled_clusters():
        try:
            with closing(connect(cluster)) as kube:
                results.append(work(cluster, kube))
        except port.ClusterError as error:
            logger.warning("cluster put off", extra={"cluster": cluster.name}, exc_info=error)
            results.append(unreached(cluster.name, str(error)))
        except Exception as error:
            logger.exception("cluster crashed", extra={"cluster": cluster.name})
            results.append(unreached(cluster.name, repr(error)))
    return results
