"""`reconciler.leftovers`: what names sessions that are gone."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler import naming
from reconciler.leftovers import Change, Leftovers, sort
from tests.make import NOON

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


def volume(
    namespace: str, policy: str = "Retain", labels: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1", "labels": labels or {}},
        "spec": {
            "claimRef": {"namespace": namespace, "name": "home"},
            "persistentVolumeReclaimPolicy": policy,
        },
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
    ended_before: datetime | None = None,
) -> Leftovers:
    return sort(
        bindings=bindings,
        volumes=volumes,
        contexts=contexts,
        gone={GONE: NOON},
        ended_before=ended_before,
    )


def test_a_binding_to_accounts_that_are_gone_is_to_go() -> None:
    gone = binding(
        account(GONE),
        user(f"system:serviceaccount:{GONE}:builder"),
        {"kind": "Group", "name": f"system:serviceaccounts:{GONE}"},
    )

    assert sorted_out(gone) == Leftovers((gone,), (), {})


def test_a_binding_to_others_too_is_told_and_kept() -> None:
    found = sorted_out(binding(account(GONE), account(LIVE), kind="RoleBinding"))

    assert found.bindings == ()
    assert found.told == {
        "RoleBinding shared/them": f"grants to {GONE}, which are gone, and others"
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

    assert sorted_out(*others) == Leftovers((), (), {})


def test_a_binding_without_subjects_is_left_alone() -> None:
    without = binding()
    del without["subjects"]

    assert sorted_out(without) == Leftovers((), (), {})


def test_only_accounts_that_are_gone_are_taken_out_of_a_security_context() -> None:
    gone, live = (f"system:serviceaccount:{each}:default" for each in (GONE, LIVE))
    found = context("system:admin", gone, live)

    changes = sorted_out(contexts=(found, context(live), context())).changes

    assert changes == (
        Change(
            found,
            {"users": ["system:admin", live]},
            f"SecurityContextConstraints anyuid: {gone}",
        ),
    )


def test_a_volume_that_nobody_deletes_is_told() -> None:
    found = sorted_out(volumes=(volume(GONE), volume(LIVE)))

    assert found.changes == ()
    assert found.told == {
        "PersistentVolume pv-1": f"kept from {GONE}, which is gone: its data is still there"
    }


def test_a_volume_that_its_driver_has_not_deleted_yet_is_told() -> None:
    found = sorted_out(volumes=(volume(GONE, "Delete"),), ended_before=NOON + timedelta(days=1))

    assert found.changes == ()
    assert found.told == {
        "PersistentVolume pv-1": f"of {GONE}, which is gone: its driver is to delete it"
    }


@pytest.mark.parametrize(("hours_since", "goes"), [(0, False), (1, True)])
def test_a_volume_is_handed_to_its_driver_when_its_days_are_over(
    hours_since: int, goes: bool
) -> None:
    left = volume(GONE)

    found = sorted_out(
        volumes=(left, volume(LIVE)), ended_before=NOON + timedelta(hours=hours_since)
    )

    change = Change(
        left, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}, "PersistentVolume pv-1"
    )
    assert found.changes == ((change,) if goes else ())
    assert bool(found.told) is not goes


def test_a_volume_that_somebody_keeps_is_theirs() -> None:
    kept = volume(GONE, labels={naming.KEPT_LABEL: "ada"})

    found = sorted_out(volumes=(kept,), ended_before=NOON + timedelta(days=1))

    assert found == Leftovers((), (), {})
