"""A kubeconfig for a session's owner.  Pure: it says where, and how to log in or with which token.

See docs/adr/0019-a-kubeconfig-without-a-secret.md and 0023-a-token-by-way-of-a-row.md.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

USER: Final = "gpuaas"
PLUGIN: Final = "kubectl oidc-login"


@dataclass(frozen=True, slots=True)
class Access:
    """How people reach a cluster; no issuer: they log in with the cluster's own program."""

    cluster: str
    api_url: str
    api_ca_pem: str = ""
    oidc_issuer_url: str = ""
    oidc_client_id: str = ""


def build(access: Access, *, namespace: str, token: str = "") -> dict[str, Any]:
    """Return a kubeconfig whose one context is the session's namespace.

    With a ``token`` it needs no login; without, it holds no secret.
    """
    server: dict[str, Any] = {"server": access.api_url}
    if access.api_ca_pem:
        pem = access.api_ca_pem.strip().encode() + b"\n"
        server["certificate-authority-data"] = base64.b64encode(pem).decode()
    context = {"cluster": access.cluster, "namespace": namespace, "user": USER}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": access.cluster, "cluster": server}],
        "contexts": [{"name": namespace, "context": context}],
        "current-context": namespace,
        "users": [{"name": USER, "user": {"token": token} if token else _user(access)}],
    }


def warning(expires_at: datetime) -> str:
    """Return what its owner has to know of one with a token, in a sentence."""
    return (
        f"It holds a token that works until {expires_at:%Y-%m-%d %H:%M} UTC, in this namespace "
        "alone: keep it like a password. It is shown this once."
    )


def login(access: Access) -> str:
    """Return how the kubeconfig becomes somebody's, in a sentence."""
    if access.oidc_issuer_url:
        return f"kubectl asks you to log in at {access.oidc_issuer_url}; it needs {PLUGIN}."
    return (
        "It holds no login: log in with your cluster's own program and KUBECONFIG set to the "
        f"file, on OpenShift with `oc login {access.api_url}`."
    )


def _user(access: Access) -> dict[str, Any]:
    if not access.oidc_issuer_url:
        return {}
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "kubectl",
            "args": [
                "oidc-login",
                "get-token",
                f"--oidc-issuer-url={access.oidc_issuer_url}",
                f"--oidc-client-id={access.oidc_client_id}",
            ],
            "interactiveMode": "IfAvailable",
            "installHint": f"Install {PLUGIN}: your company's instructions, or kubectl krew.",
        }
    }
