"""The session's volumes: home and model cache; the rest of the allowance is the user's own."""

from reconciler import naming
from reconciler.cluster import Manifest
from reconciler.manifests import quantities
from sessions.spec import SessionSpec


def build(spec: SessionSpec) -> tuple[Manifest, ...]:
    """Return the claims.  They stay Pending until the workspace's pod uses them: do not wait."""
    return (
        _claim(spec, naming.HOME, spec.home_gib),
        _claim(spec, naming.MODEL_CACHE, spec.model_cache_gib),
    )


def _claim(spec: SessionSpec, name: str, gib: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": naming.metadata(spec, name),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": spec.storage_class,
            "resources": {"requests": {"storage": quantities.storage(gib)}},
        },
    }
