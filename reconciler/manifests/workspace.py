"""The workspace: one pod, its account, its Service and what it is told about the proxy."""

from typing import Any, Final

from reconciler import naming
from reconciler.cluster import Manifest
from reconciler.manifests import devices, door, quantities, trusted_ca
from reconciler.manifests.network import WORKSPACE_PORT, way_in
from sessions.spec import SessionSpec

# The workspace takes half of the session, up to this; the rest is for the user's own containers.
MOST_CPU_MILLICORES: Final = 8_000
MOST_MEMORY_MIB: Final = 32 * 1024
HOME_PATH: Final = "/home/workspace"
MODEL_CACHE_PATH: Final = "/models"
# The pod itself, and services of the cluster: agents call each other by these names.
NEVER_BY_PROXY: Final = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")


def proxy_config(spec: SessionSpec) -> Manifest:
    """Return the proxy's addresses as environment variables, in both spellings in use."""
    proxy = spec.proxy
    around = ",".join(filter(None, (proxy.no_proxy, *NEVER_BY_PROXY))) if proxy.is_given else ""
    values = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https, "NO_PROXY": around}
    data = {
        spelling: value
        for name, value in values.items()
        if value
        for spelling in (name, name.lower())
    }
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(spec, naming.PROXY),
    }
    return {**manifest, "data": data} if data else manifest


def service_account(spec: SessionSpec) -> Manifest:
    """Return the account that kubectl in the workspace uses."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": naming.metadata(spec, naming.WORKSPACE),
    }


def service(spec: SessionSpec) -> Manifest:
    """Return the Service in front of the workspace, or of its door."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": naming.metadata(spec, naming.WORKSPACE),
        "spec": {
            "type": "ClusterIP",
            "selector": {naming.COMPONENT_LABEL: naming.WORKSPACE},
            "ports": [{"name": "http", "port": 80, "targetPort": way_in(spec), "protocol": "TCP"}],
        },
    }


def deployment(spec: SessionSpec) -> Manifest:
    """Return the workspace's Deployment.

    Recreate: a terminating pod keeps its GPU slot, so a rolling update would wait for ever.  The
    pod template carries none of our managing labels: its pods are made by controllers that guards
    on those labels must not stop.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": naming.metadata(spec, naming.WORKSPACE),
        "spec": {
            "replicas": 0 if spec.is_paused else 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {naming.COMPONENT_LABEL: naming.WORKSPACE}},
            "template": spec.pod_templates.get(naming.WORKSPACE) or template(spec),
        },
    }


def template(spec: SessionSpec) -> dict[str, Any]:
    """Return what a workspace that starts now is started with."""
    return {
        "metadata": {"labels": {naming.COMPONENT_LABEL: naming.WORKSPACE}},
        "spec": _pod_spec(spec),
    }


def _pod_spec(spec: SessionSpec) -> dict[str, Any]:
    return {
        "serviceAccountName": naming.WORKSPACE,
        "affinity": _on_node(spec.node),
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        **_claims(spec),
        "containers": [
            _container(spec),
            *((door.container(spec, spec.door),) if spec.door else ()),
        ],
        "volumes": [
            *(
                {"name": name, "persistentVolumeClaim": {"claimName": name}}
                for name in (naming.HOME, naming.MODEL_CACHE)
            ),
            *((trusted_ca.volume(),) if spec.trusted_ca.is_given else ()),
        ],
    }


def _container(spec: SessionSpec) -> dict[str, Any]:
    return {
        "name": naming.WORKSPACE,
        "image": spec.workspace_image,
        "ports": [{"name": "http", "containerPort": WORKSPACE_PORT, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": naming.PROXY}}],
        "env": _environment(spec),
        "readinessProbe": _readiness(spec),
        "resources": {
            "requests": _resources(spec),
            "limits": _resources(spec),
            **_claimed(spec),
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": naming.HOME, "mountPath": HOME_PATH},
            {"name": naming.MODEL_CACHE, "mountPath": MODEL_CACHE_PATH},
            *((trusted_ca.mount(),) if spec.trusted_ca.is_given else ()),
        ],
    }


def _readiness(spec: SessionSpec) -> dict[str, Any]:
    """Ask from inside where there is a door: nobody else can."""
    if spec.door is None:
        return {"httpGet": {"path": "/healthz", "port": WORKSPACE_PORT}}
    address = f"http://127.0.0.1:{WORKSPACE_PORT}/healthz"
    return {"exec": {"command": ["curl", "-fsS", "-o", "/dev/null", address]}, "timeoutSeconds": 5}


def _environment(spec: SessionSpec) -> list[dict[str, str]]:
    """Say ``void`` without a slot: CUDA images otherwise ask for every GPU there is."""
    host = "127.0.0.1" if spec.door else "0.0.0.0"  # noqa: S104 -- of the pod
    found = [
        {"name": "HOME", "value": HOME_PATH},
        {"name": "HF_HOME", "value": MODEL_CACHE_PATH},
        {"name": "WORKSPACE_ADDRESS", "value": f"{host}:{WORKSPACE_PORT}"},
        # What `serve` has before an engine that does not count comes in the same image.
        {"name": "GPUAAS_WORKSPACE_IMAGE", "value": spec.workspace_image},
    ]
    if not spec.claimed_devices:  # `serve` asks for slots by this name
        found.append({"name": "GPUAAS_GPU_RESOURCE", "value": spec.gpu_resource})
    if spec.trusted_ca.is_given:
        found += trusted_ca.environment()
    if spec.workspace_gpu_slots == 0:
        found.append({"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"})
    return found


def _resources(spec: SessionSpec) -> dict[str, str]:
    found = {
        "cpu": quantities.cpu(min(spec.cpu_millicores // 2, MOST_CPU_MILLICORES)),
        "memory": quantities.memory(min(spec.memory_mib // 2, MOST_MEMORY_MIB)),
    }
    if spec.workspace_gpu_slots and not spec.claimed_devices:
        found[spec.gpu_resource] = str(spec.workspace_gpu_slots)
    return found


def _claims(spec: SessionSpec) -> dict[str, Any]:
    claims = devices.pod_claims(spec) if spec.workspace_gpu_slots else []
    return {"resourceClaims": claims} if claims else {}


def _claimed(spec: SessionSpec) -> dict[str, Any]:
    """Use every device of the claim, where the workspace holds a slot of its own."""
    return {"claims": [{"name": devices.NAME_IN_POD}]} if _claims(spec) else {}


def _on_node(node: str) -> dict[str, Any]:
    """Require the node that has the booked devices."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": [field]}]
            }
        }
    }
