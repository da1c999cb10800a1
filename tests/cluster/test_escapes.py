"""A hostile tenant tries every way out of a session that we know of, and the API server refuses.

Only on the real control plane: the simulated one does not evaluate admission policies.
"""

import dataclasses
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml
from django.utils import timezone
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException

from onebox.state import ROOT
from reconciler import naming
from reconciler.cluster import Cluster, Manifest, Ref, client
from reconciler.manifests import access, guardrails, namespace, network, storage, workspace
from sessions import spec as sessions_spec
from sessions.spec import SessionSpec
from tests import make
from tests.cluster import conftest, objects
from tests.cluster.waiting import eventually
from tests.make import GPU, SLICE

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session"),
]

RECONCILER: Final = "system:serviceaccount:gpuaas-system:reconciler"
HOUR: Final = timedelta(hours=1)
INJECTING: Final = "nvidia.cdi.k8s.io/container.main"
TOOK: Final = "NVIDIA_VISIBLE_DEVICES"
DRIVERS_RUNTIME: Final = {
    "apiVersion": "node.k8s.io/v1",
    "kind": "RuntimeClass",
    "metadata": {"name": "nvidia"},
    "handler": "nvidia",
}


class Session(NamedTuple):
    """One session's namespace in the cluster, and its tenant's view of the API."""

    spec: SessionSpec
    platform: Cluster
    tenant: official.ApiClient

    @property
    def namespace(self) -> str:
        return self.spec.namespace

    def refusal(self, method: str, path: str, body: Manifest | None = None) -> str:
        """Return what the API server answers the tenant, who must not get through."""
        with pytest.raises(ApiException) as refused:
            self.ask(method, path, body)
        assert isinstance(refused.value, ApiException)
        assert refused.value.status in {403, 422}
        return str(refused.value.body)

    def ask(self, method: str, path: str, body: Manifest | None = None) -> Any:
        return self.tenant.call_api(
            path.format(namespace=self.namespace),
            method,
            body=body,
            header_params={"Accept": "application/json", "Content-Type": _kind_of(method)},
            auth_settings=["BearerToken"],
            response_types_map={200: "object", 201: "object", 202: "object"},
        )


def _kind_of(method: str) -> str:
    return "application/merge-patch+json" if method == "PATCH" else "application/json"


def spec_from(starts_at: datetime, *, hours: float) -> SessionSpec:
    public_id = uuid.uuid4()
    return dataclasses.replace(
        make.spec(),
        public_id=public_id,
        namespace=sessions_spec.namespace_name(public_id),
        owner=f"tenant-{public_id.hex[:8]}",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
    )


def manifests_of(spec: SessionSpec) -> tuple[Manifest, ...]:
    """Return everything that the reconciler makes for a session."""
    return (
        namespace.build(spec),
        guardrails.resource_quota(spec),
        guardrails.limit_range(spec),
        *network.build(spec),
        *storage.build(spec),
        workspace.proxy_config(spec),
        workspace.service_account(spec),
        workspace.service(spec),
        workspace.deployment(spec),
        *access.build(spec),
    )


@pytest.fixture(scope="module")
def platform(kubeconfig: Path) -> Iterator[Cluster]:
    """Yield the administrator's view of a cluster with our policies in force."""
    kube = client.connect(kubeconfig)
    with conftest.connect_as(kubeconfig) as admin:
        official.NodeV1Api(admin).create_runtime_class(DRIVERS_RUNTIME)
    with conftest.policies_in_force(kube):
        yield kube
    kube.close()


@pytest.fixture(scope="module")
def open_session(
    kubeconfig: Path, platform: Cluster
) -> Iterator[Callable[[datetime, float], Session]]:
    opened: list[Session] = []

    def open_one(starts_at: datetime, hours: float) -> Session:
        spec = spec_from(starts_at, hours=hours)
        for manifest in manifests_of(spec):
            platform.apply(manifest)
        session = Session(spec, platform, conftest.connect_as(kubeconfig, user=spec.owner))
        opened.append(session)
        # A policy is in force a moment after it was made, a binding of roles likewise.
        eventually(lambda: _is_guarded(session))
        return session

    yield open_one
    for session in opened:
        session.tenant.close()
        ref = Ref("v1", "Namespace", session.namespace)
        found = platform.get(ref)
        if found is not None:
            platform.delete(ref, uid=found["metadata"]["uid"])


@pytest.fixture(scope="module")
def session(open_session: Callable[[datetime, float], Session]) -> Session:
    return open_session(timezone.now() - HOUR, 2)


def _is_guarded(session: Session) -> bool:
    """Return whether the tenant may look, and what no policy lets through is refused by one."""
    pod = with_pod(runtimeClassName="nvidia")
    try:
        session.ask("GET", PODS)
        session.ask("POST", f"{PODS}?dryRun=All", pod)
    except ApiException as error:
        return "runtimeClassName is not for sessions" in str(error.body)
    return False


API: Final = "/api/v1/namespaces/{namespace}"
PODS: Final = f"{API}/pods"
APPS: Final = "/apis/apps/v1/namespaces/{namespace}"
NETWORK: Final = "/apis/networking.k8s.io/v1/namespaces/{namespace}"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"


def pod(name: str = "escape", **limits: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [objects.container(**limits)]},
    }


def with_pod(**fields: Any) -> Manifest:
    made = pod()
    made["spec"].update(fields)
    return made


def with_container(**fields: Any) -> Manifest:
    made = pod()
    made["spec"]["containers"][0].update(fields)
    return made


def with_metadata(**fields: Any) -> Manifest:
    made = pod()
    made["metadata"].update(fields)
    return made


def config(kind: str, **fields: Any) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "mine"}, **fields}


def grant(kind: str, name: str, **more: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "friends"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": kind, "name": name, **more}],
    }


OURS: Final = {naming.MANAGED_BY_LABEL: "gpuaas"}
NOT_OURS: Final = {"metadata": {"labels": {naming.MANAGED_BY_LABEL: None}}}
PINNED: Final = {"metadata": {"finalizers": ["example.com/never"]}}
OPEN: Final = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "open"},
    "spec": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]},
}
CLAIM: Final = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "another"},
    "spec": {
        "devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "mig.nvidia.com"}}]}
    },
}
CLAIMS: Final = "/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims"
MANAGED: Final = "is managed by GPUaaS"


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        pytest.param("DELETE", f"{NETWORK}/networkpolicies/gpuaas-deny-all", None, MANAGED,
                     id="delete-network-policy"),
        pytest.param("DELETE", f"{NETWORK}/networkpolicies", None, MANAGED,
                     id="delete-every-network-policy"),
        pytest.param("PATCH", f"{NETWORK}/networkpolicies/gpuaas-deny-all", NOT_OURS,
                     # Two policies deny it, and either may be the first to answer.
                     f"{MANAGED}|open this session", id="remove-our-label"),
        pytest.param("PATCH", f"{API}/persistentvolumeclaims/home", PINNED, MANAGED,
                     id="pin-with-a-finalizer"),
        pytest.param("DELETE", f"{RBAC}/rolebindings/gpuaas-tenant", None, MANAGED,
                     id="delete-own-binding"),
        pytest.param("PATCH", f"{APPS}/deployments/workspace", {"spec": {"replicas": 9}}, MANAGED,
                     id="change-the-workspace"),
        pytest.param("PATCH", f"{APPS}/deployments/workspace/scale", {"spec": {"replicas": 9}},
                     "cannot be scaled", id="scale-the-workspace"),
        pytest.param("PATCH", f"{API}/configmaps/gpuaas-proxy", {"data": {"a": "b"}}, MANAGED,
                     id="change-the-proxy"),
        pytest.param("POST", f"{API}/configmaps", config("ConfigMap") | {
            "metadata": {"name": "fake", "labels": OURS}}, "is for what GPUaaS itself makes",
            id="mint-our-label"),
        pytest.param("DELETE", "/api/v1/namespaces/{namespace}", None, "forbidden",
                     id="delete-the-namespace"),
        pytest.param("PATCH", "/api/v1/namespaces/{namespace}", {
            "metadata": {"annotations": {naming.ENDS_AT_ANNOTATION: "2099-01-01T00:00:00Z"}}},
            "forbidden", id="move-the-end"),
        pytest.param("PATCH", f"{API}/resourcequotas/gpuaas", {
            "spec": {"hard": {f"requests.{GPU}": "8"}}}, "forbidden", id="raise-the-quota"),
        pytest.param("POST", f"{NETWORK}/networkpolicies", OPEN, "open this session",
                     id="open-the-network"),
        pytest.param("POST", CLAIMS, CLAIM, "claimed by booking", id="claim-a-device"),
        pytest.param("POST", f"{RBAC}/rolebindings", grant("User", "mallory"),
                     "own service accounts only", id="let-a-friend-in"),
        pytest.param("POST", f"{RBAC}/rolebindings", grant("Group", "system:authenticated"),
                     "own service accounts only", id="let-everybody-in"),
        pytest.param("POST", f"{RBAC}/rolebindings",
                     grant("ServiceAccount", "default", namespace="kube-system"),
                     "own service accounts only", id="let-a-stranger-in"),
        pytest.param("POST", PODS, pod(**{GPU: "1"}), "no other device", id="another-type"),
        pytest.param("POST", PODS, pod(**{f"{SLICE}.shared": "1"}), "no other device",
                     id="a-renamed-type"),
        pytest.param("POST", PODS, pod(**{"deviceclass.resource.kubernetes.io/gpu": "1"}),
                     "no other device", id="a-device-class-as-a-resource"),
        pytest.param("POST", PODS, with_pod(initContainers=[
            {**objects.container("first", **{GPU: "1"})}]), "no other device",
            id="another-type-in-an-init-container"),
        pytest.param("POST", PODS, with_pod(runtimeClassName="nvidia"), "runtimeClassName",
                     id="the-drivers-runtime"),
        pytest.param("POST", PODS, with_metadata(annotations={
            INJECTING: "management.nvidia.com/gpu=all"}), "annotations that inject devices",
            id="device-annotation"),
        pytest.param("POST", PODS, with_metadata(annotations={
            "cdi.k8s.io/gpu": "nvidia.com/gpu=0"}), "annotations that inject devices",
            id="cdi-annotation"),
        pytest.param("POST", PODS, with_container(env=[{"name": TOOK, "value": "all"}]),
                     "may only be void", id="every-gpu-by-variable"),
        pytest.param("POST", PODS, with_container(env=[{"name": TOOK, "valueFrom": {
            "fieldRef": {"fieldPath": "metadata.name"}}}]), "may only be void",
            id="a-variable-from-a-field"),
        pytest.param("POST", PODS, with_container(envFrom=[{
            "prefix": "NVIDIA_", "configMapRef": {"name": "mine"}}]), "could spell",
            id="a-variable-by-its-prefix"),
        pytest.param("POST", f"{API}/configmaps", config("ConfigMap", data={TOOK: "all"}),
                     "set by the device plugin", id="a-variable-from-a-config-map"),
        pytest.param("POST", f"{API}/secrets", config("Secret", stringData={TOOK: "all"}),
                     "set by the device plugin", id="a-variable-from-a-secret"),
        pytest.param("POST", PODS, with_pod(
            volumes=[{"name": "devices", "emptyDir": {}}],
            containers=[{**objects.container(), "volumeMounts": [{
                "name": "devices", "mountPath": "/var/run/nvidia-container-devices/all"}]}]),
            "not mounted", id="a-device-by-its-mount"),
        pytest.param("POST", PODS, with_pod(resourceClaims=[
            {"name": "gpu", "resourceClaimName": "another"}]), "claimed by booking",
            id="another-claim"),
        pytest.param("POST", PODS, with_pod(nodeName="gpu-node-1"), "bypass the scheduler",
                     id="past-the-scheduler"),
        pytest.param("POST", PODS, with_pod(hostNetwork=True), "PodSecurity",
                     id="the-hosts-network"),
        pytest.param("POST", PODS, with_pod(volumes=[
            {"name": "host", "hostPath": {"path": "/dev"}}]), "PodSecurity", id="the-hosts-files"),
        pytest.param("POST", PODS, with_container(securityContext={"privileged": True}),
                     "PodSecurity", id="privileged"),
    ],
)  # fmt: skip
def test_a_tenant_gets_nowhere(
    session: Session, method: str, path: str, body: Manifest | None, why: str
) -> None:
    assert re.search(why, session.refusal(method, path, body))


def test_a_deployments_pods_are_held_to_the_same(session: Session) -> None:
    deployment = objects.deployment(session.namespace, "sly", runtimeClassName="nvidia")

    session.ask("POST", f"{APPS}/deployments", deployment)

    ref = Ref("apps/v1", "Deployment", "sly", session.namespace)
    eventually(lambda: "runtimeClassName is not for sessions" in str(session.platform.get(ref)))


@pytest.mark.parametrize(
    ("starts_in", "why"),
    [
        pytest.param(-2 * HOUR, "the booking of this session is over", id="over"),
        pytest.param(HOUR, "has not begun", id="not-begun"),
    ],
)
def test_no_pod_with_a_device_starts_outside_the_window(
    open_session: Callable[[datetime, float], Session], starts_in: timedelta, why: str
) -> None:
    session = open_session(timezone.now() + starts_in, 1)

    assert why in session.refusal("POST", PODS, pod(**{SLICE: "1"}))
    session.ask("POST", PODS, pod("without-a-device"))


def test_what_is_a_tenants_own_stays_so(session: Session) -> None:
    void = with_container(env=[{"name": TOOK, "value": "void"}])
    own = grant("ServiceAccount", "default", namespace=session.namespace)

    session.ask("POST", PODS, pod("with-a-device", **{SLICE: "1"}))
    session.ask("POST", PODS, void)
    session.ask("POST", f"{API}/configmaps", config("ConfigMap", data={"a": "b"}))
    session.ask("POST", f"{RBAC}/rolebindings", own)
    session.ask("POST", f"{APPS}/deployments", objects.deployment(session.namespace, "mine"))
    session.ask("PATCH", f"{APPS}/deployments/mine/scale", {"spec": {"replicas": 0}})
    session.ask("DELETE", f"{APPS}/deployments/mine")
    session.ask("DELETE", f"{PODS}/with-a-device")


def test_the_workspace_itself_starts(session: Session) -> None:
    pods = {naming.COMPONENT_LABEL: naming.WORKSPACE}

    eventually(lambda: session.platform.find("v1", "Pod", namespace=session.namespace, labels=pods))


def test_a_session_can_be_removed_while_the_policies_hold(
    open_session: Callable[[datetime, float], Session],
) -> None:
    session = open_session(timezone.now() - HOUR, 2)
    ref = Ref("v1", "Namespace", session.namespace)
    found = session.platform.get(ref)
    assert found is not None

    session.platform.delete(ref, uid=found["metadata"]["uid"])

    eventually(lambda: session.platform.get(ref) is None)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/api/v1/namespaces", {
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}},
            id="make-any-namespace"),
        pytest.param("DELETE", "/api/v1/namespaces/bystander", None, id="delete-any-namespace"),
        pytest.param("PATCH", "/api/v1/namespaces/default", {"metadata": {"labels": OURS}},
                     id="take-a-namespace-over"),
        pytest.param("POST", "/api/v1/namespaces/kube-system/configmaps", config("ConfigMap"),
                     id="write-elsewhere"),
        pytest.param("DELETE",
                     "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/cluster-admin",
                     None, id="delete-any-binding"),
        pytest.param("POST",
                     "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings",
                     grant("ServiceAccount", "reconciler", namespace="gpuaas-system")
                     | {"roleRef": {"apiGroup": "rbac.authorization.k8s.io",
                                    "kind": "ClusterRole", "name": "admin"}},
                     id="become-admin-of-the-system"),
    ],
)  # fmt: skip
def test_the_reconciler_itself_is_fenced_in(
    session: Session, kubeconfig: Path, method: str, path: str, body: Manifest | None
) -> None:
    _let_the_reconciler_in(session.platform)
    fenced = session._replace(tenant=conftest.connect_as(kubeconfig, user=RECONCILER))

    eventually(lambda: "reconciler" in fenced.refusal(method, path, body))
    reason = fenced.refusal(method, path, body)

    fenced.tenant.close()
    assert "none of the reconciler" in reason or "namespaces of sessions only" in reason


def _let_the_reconciler_in(kube: Cluster) -> None:
    manifest = ROOT / "deploy" / "kubernetes" / "reconciler-rbac.yaml"
    for document in yaml.safe_load_all(manifest.read_text()):
        kube.apply(document)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bystander"}})


def test_the_reconciler_removes_what_grants_to_sessions_alone(
    session: Session, kubeconfig: Path
) -> None:
    _let_the_reconciler_in(session.platform)
    fenced = session._replace(tenant=conftest.connect_as(kubeconfig, user=RECONCILER))
    binding = grant("ServiceAccount", "default", namespace="s-00000000000000aa")
    subjects = binding["subjects"]
    for name, of in {
        "left-over": subjects,
        "shared": [*subjects, {"kind": "User", "name": "ada"}],
    }.items():
        session.platform.apply(
            binding | {"kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": of}
        )
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/"

    eventually(lambda: "namespaces of sessions only" in fenced.refusal("DELETE", f"{path}shared"))
    fenced.ask("DELETE", f"{path}left-over")

    fenced.tenant.close()
