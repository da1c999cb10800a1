"""`simcluster.rules.rbac`: rules, requests, and what one may hand on."""

from typing import Any

import pytest

from simcluster.rules import rbac, roles
from simcluster.rules.rbac import Request, User

ROLES = {role["metadata"]["name"]: role["rules"] for role in roles.bootstrap() if "rules" in role}
BOB = User("bob", frozenset({"developers", rbac.AUTHENTICATED}))


@pytest.mark.parametrize(
    ("rule", "request_", "allowed"),
    [
        (("get", "", "pods"), Request("get", "", "pods"), True),
        (("get", "", "pods"), Request("list", "", "pods"), False),
        (("get", "", "pods"), Request("get", "", "pods", "exec"), False),
        (("get", "", "pods/exec"), Request("get", "", "pods", "exec"), True),
        (("get", "", "*/exec"), Request("get", "", "pods", "exec"), True),
        (("get", "", "*"), Request("get", "", "pods", "exec"), True),
        (("*", "*", "*"), Request("get", "apps", "deployments"), True),
        (("get", "apps", "pods"), Request("get", "", "pods"), False),
    ],
)
def test_a_rule_allows_what_it_lists(
    rule: tuple[str, str, str], request_: Request, *, allowed: bool
) -> None:
    verb, group, resource = rule
    rules = [{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]

    assert rbac.allows(rules, request_) == allowed


def test_a_rule_can_name_the_objects_it_is_about() -> None:
    rules = [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["mine"]}
    ]

    assert rbac.allows(rules, Request("get", "", "pods", name="mine"))
    assert not rbac.allows(rules, Request("get", "", "pods", name="yours"))
    assert not rbac.allows(rules, Request("list", "", "pods"))


@pytest.mark.parametrize(
    ("role", "verb", "group", "resource", "allowed"),
    [
        ("admin", "get", "", "resourcequotas", True),
        ("admin", "update", "", "resourcequotas", False),
        ("admin", "delete", "", "limitranges", False),
        ("admin", "create", "", "secrets", True),
        ("admin", "create", "rbac.authorization.k8s.io", "rolebindings", True),
        ("admin", "create", "networking.k8s.io", "networkpolicies", True),
        ("admin", "create", "resource.k8s.io", "resourceclaims", True),
        ("admin", "patch", "", "namespaces", False),
        ("admin", "list", "", "nodes", False),
        ("edit", "create", "rbac.authorization.k8s.io", "rolebindings", False),
        ("edit", "get", "", "secrets", True),
        ("view", "get", "", "secrets", False),
        ("view", "list", "", "pods", True),
        ("view", "create", "", "pods", False),
        ("cluster-admin", "delete", "", "nodes", True),
    ],
)
def test_the_built_in_roles(
    role: str, verb: str, group: str, resource: str, *, allowed: bool
) -> None:
    assert rbac.allows(ROLES[role], Request(verb, group, resource)) == allowed


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        ("admin", "admin", True),
        ("admin", "view", True),
        ("cluster-admin", "admin", True),
        ("edit", "admin", False),
        ("admin", "cluster-admin", False),
        ("view", "edit", False),
    ],
)
def test_nobody_covers_more_than_they_hold(held: str, wanted: str, *, covered: bool) -> None:
    assert rbac.covers(ROLES[held], ROLES[wanted]) == covered


@pytest.mark.parametrize(
    ("subject", "is_meant"),
    [
        ({"kind": "User", "name": "bob"}, True),
        ({"kind": "User", "name": "alice"}, False),
        ({"kind": "Group", "name": "developers"}, True),
        ({"kind": "ServiceAccount", "name": "bob"}, False),
    ],
)
def test_whom_a_subject_means(subject: dict[str, Any], *, is_meant: bool) -> None:
    assert rbac.is_subject(subject, BOB, "default") == is_meant


def test_a_service_account_without_namespace_is_that_of_the_binding() -> None:
    account = rbac.service_account("here", "robot")

    assert rbac.is_subject({"kind": "ServiceAccount", "name": "robot"}, account, "here")
    assert not rbac.is_subject({"kind": "ServiceAccount", "name": "robot"}, account, "there")


def test_a_role_binding_gives_a_role_of_its_own_namespace_or_a_cluster_role() -> None:
    read = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    known = {("here", "reader"): [read], ("there", "reader"): [], ("", "reader"): []}
    binding = {
        "metadata": {"name": "b", "namespace": "here"},
        "roleRef": {"kind": "Role", "name": "reader"},
        "subjects": [{"kind": "User", "name": "bob"}],
    }

    assert rbac.rules_for(BOB, bindings=[binding], roles=known) == [read]
