"""Names and labels of what we make in a cluster: the only source of both.  Pure."""

from collections.abc import Mapping
from typing import Any, Final

from sessions.spec import SessionSpec

PREFIX: Final = "gpuaas.io"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
INSTALLATION_LABEL: Final = f"{PREFIX}/installation"
SESSION_LABEL: Final = f"{PREFIX}/session"
TEAM_LABEL: Final = f"{PREFIX}/team"
RESERVATION_LABEL: Final = f"{PREFIX}/reservation"
COMPONENT_LABEL: Final = f"{PREFIX}/component"
# On a volume that outlives its session on purpose: whoever keeps it decides when it goes.
KEPT_LABEL: Final = f"{PREFIX}/kept"
STARTS_AT_ANNOTATION: Final = f"{PREFIX}/starts-at"
ENDS_AT_ANNOTATION: Final = f"{PREFIX}/ends-at"
GPU_RESOURCE_ANNOTATION: Final = f"{PREFIX}/gpu-resource"
DEVICE_CLAIM_ANNOTATION: Final = f"{PREFIX}/device-claim"
OWNER_ANNOTATION: Final = f"{PREFIX}/owner"
# On the pods of an inference engine, so that its meters are found.
ENGINE_LABEL: Final = f"{PREFIX}/engine"
MODEL_ANNOTATION: Final = f"{PREFIX}/model"
# On the pods of an agent, which reaches nothing but what a policy of its own names.
AGENT_LABEL: Final = f"{PREFIX}/agent"

QUOTA: Final = "gpuaas"
LIMITS: Final = "gpuaas"
PROXY: Final = "gpuaas-proxy"
TRUSTED_CA: Final = "gpuaas-trusted-ca"
DOOR: Final = "gpuaas-door"
HOME: Final = "home"
MODEL_CACHE: Final = "model-cache"
WORKSPACE: Final = "workspace"
DEVICE_CLAIM: Final = "gpuaas-devices"
DEVICE_HOLDER: Final = "device-holder"
TENANT_BINDING: Final = "gpuaas-tenant"
WORKSPACE_BINDING: Final = "gpuaas-workspace"


def ours(installation: str) -> dict[str, str]:
    """Return the labels that select everything this installation made."""
    return {MANAGED_BY_LABEL: "gpuaas", INSTALLATION_LABEL: installation}


def labels(spec: SessionSpec) -> dict[str, str]:
    """Return the labels of every object we make for a session (not of pods: those are tenants')."""
    return {
        **ours(spec.installation),
        SESSION_LABEL: str(spec.public_id),
        RESERVATION_LABEL: str(spec.reservation_id),
        TEAM_LABEL: spec.team,
    }


def metadata(
    spec: SessionSpec, name: str, *, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the metadata of one object in the session's namespace."""
    found: dict[str, Any] = {
        "name": name,
        "namespace": spec.namespace,
        "labels": labels(spec),
    }
    if annotations:
        found["annotations"] = dict(annotations)
    return found
