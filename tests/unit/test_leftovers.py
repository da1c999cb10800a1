"""`reconciler.leftovers`: what names sessions that are gone."""

from typing import Any

from reconciler.leftovers import Leftovers, sort

GONE, LIVE = "s-00000000000000aa", "s-00000000000000bb"


def account(namespace: str, name: str = "default") -> dict[str, Any]:
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def user(name: str) -> dict[str, Any]:
    return {"kind": "User", "name": name}


def binding(*subjects: dict[str, Any], kind: str = "ClusterRoleBinding") -> dict[str, Any]:
    metadata = {"name": "them", "namespace": "" if kind == "ClusterRoleBinding" else "shared"}
    api_version = "rbac.authorization.k8s.io/v1"
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata,
        "subjects": list(subjects),
    }


def volume(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {"claimRef": {"namespace": namespace, "name": "home"}},
    }


def context(*users: str) -> dict[str, Any]:
    return {
        "apiVersion": "security.openshift.io/v1",
        "kind": "SecurityContextConstraints",
        "metadata": {"name": "anyuid"},
        "users": list(users),
    }


def sorted_out(
    *bindings: dict[str, Any],
    volumes: tuple[dict[str, Any], ...] = (),
    contexts: tuple[dict[str, Any], ...] = (),
) -> Leftovers:
    return sort(
        bindings=bindings,
        volumes=volumes,
        contexts=contexts,
        is_gone=lambda name: name == GONE,
    )


def test_a_binding_to_accounts_that_are_gone_is_to_go() -> None:
    gone = binding(
        account(GONE),
        user(f"system:serviceaccount:{GONE}:builder"),
        {"kind": "Group", "name": f"system:serviceaccounts:{GONE}"},
    )

    assert sorted_out(gone) == Leftovers((gone,), {})


def test_a_binding_to_others_too_is_told_and_kept() -> None:
    found = sorted_out(binding(account(GONE), account(LIVE), kind="RoleBinding"))

    assert found.bindings == ()
    assert found.told == {
        "RoleBinding shared/them": f"grants to {GONE}, which are gone, and to others"
    }


def test_everybody_elses_bindings_are_nobodys_business() -> None:
    others = (
        binding(account(LIVE)),
        binding(),
        binding(user("ada")),
        binding(user(GONE)),
        binding(account("kube-system")),
        binding(user(f"system:serviceaccount:x{GONE}:default")),
    )

    assert sorted_out(*others) == Leftovers((), {})


def test_a_binding_without_subjects_is_left_alone() -> None:
    without = binding()
    del without["subjects"]

    assert sorted_out(without) == Leftovers((), {})


def test_who_is_let_into_a_security_context_is_told_with_the_command_that_helps() -> None:
    name = f"system:serviceaccount:{GONE}:default"

    found = sorted_out(contexts=(context("system:admin", name), context()))

    assert found.told == {
        f"SecurityContextConstraints anyuid: {name}": (
            f"oc adm policy remove-scc-from-user anyuid {name}"
        )
    }


def test_a_volume_that_was_kept_is_told() -> None:
    found = sorted_out(volumes=(volume(GONE), volume(LIVE)))

    assert found.told == {
        "PersistentVolume pv-1": f"kept from {GONE}, which is gone: its data is still there"
    }
