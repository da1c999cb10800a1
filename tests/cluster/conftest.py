"""The clusters the contract is kept on: the simulated one always, a real one where there is one.

GPUAAS_TEST_KUBECONFIG names a real cluster to use; otherwise a control plane is started here.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as official
from kubernetes import config as official_config

from onebox import controlplane
from onebox.state import ROOT
from reconciler.cluster import Cluster, Manifest, Ref, client, ref_to
from simcluster import testing
from tests.cluster.waiting import eventually

KUBECONFIG_VARIABLE = "GPUAAS_TEST_KUBECONFIG"
BUILD_SECONDS = 900
POLICIES = ROOT / "deploy" / "kubernetes" / "guardrails.yaml"


@pytest.fixture(
    scope="session",
    params=[
        "simcluster",
        pytest.param(
            "controlplane", marks=[pytest.mark.cluster, pytest.mark.timeout(BUILD_SECONDS)]
        ),
    ],
)
def kubeconfig(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Yield the administrator's kubeconfig of each cluster in turn."""
    if request.param == "simcluster":
        simulator = testing.start(tmp_path_factory.mktemp("simcluster"))
        yield simulator.kubeconfig
        simulator.stop()
    elif given := os.environ.get(KUBECONFIG_VARIABLE):
        yield Path(given)
    else:
        skip_without_control_plane()
        with controlplane.start(tmp_path_factory.mktemp("controlplane")) as plane:
            yield plane.kubeconfig


def skip_without_control_plane() -> None:
    """Skip where there is no control plane; where one is promised (CI), fail instead."""
    is_promised = os.environ.get("CI") == "true"
    reason = controlplane.unavailable_reason()
    if reason is None and not is_promised and controlplane.find_binaries() is None:
        reason = "the control plane is not built: make controlplane"
    if reason is not None and is_promised:
        pytest.fail(f"CI must run the contract on a real control plane: {reason}")
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    connected = client.connect(kubeconfig)
    yield connected
    connected.close()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Yield the name of a fresh namespace in which pods may be created."""
    name = f"t-{secrets.token_hex(4)}"
    made = cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = Ref("v1", "ServiceAccount", "default", name)
    eventually(lambda: cluster.get(account) is not None)
    yield name
    cluster.delete(Ref("v1", "Namespace", name), uid=made["metadata"]["uid"])


@pytest.fixture
def official_client(kubeconfig: Path) -> Iterator[Callable[..., Any]]:
    """Yield what makes the official client, for what the port does not offer.

    ``user`` is impersonated; ``token`` is used instead of the administrator's credentials.
    """
    made: list[official.ApiClient] = []

    def connect(*, user: str = "", token: str = "") -> official.ApiClient:
        made.append(connect_as(kubeconfig, user=user, token=token))
        return made[-1]

    yield connect
    for api in made:
        api.rest_client.pool_manager.clear()
        api.close()


def connect_as(kubeconfig: Path, *, user: str = "", token: str = "") -> official.ApiClient:
    """Return the official client as the administrator, as ``user``, or with ``token``."""
    settings = official.Configuration()
    official_config.load_kube_config(str(kubeconfig), client_configuration=settings)
    settings.proxy = None
    settings.retries = False
    if token:
        settings.api_key = {"BearerToken": f"Bearer {token}"}
        settings.refresh_api_key_hook = None
        settings.cert_file = settings.key_file = None
    api = official.ApiClient(settings)
    if user:
        api.set_default_header("Impersonate-User", user)
    return api


@contextmanager
def policies_in_force(cluster: Cluster) -> Iterator[None]:
    """Apply the admission policies of deploy/, and take them back."""
    documents = list(yaml.safe_load_all(POLICIES.read_text()))
    for document in documents:
        cluster.apply(document)
    try:
        yield
    finally:
        for ref in map(ref_to, reversed(documents)):
            if found := cluster.get(ref):
                cluster.delete(ref, uid=found["metadata"]["uid"])


@pytest.fixture
def core(official_client: Callable[..., Any]) -> Any:
    return official.CoreV1Api(official_client())


@pytest.fixture
def tenant(cluster: Cluster, namespace: str) -> str:
    """Return a user who is bound to the cluster role ``admin`` in the namespace."""
    user = f"tenant-{namespace}"
    cluster.apply(binding_of(user, namespace))
    return user


def binding_of(user: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "tenant", "namespace": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "admin",
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user},
        ],
    }
