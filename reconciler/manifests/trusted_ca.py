"""The authorities that a company's own services are signed by, as containers are told of them."""

from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Manifest
from sessions.spec import SessionSpec

KEY: Final = "ca-bundle.crt"  # OpenShift writes under this name
FOLDER: Final = "/etc/gpuaas/ca"
BUNDLE: Final = f"{FOLDER}/tls-ca-bundle.pem"
INJECT_LABEL: Final = "config.openshift.io/inject-trusted-cabundle"
# What OpenSSL, Python's requests, curl, Node and Git look at.
VARIABLES: Final = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)


def config(spec: SessionSpec) -> Manifest:
    """Return the ConfigMap with the bundle; the user's own containers can mount it too.

    Where the cluster fills it in, its data are the cluster's: naming them would be fighting over
    them in every pass.
    """
    metadata = naming.metadata(spec, naming.TRUSTED_CA)
    manifest: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    if spec.trusted_ca.is_injected:
        metadata["labels"][INJECT_LABEL] = "true"
        return manifest
    return {**manifest, "data": {KEY: spec.trusted_ca.pem}}


def environment() -> list[dict[str, str]]:
    """Return the variables by which programs find the bundle."""
    return [{"name": name, "value": BUNDLE} for name in VARIABLES]


def mount() -> dict[str, Any]:
    """Return where a container has the bundle."""
    return {"name": naming.TRUSTED_CA, "mountPath": FOLDER, "readOnly": True}


def volume() -> dict[str, Any]:
    """Return the pod's volume.  Its pod waits for the bundle: nothing starts without it."""
    item = {"key": KEY, "path": BUNDLE.rpartition("/")[2]}
    return {
        "name": naming.TRUSTED_CA,
        "configMap": {"name": naming.TRUSTED_CA, "items": [item]},
    }
