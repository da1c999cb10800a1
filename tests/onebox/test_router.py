"""`onebox.router`: a page while the workspace is there, and what to read when it is not."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from onebox.router import answer
from reconciler.cluster import Cluster, Manifest, client
from reconciler.manifests import namespace, workspace
from simcluster import testing
from tests import make
from tests.cluster.waiting import eventually

SPEC = make.spec()
PATH = f"/{SPEC.namespace}/"


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Cluster]:
    simulator = testing.start(tmp_path, plain_http=True)
    kube = client.connect(simulator.kubeconfig)
    yield kube
    kube.close()
    simulator.stop()


def without_volumes(deployment: Manifest) -> Manifest:
    pod = deployment["spec"]["template"]["spec"]
    pod["volumes"] = pod["containers"][0]["volumeMounts"] = []
    return deployment


@pytest.mark.parametrize("path", ["/", "/etc/passwd", "/s-1", f"{PATH}more", "/s-<script>/"])
def test_other_paths_are_not_there(kube: Cluster, path: str) -> None:
    assert answer(path, kube)[0] == HTTPStatus.NOT_FOUND


def test_without_a_session_there_is_no_workspace(kube: Cluster) -> None:
    assert answer(PATH, kube)[:2] == (HTTPStatus.NOT_FOUND, "No workspace")


def test_a_workspace_answers_once_it_is_available(kube: Cluster) -> None:
    kube.apply(namespace.build(SPEC))
    kube.apply(workspace.service_account(SPEC))
    kube.apply(without_volumes(workspace.deployment(SPEC)))

    assert answer(PATH, kube)[0] in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.OK}
    eventually(lambda: answer(PATH, kube)[0] == HTTPStatus.OK)
    assert "only played" in answer(PATH, kube)[2]
