"""What a tenant with the cluster role ``admin`` can do in its namespace, and what it cannot."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client as official
from kubernetes.client.exceptions import ApiException

from reconciler.cluster import Cluster, Ref
from tests.cluster import conftest, objects
from tests.cluster.waiting import eventually


@pytest.fixture
def tenants_core(official_client: Callable[..., Any], tenant: str) -> Any:
    return official.CoreV1Api(official_client(user=tenant))


def refused(action: Callable[..., object], *arguments: object) -> ApiException:
    with pytest.raises(ApiException) as error:
        action(*arguments)
    assert isinstance(error.value, ApiException)
    return error.value


def test_a_tenant_works_in_its_namespace(tenants_core: Any, namespace: str) -> None:
    # A new binding is known to the authorizer a moment after it was made.
    eventually(lambda: _may(tenants_core.list_namespaced_pod, namespace))

    tenants_core.create_namespaced_pod(namespace, objects.pod(namespace))
    tenants_core.create_namespaced_secret(namespace, {"metadata": {"name": "mine"}})


def test_a_tenant_sees_its_quota_and_cannot_change_it(
    cluster: Cluster, tenants_core: Any, namespace: str, tenant: str
) -> None:
    cluster.apply(objects.gpu_quota(namespace))
    eventually(lambda: _may(tenants_core.read_namespaced_resource_quota, "budget", namespace))

    more = {"spec": {"hard": {f"requests.{objects.WHOLE_GPU}": "4"}}}
    error = refused(tenants_core.patch_namespaced_resource_quota, "budget", namespace, more)

    assert error.status == 403
    assert (
        f'resourcequotas \\"budget\\" is forbidden: User \\"{tenant}\\" cannot patch resource '
        f'\\"resourcequotas\\" in API group \\"\\" in the namespace \\"{namespace}\\"'
    ) in str(error.body)


@pytest.mark.parametrize(
    "action",
    [
        lambda core, ns: core.delete_namespaced_resource_quota("budget", ns),
        lambda core, ns: core.delete_namespaced_limit_range("defaults", ns),
        lambda core, ns: core.delete_namespace(ns),
        lambda core, ns: core.patch_namespace(ns, {"metadata": {"labels": {"mine": "yes"}}}),
        lambda core, _: core.list_node(),
        lambda core, _: core.list_namespace(),
        lambda core, _: core.list_namespaced_pod("kube-system"),
    ],
    ids=[
        "delete-quota",
        "delete-limits",
        "delete-namespace",
        "label-namespace",
        "list-nodes",
        "list-namespaces",
        "look-elsewhere",
    ],
)
def test_what_is_out_of_a_tenants_reach(
    tenants_core: Any, namespace: str, action: Callable[[Any, str], object]
) -> None:
    eventually(lambda: _may(tenants_core.list_namespaced_pod, namespace))

    assert refused(action, tenants_core, namespace).status == 403


def test_a_stranger_sees_nothing(official_client: Callable[..., Any], namespace: str) -> None:
    stranger = official.CoreV1Api(official_client(user="nobody-in-particular"))

    error = refused(stranger.list_namespaced_pod, namespace)

    assert error.status == 403
    assert (
        'pods is forbidden: User \\"nobody-in-particular\\" cannot list resource \\"pods\\" '
        f'in API group \\"\\" in the namespace \\"{namespace}\\"'
    ) in str(error.body)


def test_a_tenant_can_pass_on_what_it_has_but_not_more(
    official_client: Callable[..., Any], tenants_core: Any, namespace: str, tenant: str
) -> None:
    eventually(lambda: _may(tenants_core.list_namespaced_pod, namespace))
    rbac = official.RbacAuthorizationV1Api(official_client(user=tenant))
    binding = conftest.binding_of("friend", namespace)
    binding["metadata"]["name"] = "friend"
    rbac.create_namespaced_role_binding(namespace, binding)

    binding["metadata"]["name"] = "too-much"
    binding["roleRef"]["name"] = "cluster-admin"
    error = refused(rbac.create_namespaced_role_binding, namespace, binding)

    assert error.status == 403
    assert "attempting to grant RBAC permissions not currently held" in str(error.body)


def test_without_its_binding_a_tenant_is_a_stranger(
    cluster: Cluster, tenants_core: Any, namespace: str
) -> None:
    eventually(lambda: _may(tenants_core.list_namespaced_pod, namespace))
    ref = Ref("rbac.authorization.k8s.io/v1", "RoleBinding", "tenant", namespace)
    binding = cluster.get(ref)
    assert binding is not None

    cluster.delete(ref, uid=binding["metadata"]["uid"])

    eventually(lambda: not _may(tenants_core.list_namespaced_pod, namespace))


def test_a_service_accounts_token_works_until_the_account_is_deleted(
    cluster: Cluster, core: Any, official_client: Callable[..., Any], namespace: str
) -> None:
    made = cluster.apply(objects.manifest("v1", "ServiceAccount", namespace, "workspace"))
    request = {"spec": {"expirationSeconds": 600}}
    issued = core.create_namespaced_service_account_token("workspace", namespace, request)
    bearer = official.AuthenticationV1Api(official_client(token=issued.status.token))

    who = bearer.create_self_subject_review({}).status.user_info

    assert who.username == f"system:serviceaccount:{namespace}:workspace"
    assert "system:serviceaccounts" in who.groups
    ref = Ref("v1", "ServiceAccount", "workspace", namespace)
    cluster.delete(ref, uid=made["metadata"]["uid"])
    eventually(lambda: not _may(bearer.create_self_subject_review, {}))


def test_a_token_lives_ten_minutes_at_least(core: Any, namespace: str) -> None:
    request = {"spec": {"expirationSeconds": 599}}

    error = refused(core.create_namespaced_service_account_token, "default", namespace, request)

    assert error.status == 422


def test_the_cluster_says_what_a_user_may(
    official_client: Callable[..., Any], tenants_core: Any, namespace: str, tenant: str
) -> None:
    eventually(lambda: _may(tenants_core.list_namespaced_pod, namespace))
    reviews = official.AuthorizationV1Api(official_client(user=tenant))

    def may(verb: str, resource: str) -> bool:
        attributes = {"verb": verb, "resource": resource, "namespace": namespace}
        review = reviews.create_self_subject_access_review(
            {"spec": {"resourceAttributes": attributes}}
        )
        return bool(review.status.allowed)

    assert may("create", "pods")
    assert not may("update", "resourcequotas")


def _may(action: Callable[..., object], *arguments: object) -> bool:
    try:
        action(*arguments)
    except ApiException as error:
        if error.status not in {401, 403}:
            raise
        return False
    return True
