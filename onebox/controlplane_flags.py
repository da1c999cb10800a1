"""How each component of the control plane is called.  Everything listens on 127.0.0.1 only."""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from onebox import certificates

LOOPBACK: Final = "127.0.0.1"

ADMIN: Final = certificates.Identity("admin", "gpuaas-admin", "system:masters")
KUBELET: Final = certificates.Identity("fake-kubelet", "gpuaas-fake-kubelet", "system:masters")
CONTROLLERS: Final = certificates.Identity("controllers", "system:kube-controller-manager")
SCHEDULER: Final = certificates.Identity("scheduler", "system:kube-scheduler")
ETCD_CLIENT: Final = certificates.Identity("etcd-client", "kube-apiserver")
CLIENTS: Final = (ADMIN, KUBELET, CONTROLLERS, SCHEDULER, ETCD_CLIENT)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the servers listen.  Kept between runs if still free: kubeconfigs name the API's."""

    api: int
    etcd: int
    etcd_peer: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies where in a control plane's folder."""

    directory: Path
    binaries: Path
    pki: certificates.Pki
    ports: Ports

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.api}"

    def kubeconfig(self, who: certificates.Identity) -> Path:
        return kubeconfig_path(self.directory, who)


def kubeconfig_path(directory: Path, who: certificates.Identity) -> Path:
    """Where an identity's own kubeconfig lies."""
    return directory / "pki" / f"{who.file}.kubeconfig"


def choose_ports(directory: Path, *, afresh: bool) -> Ports:
    """Return three free ports, last time's unless they are taken or are to be chosen afresh.

    Nothing reserves them: somebody may be quicker, and then the caller has to choose again.
    """
    note = directory / "ports.json"
    if not afresh and note.exists():
        ports = Ports(**json.loads(note.read_text()))
        if all(_is_free(port) for port in asdict(ports).values()):
            return ports
    sockets = [socket.socket() for _ in range(3)]
    for listener in sockets:
        listener.bind((LOOPBACK, 0))
    ports = Ports(*(listener.getsockname()[1] for listener in sockets))
    for listener in sockets:
        listener.close()
    note.write_text(json.dumps(asdict(ports)))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _flags(settings: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in settings.items()]


def etcd(plane: Layout) -> list[str]:
    """One member, TLS both ways, and no fsync: a power cut may cost the data, a crash does not."""
    pki, peer = plane.pki, f"https://{LOOPBACK}:{plane.ports.etcd_peer}"
    client = f"https://{LOOPBACK}:{plane.ports.etcd}"
    return [
        str(plane.binaries / "etcd"),
        *_flags(
            {
                "name": "gpuaas",
                "data-dir": plane.directory / "etcd",
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer,
                "initial-cluster": f"gpuaas={peer}",
                "cert-file": pki.certificate("server"),
                "key-file": pki.key("server"),
                "trusted-ca-file": pki.authority,
                "client-cert-auth": "true",
                "peer-cert-file": pki.certificate("server"),
                "peer-key-file": pki.key("server"),
                "peer-trusted-ca-file": pki.authority,
                "peer-client-cert-auth": "true",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            }
        ),
    ]


def apiserver(plane: Layout) -> list[str]:
    """Default admission, which has quota, limit ranges, pod security and admission policies."""
    pki = plane.pki
    return [
        str(plane.binaries / "kube-apiserver"),
        *_flags(
            {
                "etcd-servers": f"https://{LOOPBACK}:{plane.ports.etcd}",
                "etcd-cafile": pki.authority,
                "etcd-certfile": pki.certificate(ETCD_CLIENT.file),
                "etcd-keyfile": pki.key(ETCD_CLIENT.file),
                "bind-address": LOOPBACK,
                "advertise-address": LOOPBACK,
                "secure-port": plane.ports.api,
                "endpoint-reconciler-type": "none",
                "client-ca-file": pki.authority,
                "tls-cert-file": pki.certificate("server"),
                "tls-private-key-file": pki.key("server"),
                "service-account-issuer": "https://kubernetes.default.svc",
                "service-account-key-file": pki.public_key("service-accounts"),
                "service-account-signing-key-file": pki.key("service-accounts"),
                "service-account-lookup": "true",
                "service-cluster-ip-range": "10.96.0.0/16",
                "authorization-mode": "Node,RBAC",
                "allow-privileged": "true",
                "profiling": "false",
            }
        ),
    ]


def controller_manager(plane: Layout) -> list[str]:
    """All default controllers, with an allowance that does not make a test suite wait."""
    return [
        str(plane.binaries / "kube-controller-manager"),
        *_flags(
            {
                "kubeconfig": plane.kubeconfig(CONTROLLERS),
                "use-service-account-credentials": "true",
                "service-account-private-key-file": plane.pki.key("service-accounts"),
                "root-ca-file": plane.pki.authority,
                "leader-elect": "false",
                "secure-port": 0,
                "kube-api-qps": 200,
                "kube-api-burst": 400,
            }
        ),
    ]


def scheduler(plane: Layout) -> list[str]:
    """Return the default scheduler, which serves nobody: it only asks the API server."""
    return [
        str(plane.binaries / "kube-scheduler"),
        *_flags(
            {
                "kubeconfig": plane.kubeconfig(SCHEDULER),
                "leader-elect": "false",
                "secure-port": 0,
            }
        ),
    ]
