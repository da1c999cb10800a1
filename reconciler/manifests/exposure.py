"""The way from outside to a workspace's door: a Route, an Ingress or an HTTPRoute, as configured.

What terminates TLS is the router's or the Gateway's business; a workspace has no certificate.
"""

from collections.abc import Iterable
from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import Door, SessionSpec

# A terminal may be quiet for an hour before its connection is cut.
QUIET_SECONDS: Final = 3600
KINDS: Final = {
    "route": ("route.openshift.io/v1", "Route"),
    "ingress": ("networking.k8s.io/v1", "Ingress"),
    "gateway": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
}


def kinds(exposures: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return what a look has to list besides, for sessions that are exposed like that."""
    return tuple(KINDS[each] for each in sorted(exposures))


def build(spec: SessionSpec, door: Door) -> Manifest:
    """Return the one object that leads to the workspace's Service."""
    builders = {"route": _route, "ingress": _ingress, "gateway": _http_route}
    api_version, kind = KINDS[door.exposure]
    annotations, body = builders[door.exposure](door)
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": naming.metadata(spec, naming.WORKSPACE, annotations=annotations),
        "spec": body,
    }


def _route(door: Door) -> tuple[dict[str, str], dict[str, Any]]:
    timeouts = {
        "haproxy.router.openshift.io/timeout": f"{QUIET_SECONDS}s",
        "haproxy.router.openshift.io/timeout-tunnel": f"{QUIET_SECONDS}s",
    }
    body: dict[str, Any] = {
        "host": door.host,
        "to": {"kind": "Service", "name": naming.WORKSPACE, "weight": 100},
        "port": {"targetPort": "http"},
        "wildcardPolicy": "None",
    }
    if door.is_https:
        body["tls"] = {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    return timeouts, body


def _ingress(door: Door) -> tuple[dict[str, str], dict[str, Any]]:
    service = {"name": naming.WORKSPACE, "port": {"name": "http"}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    body: dict[str, Any] = {"rules": [{"host": door.host, "http": {"paths": [path]}}]}
    if door.ingress_class:
        body["ingressClassName"] = door.ingress_class
    if door.is_https:
        body["tls"] = [{"hosts": [door.host]}]
    return {}, body


def _http_route(door: Door) -> tuple[dict[str, str], dict[str, Any]]:
    namespace, _, name = door.gateway.partition("/")
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": namespace,
        "name": name,
    }
    backend = {
        "group": "",
        "kind": "Service",
        "name": naming.WORKSPACE,
        "port": 80,
        "weight": 1,
    }
    prefix = {"path": {"type": "PathPrefix", "value": "/"}}
    body = {
        "parentRefs": [parent],
        "hostnames": [door.host],
        "rules": [{"matches": [prefix], "backendRefs": [backend], "timeouts": {"request": "0s"}}],
    }
    return {}, body
