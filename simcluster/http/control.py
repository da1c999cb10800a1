"""The simulator's own doors, under ``/_sim``: only for the administrator, and not Kubernetes.

* ``GET/POST/DELETE /_sim/faults``: see `simcluster.http.faults`
* ``GET/DELETE /_sim/requests``: how often each verb was asked of each resource
* ``POST /_sim/power`` ``{"node": ..., "on": false}``: take a node's power, or give it back
* ``POST /_sim/expire``: make all continue tokens and watched versions too old (410)
"""

from collections import Counter
from typing import Any

from simcluster import errors
from simcluster.cluster import Cluster
from simcluster.controllers import nodes
from simcluster.http.faults import Faults
from simcluster.http.paging import Pages
from simcluster.objects import Object, kinds


class Control:
    """Answers what is asked under ``/_sim``."""

    def __init__(
        self, cluster: Cluster, faults: Faults, pages: Pages, requests: Counter[str]
    ) -> None:
        self._cluster = cluster
        self._faults = faults
        self._pages = pages
        self._requests = requests

    def answer(self, method: str, path: str, body: Any) -> Object:
        """Return the body of the answer, or raise an `ApiError`."""
        match method, path.strip("/").removeprefix("_sim/"):
            case "GET", "faults":
                return {"faults": self._faults.listed()}
            case "POST", "faults":
                self._faults.add(**(body or {}))
            case "DELETE", "faults":
                self._faults.clear()
            case "GET", "requests":
                return dict(self._requests)
            case "DELETE", "requests":
                self._requests.clear()
            case "POST", "power":
                self._switch(body or {})
            case "POST", "expire":
                self._pages.expire()
                self._cluster.store.forget_history()
            case _:
                raise errors.unknown_resource()
        return {}

    def _switch(self, body: Object) -> None:
        node = self._cluster.registry.get(kinds.NODE, "", str(body.get("node", "")))
        nodes.switch(self._cluster.registry, node, is_on=bool(body.get("on", True)))
