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
from reconciler.manifests import (
    access,
    exposure,
    guardrails,
    namespace,
    network,
    storage,
    workspace,
)
from sessions import spec as sessions_spec
from sessions.spec import SessionSpec
from tests import make
from tests.cluster import conftest, kinds, objects
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


# As operators that serve these kinds do it: their rights become a part of "admin".
ADDRESSES: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "addresses-admin",
        "labels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"},
    },
    "rules": [
        {
            "apiGroups": ["route.openshift.io", "gateway.networking.k8s.io"],
            "resources": ["routes", "httproutes"],
            "verbs": ["create", "delete", "get", "list", "patch", "update"],
        }
    ],
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
        for api_version, kind in (exposure.KINDS["route"], exposure.KINDS["gateway"]):
            kinds.serve(admin, api_version, kind)
    kube.apply(ADDRESSES)
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
TEMPLATE: Final = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaimTemplate",
    "metadata": {"name": "another"},
    "spec": {"spec": CLAIM["spec"]},
}
MANAGED: Final = "is managed by GPUaaS"
NOT_OWN: Final = "the first part of a host name here"
ROUTES: Final = "/apis/route.openshift.io/v1/namespaces/{namespace}/routes"
HTTP_ROUTES: Final = "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes"


def role(kind: str, name: str) -> Manifest:
    """Return a grant of a role to the session's own default account."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return grant("Group", "system:serviceaccounts:nobody") | {"roleRef": reference, "subjects": []}


def ingress(host: str = "", tls: str = "", **spec: Any) -> Manifest:
    service = {"service": {"name": "mine", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": service}
    rule = {"http": {"paths": [path]}} | ({"host": host} if host else {})
    spec = {"rules": [rule], **({"tls": [{"hosts": [tls]}]} if tls else {}), **spec}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "mine"},
        "spec": spec,
    }


def route(**spec: Any) -> Manifest:
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": {"name": "mine"},
        "spec": {"to": {"kind": "Service", "name": "mine"}, **spec},
    }


def http_route(*hosts: str) -> Manifest:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "mine"},
        "spec": {"hostnames": list(hosts)} if hosts else {},
    }


def service(**spec: Any) -> Manifest:
    ports = [{"port": 80, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "mine"},
        "spec": {"ports": ports, **spec},
    }


ELSEWHERE: Final = "gpuaas.example.com"
EVERYBODYS: Final = {"service": {"name": "mine", "port": {"number": 80}}}


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
        pytest.param("POST", PODS, with_pod(hostPID=True), "PodSecurity", id="the-hosts-processes"),
        pytest.param("POST", PODS, with_container(ports=[{"containerPort": 80, "hostPort": 80}]),
                     "PodSecurity", id="a-port-of-the-host"),
        pytest.param("POST", PODS, with_container(securityContext={
            "capabilities": {"add": ["SYS_ADMIN"]}}), "PodSecurity", id="capabilities"),
        pytest.param("POST", PODS, with_pod(priorityClassName="system-node-critical"),
                     "the cluster's own", id="push-others-out"),
        pytest.param("POST", PODS, pod(**{SLICE: "2"}), "exceeded quota",
                     id="more-than-was-booked"),
        pytest.param("POST", PODS, with_pod(resourceClaims=[
            {"name": "gpu", "resourceClaimTemplateName": "another"}]), "claimed by booking",
            id="a-claim-from-a-template"),
        pytest.param("POST", f"{CLAIMS[:-1]}templates", TEMPLATE, "claimed by booking",
                     id="a-template-of-claims"),
        pytest.param("POST", f"{API}/configmaps", config("ConfigMap") | {
            "metadata": {"name": "mine", **PINNED["metadata"]}}, "keep this session from ending",
            id="never-end"),
        pytest.param("POST", PODS, with_metadata(finalizers=["kubernetes.io/never"]),
                     "keep this session from ending", id="a-pod-that-never-ends"),
        pytest.param("POST", f"{API}/services", service(type="NodePort"), "exceeded quota",
                     id="a-port-of-every-node"),
        pytest.param("POST", f"{API}/services", service(type="LoadBalancer"), "exceeded quota",
                     id="an-address-of-the-clouds"),
        pytest.param("POST", f"{API}/services", service(externalIPs=["192.0.2.7"]),
                     "take the traffic", id="an-address-of-somebody-else"),
        pytest.param("POST", f"{NETWORK}/ingresses", ingress(ELSEWHERE), NOT_OWN,
                     id="the-portals-host"),
        pytest.param("POST", f"{NETWORK}/ingresses", ingress(), NOT_OWN, id="any-host"),
        pytest.param("POST", f"{NETWORK}/ingresses", ingress("*.example.com"), NOT_OWN,
                     id="every-host"),
        pytest.param("POST", f"{NETWORK}/ingresses",
                     ingress("s-0000000000000000.apps.example.com"), NOT_OWN,
                     id="another-sessions-host"),
        pytest.param("POST", f"{NETWORK}/ingresses", ingress(
            ELSEWHERE, rules=[], defaultBackend=EVERYBODYS), NOT_OWN, id="what-nobody-serves"),
        pytest.param("POST", ROUTES, route(host=ELSEWHERE), NOT_OWN, id="the-portals-route"),
        pytest.param("POST", ROUTES, route(subdomain="console"), NOT_OWN, id="a-subdomain"),
        pytest.param("POST", ROUTES, route(wildcardPolicy="Subdomain"), NOT_OWN,
                     id="every-subdomain"),
        pytest.param("POST", HTTP_ROUTES, http_route(), NOT_OWN, id="any-host-of-a-gateway"),
        pytest.param("POST", HTTP_ROUTES, http_route(ELSEWHERE), NOT_OWN,
                     id="the-portals-host-at-a-gateway"),
        pytest.param("POST", f"{RBAC}/rolebindings", role("ClusterRole", "cluster-admin"),
                     "not currently held", id="become-more"),
        pytest.param("POST", f"{RBAC}/roles", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "mine"}, "rules": [{
                "apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["patch"]}]},
            "not currently held", id="a-role-with-more"),
    ],
)  # fmt: skip
def test_a_tenant_gets_nowhere(
    session: Session, method: str, path: str, body: Manifest | None, why: str
) -> None:
    assert re.search(why, session.refusal(method, path, body))


# What "admin" of a namespace does not give, on whatever Kubernetes: asked, not tried.
WITHHELD: Final = (
    ("update", "", "pods/ephemeralcontainers"),
    ("patch", "", "pods/resize"),
    ("create", "", "pods/binding"),
    ("create", "", "bindings"),
    ("update", "", "pods/status"),
    ("patch", "", "limitranges"),
    ("delete", "", "resourcequotas"),
    ("update", "", "resourcequotas/status"),
    ("update", "resource.k8s.io", "resourceclaims/status"),
    ("update", "", "namespaces/finalize"),
    ("create", "", "endpoints"),
    ("create", "discovery.k8s.io", "endpointslices"),
)
WITHHELD_OUTSIDE: Final = (
    ("get", "", "nodes"),
    ("get", "", "nodes/proxy"),
    ("list", "", "namespaces"),
    ("list", "", "secrets"),
    ("create", "", "persistentvolumes"),
    ("impersonate", "", "users"),
    ("impersonate", "", "serviceaccounts"),
    ("create", "node.k8s.io", "runtimeclasses"),
    ("create", "storage.k8s.io", "storageclasses"),
    ("create", "scheduling.k8s.io", "priorityclasses"),
    ("create", "resource.k8s.io", "deviceclasses"),
    ("create", "resource.k8s.io", "resourceslices"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("delete", "admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "certificates.k8s.io", "certificatesigningrequests"),
)


@pytest.mark.parametrize(("verb", "group", "resource"), WITHHELD)
def test_the_role_of_a_tenant_does_not_reach(
    session: Session, kubeconfig: Path, verb: str, group: str, resource: str
) -> None:
    assert not _may(kubeconfig, session.spec.owner, verb, group, resource, session.namespace)


@pytest.mark.parametrize("within", ["", "kube-system", "gpuaas-system"])
@pytest.mark.parametrize(("verb", "group", "resource"), WITHHELD_OUTSIDE)
def test_outside_its_namespace_a_tenant_may_nothing(
    session: Session, kubeconfig: Path, verb: str, group: str, resource: str, within: str
) -> None:
    assert not _may(kubeconfig, session.spec.owner, verb, group, resource, within)


def test_what_may_be_done_is_told_when_asked(session: Session, kubeconfig: Path) -> None:
    """The two above would hold, too, if every question were answered with no."""
    assert _may(kubeconfig, session.spec.owner, "create", "", "pods", session.namespace)


def _may(kubeconfig: Path, person: str, verb: str, group: str, resource: str, within: str) -> bool:
    name, _, subresource = resource.partition("/")
    attributes = official.V1ResourceAttributes(
        verb=verb, group=group, resource=name, subresource=subresource, namespace=within
    )
    review = official.V1SubjectAccessReview(
        spec=official.V1SubjectAccessReviewSpec(user=person, resource_attributes=attributes)
    )
    with conftest.connect_as(kubeconfig) as admin:
        answer = official.AuthorizationV1Api(admin).create_subject_access_review(review)
    return bool(answer.status.allowed)


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        pytest.param("DELETE", f"{NETWORK}/networkpolicies/gpuaas-deny-all", None, MANAGED,
                     id="delete-network-policy"),
        pytest.param("POST", PODS, with_pod(runtimeClassName="nvidia"), "runtimeClassName",
                     id="the-drivers-runtime"),
        pytest.param("POST", f"{RBAC}/rolebindings", grant("User", "mallory"),
                     "own service accounts only", id="let-a-friend-in"),
    ],
)  # fmt: skip
def test_the_accounts_in_a_session_get_no_further_than_its_tenant(
    session: Session, kubeconfig: Path, method: str, path: str, body: Manifest | None, why: str
) -> None:
    """A tenant may have tokens of them, and become them."""
    account = f"system:serviceaccount:{session.namespace}:{naming.WORKSPACE}"
    within = session._replace(tenant=conftest.connect_as(kubeconfig, user=account))

    assert re.search(why, within.refusal(method, path, body))

    within.tenant.close()


def test_what_injects_devices_cannot_be_written_on_a_pod_that_is_there(session: Session) -> None:
    session.ask("POST", PODS, pod("plain"))

    refused = session.refusal(
        "PATCH", f"{PODS}/plain", {"metadata": {"annotations": {INJECTING: "nvidia.com/gpu=0"}}}
    )
    pinned = session.refusal("PATCH", f"{PODS}/plain", PINNED)

    assert "annotations that inject devices" in refused
    assert "keep this session from ending" in pinned


def test_a_token_does_not_outlive_its_session(
    open_session: Callable[[datetime, float], Session], kubeconfig: Path
) -> None:
    session = open_session(timezone.now() - HOUR, 2)
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 10 * 365 * 24 * 3600, "audiences": []},
    }
    account = f"{API}/serviceaccounts/{naming.WORKSPACE}/token"
    token = session.ask("POST", account, asked)[0]["status"]["token"]
    thief = session._replace(tenant=conftest.connect_as(kubeconfig, token=token))
    eventually(lambda: thief.ask("GET", PODS) is not None)

    ref = Ref("v1", "Namespace", session.namespace)
    found = session.platform.get(ref)
    assert found is not None
    session.platform.delete(ref, uid=found["metadata"]["uid"])

    eventually(lambda: _is_unknown(thief))
    thief.tenant.close()


def _is_unknown(session: Session) -> bool:
    try:
        session.ask("GET", PODS)
    except ApiException as error:
        return bool(error.status == 401)
    return False


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
    session.ask("POST", f"{API}/persistentvolumeclaims", _claim_of_storage())
    host = f"{session.namespace}.apps.example.com"
    session.ask("POST", f"{NETWORK}/ingresses", ingress(f"demo-{host}", tls=host))
    session.ask("POST", ROUTES, route())
    session.ask("POST", HTTP_ROUTES, http_route(host))
    session.ask("POST", f"{API}/services", service())
    session.ask("POST", f"{APPS}/deployments", objects.deployment(session.namespace, "mine"))
    session.ask("PATCH", f"{APPS}/deployments/mine/scale", {"spec": {"replicas": 0}})
    session.ask("DELETE", f"{APPS}/deployments/mine")
    session.ask("DELETE", f"{PODS}/with-a-device")


def _claim_of_storage() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "mine"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


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
