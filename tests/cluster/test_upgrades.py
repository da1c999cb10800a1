"""An upgrade of the product, on both clusters: nobody's workspace is restarted by it."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from reconciler import naming
from reconciler.cluster import Ref
from sessions.models import SessionState, WorkspaceSession
from tests.cluster.test_whole_life import Product
from tests.cluster.test_whole_life import product as product  # noqa: PLC0414 -- a fixture
from tests.cluster.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "registry.example/workspace:1", "registry.example/workspace:2"


@pytest.fixture
def session(product: Product, settings: Settings) -> WorkspaceSession:
    """Return a session that was handed over before the upgrade."""
    settings.WORKSPACE_IMAGE = OLD
    return product.reconcile_until(product.book(), SessionState.READY)


def _deployment(product: Product, session: WorkspaceSession) -> Any:
    return product.kube.get(Ref("apps/v1", "Deployment", naming.WORKSPACE, session.namespace))


def _image(product: Product, session: WorkspaceSession) -> str:
    pod = _deployment(product, session)["spec"]["template"]["spec"]
    found: str = pod["containers"][0]["image"]
    return found


def _pods(product: Product, session: WorkspaceSession) -> list[str]:
    pods = product.kube.find("v1", "Pod", namespace=session.namespace)
    return [each["metadata"]["uid"] for each in pods]


def test_an_upgrade_leaves_the_workspace_that_somebody_works_in(
    product: Product, settings: Settings, session: WorkspaceSession
) -> None:
    before, pods = _deployment(product, session), _pods(product, session)

    settings.WORKSPACE_IMAGE = NEW  # another image, more variables, and one more volume
    settings.TRUSTED_CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    report = product.reconcile()

    assert not [change for change in report.changes if "Deployment" in change]
    assert product.reconcile().changes == []
    after = _deployment(product, session)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert _pods(product, session) == pods
    assert len(pods) == 1


def test_what_a_tenant_changes_after_an_upgrade_comes_back_as_it_was(
    product: Product, settings: Settings, session: WorkspaceSession
) -> None:
    settings.WORKSPACE_IMAGE = NEW
    product.reconcile()
    before = _deployment(product, session)
    changed = {key: before[key] for key in ("apiVersion", "kind")} | {
        "metadata": {"name": naming.WORKSPACE, "namespace": session.namespace},
        "spec": before["spec"],
    }
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/mine:9"
    product.kube.apply(changed)
    assert _image(product, session) == "registry.example/mine:9"

    report = product.reconcile()

    assert f"apply Deployment {session.namespace}/workspace" in report.changes
    assert _image(product, session) == OLD


def test_a_paused_workspace_starts_again_with_what_is_new(
    product: Product, settings: Settings, session: WorkspaceSession
) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(paused_at=session.ready_at)
    product.reconcile()
    eventually(lambda: not _pods(product, session))

    settings.WORKSPACE_IMAGE = NEW
    product.reconcile()
    assert _image(product, session) == NEW
    WorkspaceSession.objects.filter(pk=session.pk).update(paused_at=None)
    settings.WORKSPACE_IMAGE = "registry.example/workspace:3"
    product.reconcile()

    assert _image(product, session) == NEW


def test_one_from_before_this_was_written_down_keeps_what_the_cluster_shows(
    product: Product, settings: Settings, session: WorkspaceSession
) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(pod_templates={})
    settings.WORKSPACE_IMAGE = NEW

    assert product.reconcile().changes == []

    assert _image(product, session) == OLD
    session.refresh_from_db()
    kept = session.pod_templates[naming.WORKSPACE]["spec"]["containers"][0]
    assert kept["image"] == OLD


def test_while_nobody_has_got_it_yet_a_workspace_follows_the_upgrade(
    product: Product, settings: Settings, session: WorkspaceSession
) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(state=SessionState.PROVISIONING)

    settings.WORKSPACE_IMAGE = NEW
    product.reconcile_until(session.reservation, SessionState.READY)

    assert _image(product, session) == NEW
