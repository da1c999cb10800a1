"""The door of an exposed workspace: oauth2-proxy in its pod, with the portal as OpenID provider.

Nobody reaches the workspace but through it: what is behind listens on the pod's loopback.  It lets
in who has the session's group in the portal's claims, and asks again every minute, so that who is
not a guest any more, has left the team, or whose account is switched off, is out.  An upgrade to
a WebSocket passes the same question.
"""

import base64
from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Manifest
from reconciler.manifests import trusted_ca
from reconciler.manifests.network import DOOR_PORT, WORKSPACE_PORT
from sessions.spec import Door, SessionSpec

NAME: Final = "door"
CLIENT_SECRET: Final = "client-secret"  # noqa: S105 -- a key's name
COOKIE_SECRET: Final = "cookie-secret"  # noqa: S105 -- a key's name
RESOURCES: Final = {"cpu": "100m", "memory": "128Mi"}
ASK_AGAIN_AFTER: Final = "1m0s"


def secret(spec: SessionSpec, door: Door) -> Manifest:
    """Return what the door proves itself to the portal with, and seals its cookies with.

    The owner can read it, as everything in the namespace; it opens no other session.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": naming.metadata(spec, naming.DOOR),
        "type": "Opaque",
        "data": {
            CLIENT_SECRET: _encoded(door.client_secret),
            COOKIE_SECRET: _encoded(door.cookie_secret),
        },
    }


def container(spec: SessionSpec, door: Door) -> dict[str, Any]:
    """Return the container beside the workspace's own."""
    environment = [
        *({"name": f"OAUTH2_PROXY_{name}", "value": value} for name, value in _options(door)),
        _from_secret("OAUTH2_PROXY_CLIENT_SECRET", CLIENT_SECRET),
        _from_secret("OAUTH2_PROXY_COOKIE_SECRET", COOKIE_SECRET),
    ]
    mounts = []
    if spec.trusted_ca.is_given:
        name = "OAUTH2_PROXY_PROVIDER_CA_FILES"
        environment.append({"name": name, "value": trusted_ca.BUNDLE})
        mounts.append(trusted_ca.mount())
    return {
        "name": NAME,
        "image": door.image,
        "ports": [{"name": NAME, "containerPort": DOOR_PORT, "protocol": "TCP"}],
        "env": environment,
        "readinessProbe": {"httpGet": {"path": "/ping", "port": DOOR_PORT}},
        "resources": {"requests": RESOURCES, "limits": RESOURCES},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _options(door: Door) -> list[tuple[str, str]]:
    return [
        ("PROVIDER", "oidc"),
        ("PROVIDER_DISPLAY_NAME", "GPUaaS"),
        ("OIDC_ISSUER_URL", door.issuer_url),
        ("CLIENT_ID", door.client_id),
        ("REDIRECT_URL", door.redirect_url),
        ("SCOPE", "openid profile groups offline_access"),
        ("CODE_CHALLENGE_METHOD", "S256"),
        # Not everybody has an e-mail address, and whoever may enter is said by the group.
        ("OIDC_EMAIL_CLAIM", "sub"),
        ("EMAIL_DOMAINS", "*"),
        ("ALLOWED_GROUPS", door.group),
        ("HTTP_ADDRESS", f"0.0.0.0:{DOOR_PORT}"),
        ("UPSTREAMS", f"http://127.0.0.1:{WORKSPACE_PORT}/"),
        ("SKIP_PROVIDER_BUTTON", "true"),
        # With its prefix a browser takes the cookie for this host alone, and by HTTPS alone.
        ("COOKIE_NAME", "__Host-gpuaas" if door.is_https else "gpuaas"),
        ("COOKIE_SECURE", "true" if door.is_https else "false"),
        ("COOKIE_SAMESITE", "lax"),
        # A page's own requests (its icon) must not spoil the login that goes on in another tab.
        ("COOKIE_CSRF_PER_REQUEST", "true"),
        ("COOKIE_CSRF_PER_REQUEST_LIMIT", "10"),
        ("COOKIE_REFRESH", ASK_AGAIN_AFTER),
        ("COOKIE_EXPIRE", "24h0m0s"),
        ("PASS_BASIC_AUTH", "false"),
        ("PASS_USER_HEADERS", "false"),
    ]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _from_secret(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": naming.DOOR, "key": key}}}
