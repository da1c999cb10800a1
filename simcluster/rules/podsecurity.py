"""Pod Security: what a namespace's label forbids its pods.  The controls that tenants run into.

Source: the Pod Security Standards of the Kubernetes documentation, levels baseline and restricted.
Not modelled: SELinux, AppArmor, sysctls, proc mounts and Windows.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from simcluster.objects import Object, pods

LABEL: Final = "pod-security.kubernetes.io/enforce"
HOST_NAMESPACES: Final = ("hostNetwork", "hostPID", "hostIPC")
# Capabilities that baseline lets a container add.
BASELINE_CAPABILITIES: Final = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
RESTRICTED_VOLUMES: Final = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
CONFINED: Final = ("RuntimeDefault", "Localhost")


def violations(pod: Object, level: str) -> list[str]:
    """Return what the level forbids of the pod, in the server's words; empty when it passes."""
    checks = {"baseline": BASELINE, "restricted": (*BASELINE, *RESTRICTED)}.get(level, ())
    return [text for check in checks for text in check(pod["spec"])]


def _host_namespaces(spec: Object) -> Iterator[str]:
    if set_fields := [f"{name}=true" for name in HOST_NAMESPACES if spec.get(name)]:
        yield f"host namespaces ({', '.join(set_fields)})"


def _privileged(spec: Object) -> Iterator[str]:
    if names := _containers(spec, lambda context: bool(context.get("privileged"))):
        yield f"privileged ({names} must not set securityContext.privileged=true)"


def _capabilities(spec: Object) -> Iterator[str]:
    def adds_too_much(context: Object) -> bool:
        return not set(_capability(context, "add")) <= BASELINE_CAPABILITIES

    if names := _containers(spec, adds_too_much):
        yield f"non-default capabilities ({names} must not add them)"


def _host_paths(spec: Object) -> Iterator[str]:
    if names := [f'"{v["name"]}"' for v in spec.get("volumes") or [] if "hostPath" in v]:
        yield f"hostPath volumes (volumes {', '.join(names)})"


def _host_ports(spec: Object) -> Iterator[str]:
    ports = [
        str(port["hostPort"])
        for _, container in pods.containers({"spec": spec})
        for port in container.get("ports") or []
        if port.get("hostPort")
    ]
    if ports:
        yield f"hostPort ({', '.join(ports)})"


def _escalation(spec: Object) -> Iterator[str]:
    if names := _containers(spec, lambda c: c.get("allowPrivilegeEscalation") is not False):
        yield (
            f"allowPrivilegeEscalation != false ({names} must set "
            "securityContext.allowPrivilegeEscalation=false)"
        )


def _all_dropped(spec: Object) -> Iterator[str]:
    if names := _containers(spec, lambda c: "ALL" not in _capability(c, "drop")):
        yield (
            f"unrestricted capabilities ({names} must set "
            'securityContext.capabilities.drop=["ALL"])'
        )


def _volume_types(spec: Object) -> Iterator[str]:
    for volume in spec.get("volumes") or []:
        if volume.keys() - {"name"} - RESTRICTED_VOLUMES:
            yield f'restricted volume types (volume "{volume["name"]}")'


def _non_root(spec: Object) -> Iterator[str]:
    of_pod = (spec.get("securityContext") or {}).get("runAsNonRoot")
    if names := _containers(spec, lambda c: c.get("runAsNonRoot", of_pod) is not True):
        yield f"runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)"


def _seccomp(spec: Object) -> Iterator[str]:
    of_pod = _seccomp_type(spec.get("securityContext") or {})
    if names := _containers(spec, lambda c: (_seccomp_type(c) or of_pod) not in CONFINED):
        yield (
            f"seccompProfile (pod or {names} must set securityContext.seccompProfile.type to "
            '"RuntimeDefault" or "Localhost")'
        )


def _containers(spec: Object, is_bad: Callable[[Object], bool]) -> str:
    """Return the containers that fail, as messages name them; empty when none does."""
    names = [
        f'"{container["name"]}"'
        for _, container in pods.containers({"spec": spec})
        if is_bad(container.get("securityContext") or {})
    ]
    if not names:
        return ""
    return f"container {names[0]}" if len(names) == 1 else f"containers {', '.join(names)}"


def _capability(context: Object, list_name: str) -> list[str]:
    capabilities: dict[str, Any] = context.get("capabilities") or {}
    return capabilities.get(list_name) or []


def _seccomp_type(context: Object) -> str:
    return str((context.get("seccompProfile") or {}).get("type", ""))


BASELINE: Final = (_host_namespaces, _privileged, _capabilities, _host_paths, _host_ports)
RESTRICTED: Final = (_escalation, _all_dropped, _volume_types, _non_root, _seccomp)
