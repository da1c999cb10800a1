"""Agents of a session: what `serve --agent` writes is let through, and nothing that opens more.

The API server says what may be written; that packets are held to it is the cluster's network.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException

from gpuaas_serve import manifests
from reconciler import naming
from reconciler.cluster import Cluster, Manifest, ref_to
from reconciler.manifests import namespace as namespaces
from reconciler.manifests import network
from sessions.spec import SessionSpec
from tests import make
from tests.cluster import conftest
from tests.cluster.waiting import eventually

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(conftest.BUILD_SECONDS),
    pytest.mark.parametrize("kubeconfig", ["controlplane"], indirect=True, scope="session"),
]
REFUSED: Final = "policies add up"
AGENT: Final[dict[str, Any]] = {"matchLabels": {manifests.AGENT_LABEL: "retriever"}}
INSIDE: Final[dict[str, Any]] = {"podSelector": {"matchLabels": {"app": "vector-db"}}}
EVERYWHERE: Final[dict[str, Any]] = {"ipBlock": {"cidr": "0.0.0.0/0"}}


def policy(*peers: dict[str, Any], **instead: Any) -> Manifest:
    """Return the policy of an agent that may reach ``peers``, with some fields ``instead``."""
    spec = {"podSelector": AGENT, "policyTypes": ["Egress"], "egress": [{"to": list(peers)}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "agent-retriever"},
        "spec": {**spec, **instead},
    }


OPENS_MORE: Final[dict[str, Manifest]] = {
    "out of the cluster": policy(EVERYWHERE),
    "every namespace": policy({"namespaceSelector": {}}),
    "such pods everywhere": policy({**INSIDE, "namespaceSelector": {}}),
    "one bad peer among good ones": policy(INSIDE, EVERYWHERE),
    "a rule without peers": policy(egress=[{}]),
    "an empty list of peers": policy(egress=[{"to": []}]),
    "a port of any address": policy(egress=[{"ports": [{"port": 443}]}]),
    "a bad rule behind a good one": policy(egress=[{"to": [INSIDE]}, {}]),
    "every pod": policy(INSIDE, podSelector={}),
    "pods of another label": policy(INSIDE, podSelector={"matchLabels": {"app": "x"}}),
    "no name": policy(INSIDE, podSelector={"matchLabels": {manifests.AGENT_LABEL: ""}}),
    "whoever is no agent": policy(
        INSIDE,
        podSelector={
            "matchExpressions": [{"key": manifests.AGENT_LABEL, "operator": "DoesNotExist"}]
        },
    ),
    "ingress too": policy(INSIDE, policyTypes=["Ingress", "Egress"]),
    "ingress, unsaid": policy(INSIDE, ingress=[{}]),
    "ingress alone": policy(policyTypes=["Ingress"], ingress=[{}], egress=None),
    "types left to the server": policy(INSIDE, policyTypes=None),
}


@pytest.fixture
def spec() -> SessionSpec:
    """Return a session with a namespace that no test had before."""
    return make.spec(number=secrets.randbelow(2**32))


@pytest.fixture
def tenants(
    cluster: Cluster, official_client: Callable[..., Any], spec: SessionSpec
) -> Iterator[Any]:
    """Yield the network API as the tenant of a session has it, with every policy in force."""
    made = cluster.apply(namespaces.build(spec))
    for each in network.build(spec):
        cluster.apply(each)
    cluster.apply(conftest.binding_of("ada", spec.namespace))
    api = official.NetworkingV1Api(official_client(user="ada"))
    with conftest.policies_in_force(cluster):
        eventually(lambda: REFUSED in said(api, spec, policy(EVERYWHERE)))
        yield api
    cluster.delete(ref_to(made), uid=made["metadata"]["uid"])


def said(api: Any, spec: SessionSpec, wanted: Manifest) -> str:
    """Return why the API server refuses it; empty if it does not."""
    try:
        api.create_namespaced_network_policy(spec.namespace, wanted, dry_run="All")
    except ApiException as refused:
        return str(refused.body)
    return ""


def test_what_serve_writes_is_let_through_changed_and_removed(
    tenants: Any, spec: SessionSpec
) -> None:
    (written,) = manifests.of_agent("retriever", ["vector-db", "llama"])
    name = written["metadata"]["name"]
    tenants.create_namespaced_network_policy(spec.namespace, written)
    (narrower,) = manifests.of_agent("retriever", [])

    changed = tenants.replace_namespaced_network_policy(name, spec.namespace, narrower)

    assert changed.spec.pod_selector.match_labels == {naming.AGENT_LABEL: "retriever"}
    opened = {"spec": {"egress": [{"to": [EVERYWHERE]}]}}
    with pytest.raises(ApiException, match=REFUSED):
        tenants.patch_namespaced_network_policy(name, spec.namespace, opened)
    tenants.delete_namespaced_network_policy(name, spec.namespace)


def test_a_policy_that_opens_more_is_refused(tenants: Any, spec: SessionSpec) -> None:
    let_through = [
        what for what, wanted in OPENS_MORE.items() if REFUSED not in said(tenants, spec, wanted)
    ]

    assert let_through == []


def test_what_the_session_itself_lets_agents_do(tenants: Any, spec: SessionSpec) -> None:
    kept = tenants.list_namespaced_network_policy(spec.namespace).items

    reach = {each.metadata.name for each in kept if _selects_agents(each.spec.pod_selector)}

    assert reach == {"gpuaas-deny-all", "gpuaas-allow-dns", "gpuaas-allow-to-agents"}


def _selects_agents(selector: Any) -> bool:
    labels = {naming.AGENT_LABEL: "retriever"}
    named = all(labels.get(k) == v for k, v in (selector.match_labels or {}).items())
    wanted = {"Exists": True, "DoesNotExist": False}
    return named and all(
        wanted[each.operator] is (each.key in labels) for each in selector.match_expressions or []
    )
