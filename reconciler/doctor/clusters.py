"""Each cluster: does it answer, may we what we have to, do the guard rails stand, how long yet."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings

from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Cluster
from reconciler import cluster as port
from reconciler import connections, observe
from reconciler.doctor import Finding, error, warning, well

# deploy/kubernetes/guardrails.yaml.
GUARDRAILS: Final = (
    "gpuaas-managed-objects",
    "gpuaas-tenant-objects",
    "gpuaas-session-pods",
    "gpuaas-reconciler-fence",
)
OLDEST_KUBERNETES: Final = (1, 30)  # the first that holds admission policies without a gate
CREDENTIALS_LEFT: Final = timedelta(days=3)
SIMULATED: Final = "+simcluster"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


def clusters(now: datetime) -> Iterator[Finding]:
    """Examine every enabled cluster."""
    for cluster in inventory.enabled_clusters():
        yield from _examined(cluster, now)


def _examined(cluster: Cluster, now: datetime) -> Iterator[Finding]:
    part = f"cluster {cluster.name}"
    try:
        with closing(connections.connect(cluster)) as kube:
            version = kube.server_version()
            yield from _version(part, version)
            picture = observe.look(kube, installation=settings.INSTALLATION)
            nodes = kube.find("v1", "Node")
            yield from nodes_are_ready(part, nodes)
            if SIMULATED in version:
                yield warning(part, "is simulated", "For trying only: it holds nobody back.")
            else:
                yield from guardrails_stand(part, kube)
    except port.ClusterRefused as refused:
        yield error(
            part,
            f"refuses what a pass needs: {refused}",
            "Apply deploy/kubernetes/reconciler-rbac.yaml, and bind its role to our account.",
        )
        return
    except port.ClusterError as failure:
        yield error(part, f"cannot be reached: {failure}", "docs/runbook/cluster-unreachable.md")
        return
    if not cluster.in_cluster:
        yield from credentials_last(part, cluster, now)
    yield well(part, f"{version}, {len(nodes)} nodes, {len(picture.objects)} objects of ours")


def _version(part: str, version: str) -> Iterator[Finding]:
    found = _VERSION.match(version)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST_KUBERNETES:
        yield error(
            part,
            f"Kubernetes {version} has no admission policies",
            f"Upgrade it to {'.'.join(map(str, OLDEST_KUBERNETES))}: without them nothing keeps"
            " tenants within their window while the portal is down.",
        )


def nodes_are_ready(part: str, nodes: list[port.Manifest]) -> Iterator[Finding]:
    """Name the nodes that are not ready."""
    unready = [
        node["metadata"]["name"]
        for node in nodes
        if not any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in node.get("status", {}).get("conditions", [])
        )
    ]
    if unready:
        yield warning(
            part,
            f"nodes that are not ready: {', '.join(sorted(unready))}",
            "docs/runbook/node-lost-power.md",
        )


def guardrails_stand(part: str, kube: port.Cluster) -> Iterator[Finding]:
    """Find the bindings: a policy that is not bound, or only warns, holds nobody."""
    kind = "ValidatingAdmissionPolicyBinding"
    for name in GUARDRAILS:
        try:
            found = kube.get(port.Ref("admissionregistration.k8s.io/v1", kind, name))
        except port.ClusterRefused as refused:
            yield warning(
                part,
                f"we may not see whether the guard rail {name} stands: {refused}",
                "Apply deploy/kubernetes/reconciler-rbac.yaml as it is now.",
            )
            return
        if found is None or "Deny" not in found["spec"].get("validationActions", []):
            how = "does not stand" if found is None else "only tells, it does not deny"
            yield error(
                part, f"the guard rail {name} {how}", "Apply deploy/kubernetes/guardrails.yaml."
            )


def credentials_last(part: str, cluster: Cluster, now: datetime) -> Iterator[Finding]:
    """Say when the token of a mounted kubeconfig ends soon."""
    ends_at = token_ends_at(Path(settings.KUBECONFIG_DIR) / f"{cluster.name}.kubeconfig")
    if ends_at is not None and ends_at - now < CREDENTIALS_LEFT:
        yield warning(
            part,
            f"the token of its kubeconfig ends at {ends_at:%F %T} UTC",
            "Write a new one into the mounted file: docs/runbook/certificates.md.",
        )


def token_ends_at(kubeconfig: Path) -> datetime | None:
    """Return when the first bearer token in ``kubeconfig`` expires; None if nothing says so."""
    try:
        users = (yaml.safe_load(kubeconfig.read_text()) or {}).get("users") or []
    except (OSError, yaml.YAMLError, AttributeError):
        return None
    for each in users:
        ends_at = _expiry(str((each.get("user") or {}).get("token") or ""))
        if ends_at is not None:
            return ends_at
    return None


def _expiry(token: str) -> datetime | None:
    """Return what a JSON Web Token says of its end; its signature is not ours to check."""
    parts = token.split(".")
    if len(parts) != len(("header", "claims", "signature")):
        return None
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        return None
