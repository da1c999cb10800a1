"""What `serve` applies, as functions of what was asked for.  Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gpuaas_serve.engines import ENGINES, MODELS, Engine

SERVER_LABEL: Final = "gpuaas.io/server"
ENGINE_LABEL: Final = "gpuaas.io/engine"
MODEL_ANNOTATION: Final = "gpuaas.io/model"
AGENT_LABEL: Final = "gpuaas.io/agent"
REACH_ANNOTATION: Final = "gpuaas.io/may-reach"
# What a pod that an agent may reach is known by: our own labels, and the two in general use.
NAME_LABELS: Final = (SERVER_LABEL, AGENT_LABEL, "app.kubernetes.io/name", "app")
# A model of 100 GB takes its time the first time.
LONGEST_START_SECONDS: Final = 2 * 3600
LONGEST_NAME: Final = 50
_NAME: Final = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A model server: ``slots`` GPU slots of ``gpu_resource``; CPU in cores, memory in GiB.

    ``recorder_image`` has `gpuaas_serve` in it, for an engine that shows no metrics by itself.
    """

    name: str
    engine: str
    model: str
    gpu_resource: str
    slots: int = 1
    cpu: int = 2
    memory_gib: int = 16
    image: str = ""
    recorder_image: str = ""


class NameRefused(ValueError):
    """It cannot be the name of a Service."""


def checked_name(name: str) -> str:
    """Return ``name`` if a Service can be called so.

    Raises:
        NameRefused: it cannot.
    """
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise NameRefused(
            f"{name!r} is no name: small letters, digits and dashes, a letter first, "
            f"at most {LONGEST_NAME}"
        )
    return name


def name_for(engine: str, model: str) -> str:
    """Return what a server of ``model`` is called where nobody says: ``vllm-llama-3-8b``."""
    words = re.sub(r"[^a-z0-9]+", "-", model.rpartition("/")[2].lower()).strip("-")
    return f"{engine}-{words}"[:LONGEST_NAME].strip("-")


def of_agent(name: str, may_reach: Sequence[str]) -> list[Manifest]:
    """Return the policy of an agent: its pods reach ``may_reach``, DNS, and nothing else.

    The session's own policies leave out pods with the agent's label, so without one of its own an
    agent reaches nothing.
    """
    peers = [
        {"podSelector": {"matchLabels": {label: other}}}
        for other in may_reach
        for label in NAME_LABELS
    ]
    policy: Manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"agent-{name}",
            "labels": {SERVER_LABEL: name, AGENT_LABEL: name},
            "annotations": {REACH_ANNOTATION: " ".join(may_reach)},
        },
        "spec": {
            "podSelector": {"matchLabels": {AGENT_LABEL: name}},
            "policyTypes": ["Egress"],
            "egress": [{"to": peers}] if peers else [],
        },
    }
    return [policy]


def of_server(server: Server) -> list[Manifest]:
    """Return the Deployment and the Service of a model server."""
    engine = ENGINES[server.engine]
    labels = {SERVER_LABEL: server.name, ENGINE_LABEL: server.engine}
    annotations = {MODEL_ANNOTATION: server.model}
    scraped = _scraped(engine)
    containers = [_model_container(server, engine)]
    if engine.behind is not None:
        containers.append(_recorder(server, engine, engine.behind))
    pod = _pod(*containers)
    return [
        _deployment(server.name, labels, pod, annotations=annotations, on_pods=scraped),
        _service(server.name, labels, engine),
    ]


def _deployment(
    name: str,
    labels: dict[str, str],
    pod: Manifest,
    *,
    annotations: dict[str, str],
    on_pods: dict[str, str],
) -> Manifest:
    """Recreate: a terminating pod keeps its GPU slot, and a second one might not be there."""
    on_template = {"labels": labels, "annotations": {**annotations, **on_pods}}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {SERVER_LABEL: name}},
            "template": {"metadata": on_template, "spec": pod},
        },
    }


def _service(name: str, labels: dict[str, str], engine: Engine) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {SERVER_LABEL: name},
            "ports": [{"name": "http", "port": engine.port, "targetPort": engine.port}],
        },
    }


def _scraped(engine: Engine) -> dict[str, str]:
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(engine.metrics_port),
        "prometheus.io/path": "/metrics",
    }


def _pod(container: Manifest, *beside: Manifest) -> Manifest:
    """Return the pod's spec: no way to the API server, the models at hand, memory to share."""
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                **container,
                "volumeMounts": [
                    {"name": "models", "mountPath": MODELS},
                    {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 -- of the pod
                ],
            },
            *beside,
        ],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": "model-cache"}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }


def _model_container(server: Server, engine: Engine) -> Manifest:
    given = {"model": server.model, "slots": str(max(1, server.slots))}
    container: Manifest = {
        "name": server.engine,
        "image": server.image or engine.image,
        "args": [each.format(**given) for each in engine.args],
        "ports": [{"name": "http", "containerPort": engine.behind or engine.port}],
        "env": [
            *({"name": name, "value": value} for name, value in engine.env.items()),
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 -- of the pod, for any user
            _hugging_face_token(),
        ],
        "envFrom": [_proxy()],
        "resources": {"requests": _resources(server), "limits": _resources(server)},
        "startupProbe": {
            **_asked(engine),
            "periodSeconds": 10,
            "failureThreshold": LONGEST_START_SECONDS // 10,
        },
        "readinessProbe": _asked(engine),
        "securityContext": _confined(),
    }
    if server.slots == 0:
        container["env"].append({"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"})
    if engine.pull:
        pull = [each.format(**given) for each in engine.pull]
        container["lifecycle"] = {"postStart": {"exec": {"command": pull}}}
    return container


def _recorder(server: Server, engine: Engine, behind: int) -> Manifest:
    """Return the proxy before an engine that shows no metrics: its answers are counted there."""
    resources = {"cpu": "100m", "memory": "128Mi"}
    return {
        "name": "recorder",
        "image": server.recorder_image,
        "command": [
            *("python3", "-m", "gpuaas_serve.recorder"),
            f"--listen=0.0.0.0:{engine.port}",
            f"--to=127.0.0.1:{behind}",
            f"--metrics=0.0.0.0:{engine.metrics_port}",
        ],
        "ports": [
            {"name": "http", "containerPort": engine.port},
            {"name": "metrics", "containerPort": engine.metrics_port},
        ],
        "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}],
        "resources": {"requests": resources, "limits": resources},
        "securityContext": _confined(),
    }


def _asked(engine: Engine) -> Manifest:
    return {"httpGet": {"path": engine.health, "port": engine.port}}


def _resources(server: Server) -> dict[str, str]:
    found = {"cpu": str(server.cpu), "memory": f"{server.memory_gib}Gi"}
    if server.slots:
        found[server.gpu_resource] = str(server.slots)
    return found


def _proxy() -> Manifest:
    return {"configMapRef": {"name": "gpuaas-proxy", "optional": True}}


def _hugging_face_token() -> Manifest:
    """Return the token of a Secret that the user may make, for models behind a licence."""
    token = {"name": "hugging-face", "key": "token", "optional": True}
    return {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token}}


def _confined() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
