"""Who may talk to a session, and to whom it may talk: nobody, but for what stands here."""

from typing import Any, Final
from urllib.parse import urlsplit

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import Door, SessionSpec

EVERY_POD: Final[dict[str, Any]] = {}
# An agent reaches what its own policy names, which `serve --agent` writes, and name resolution.
AGENTS: Final = {"matchExpressions": [{"key": naming.AGENT_LABEL, "operator": "Exists"}]}
NO_AGENT: Final = {"matchExpressions": [{"key": naming.AGENT_LABEL, "operator": "DoesNotExist"}]}
DNS_PORTS: Final = (53, 5353)  # 5353 is where OpenShift's DNS pods listen
DNS_NAMESPACES: Final = ("kube-system", "openshift-dns")
ROUTER_NAMESPACE_LABELS: Final = {"network.openshift.io/policy-group": "ingress"}
WORKSPACE_PORT: Final = 8080
DOOR_PORT: Final = 4180
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


# A policy sees the API server behind its Service: at its own port, on an address we do not know.
API_SERVER_PORT: Final = 6443


def build(spec: SessionSpec) -> tuple[Manifest, ...]:
    """Return the policies, the one that denies everything first."""
    proxy_ports = _proxy_ports(spec)
    proxy = _allow_out(spec, "gpuaas-allow-proxy", proxy_ports, pods=NO_AGENT)
    return (
        *_always(spec),
        _allow_out(spec, "gpuaas-allow-api-server", [API_SERVER_PORT], pods=NO_AGENT),
        *((proxy,) if proxy_ports else ()),
        *((_to_the_portal(spec, spec.door),) if spec.door else ()),
    )


def way_in(spec: SessionSpec) -> int:
    """Return the port of the workspace's pod that the router comes to: the door's, if it has one.

    What is behind a door listens on the pod's own loopback alone.
    """
    return DOOR_PORT if spec.door else WORKSPACE_PORT


def _router(spec: SessionSpec) -> dict[str, str]:
    if spec.door and spec.door.router_namespace:
        return {"kubernetes.io/metadata.name": spec.door.router_namespace}
    return ROUTER_NAMESPACE_LABELS


def _always(spec: SessionSpec) -> tuple[Manifest, ...]:
    return (
        _policy(spec, "gpuaas-deny-all", {"policyTypes": ["Ingress", "Egress"]}),
        _policy(
            spec,
            "gpuaas-allow-inside",
            {
                "podSelector": NO_AGENT,
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": EVERY_POD}]}],
                "egress": [{"to": [{"podSelector": EVERY_POD}]}],
            },
        ),
        _policy(
            spec,
            "gpuaas-allow-to-agents",
            {
                "podSelector": AGENTS,
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": EVERY_POD}]}],
            },
        ),
        _policy(
            spec,
            "gpuaas-allow-dns",
            {
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "namespaceSelector": {
                                    "matchExpressions": [
                                        {
                                            "key": "kubernetes.io/metadata.name",
                                            "operator": "In",
                                            "values": list(DNS_NAMESPACES),
                                        }
                                    ]
                                }
                            }
                        ],
                        "ports": [
                            {"port": port, "protocol": protocol}
                            for port in DNS_PORTS
                            for protocol in ("UDP", "TCP")
                        ],
                    }
                ],
            },
        ),
        _policy(
            spec,
            "gpuaas-allow-router",
            {
                "podSelector": {"matchLabels": {naming.COMPONENT_LABEL: naming.WORKSPACE}},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [{"namespaceSelector": {"matchLabels": _router(spec)}}],
                        "ports": [{"port": way_in(spec), "protocol": "TCP"}],
                    }
                ],
            },
        ),
    )


def _allow_out(
    spec: SessionSpec, name: str, ports: list[int], *, pods: dict[str, Any] = EVERY_POD
) -> Manifest:
    """Allow TCP to ``ports`` of any address: a policy knows no host names."""
    rule = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    rules = {"podSelector": pods, "policyTypes": ["Egress"], "egress": [rule]}
    return _policy(spec, name, rules)


def _to_the_portal(spec: SessionSpec, door: Door) -> Manifest:
    """Let the door ask the portal who somebody is."""
    workspace = {"matchLabels": {naming.COMPONENT_LABEL: naming.WORKSPACE}}
    return _allow_out(spec, "gpuaas-allow-portal", [_port(door.issuer_url)], pods=workspace)


def _proxy_ports(spec: SessionSpec) -> list[int]:
    return sorted({_port(url) for url in (spec.proxy.http, spec.proxy.https) if url})


def _port(address: str) -> int:
    url = urlsplit(address)
    return url.port or DEFAULT_PORTS.get(url.scheme, 80)


def _policy(spec: SessionSpec, name: str, rules: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": naming.metadata(spec, name),
        "spec": {"podSelector": EVERY_POD, **rules},
    }
