"""Small valid manifests for the contract, as plain functions."""

from typing import Any

from reconciler.cluster import Manifest

WHOLE_GPU = "nvidia.com/gpu"
SLICE = "nvidia.com/mig-1g.24gb"


def manifest(api_version: str, kind: str, namespace: str, name: str, **rest: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def config_map(namespace: str, name: str = "settings", **data: str) -> Manifest:
    return manifest("v1", "ConfigMap", namespace, name, data=data or {"a": "1"})


def quota(namespace: str, **hard: str) -> Manifest:
    """Return a quota; an underscore in a key stands for a dot or slash: see `gpu_quota`."""
    return manifest("v1", "ResourceQuota", namespace, "budget", spec={"hard": hard})


def gpu_quota(namespace: str) -> Manifest:
    """Return a quota of two slices and no whole GPU."""
    return quota(namespace, **{f"requests.{WHOLE_GPU}": "0", f"requests.{SLICE}": "2"})


def limit_range(namespace: str, **item: dict[str, str]) -> Manifest:
    limits = [{"type": "Container", **item}]
    return manifest("v1", "LimitRange", namespace, "defaults", spec={"limits": limits})


def claim(namespace: str, name: str = "data", size: str = "1Gi") -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return manifest("v1", "PersistentVolumeClaim", namespace, name, spec=spec)


def container(name: str = "main", **limits: str) -> Manifest:
    return {
        "name": name,
        "image": "registry.example/workspace:1",
        "resources": {"limits": limits, "requests": limits} if limits else {},
    }


def pod(namespace: str, name: str = "work", **limits: str) -> Manifest:
    spec = {"containers": [container(**limits)], "terminationGracePeriodSeconds": 1}
    return manifest("v1", "Pod", namespace, name, spec=spec)


def gpu_pod(namespace: str, resource: str, count: int = 1, name: str = "work") -> Manifest:
    return pod(namespace, name, **{resource: str(count)})


def deployment(namespace: str, name: str = "web", **pod_spec: Any) -> Manifest:
    labels = {"app": name}
    spec = {
        "selector": {"matchLabels": labels},
        "strategy": {"type": "Recreate"},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [container()],
                "terminationGracePeriodSeconds": 1,
                **pod_spec,
            },
        },
    }
    return manifest("apps/v1", "Deployment", namespace, name, spec=spec)


def one_of_each(namespace: str) -> list[Manifest]:
    """Return a manifest of every kind the reconciler applies inside a namespace."""
    return [
        gpu_quota(namespace),
        limit_range(namespace, default={"cpu": "1000m", "memory": "1024Mi"}),
        manifest(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            namespace,
            "walls",
            spec={
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8080}]}],
            },
        ),
        config_map(namespace),
        manifest("v1", "Secret", namespace, "keys", stringData={"key": "value"}),
        manifest("v1", "ServiceAccount", namespace, "workspace"),
        manifest(
            "v1",
            "Service",
            namespace,
            "web",
            spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        ),
        claim(namespace),
        deployment(namespace),
        manifest(
            "apps/v1",
            "StatefulSet",
            namespace,
            "engine",
            spec={
                "replicas": 0,
                "serviceName": "engine",
                "selector": {"matchLabels": {"app": "engine"}},
                "template": {
                    "metadata": {"labels": {"app": "engine"}},
                    "spec": {"containers": [container()]},
                },
            },
        ),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "Role",
            namespace,
            "reader",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        ),
        manifest(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            namespace,
            "readers",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            subjects=[{"kind": "ServiceAccount", "name": "workspace", "namespace": namespace}],
        ),
        manifest(
            "networking.k8s.io/v1",
            "Ingress",
            namespace,
            "door",
            spec={
                "rules": [
                    {
                        "host": "s.apps.example",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            },
        ),
    ]


def event(namespace: str, name: str, *, kind: str) -> Manifest:
    """Return an Event about the namespace's default account; ``kind`` is Normal or Warning."""
    about = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {**about, "namespace": namespace},
        "type": kind,
        "reason": "Said",
        "message": "something",
    }
