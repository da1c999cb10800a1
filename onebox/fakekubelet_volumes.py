"""The external provisioner of the reference storage class: volumes that exist in name only.

The scheduler chooses a node for the first pod that uses a claim and notes it on the claim; we make
the volume; the volume controller binds the two.  When the claim is gone we delete the volume.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from onebox import kubeapi
from onebox.kubeapi import Json
from onebox.kubewatch import Client, follow

VOLUMES: Final = "/api/v1/persistentvolumes"
CLAIMS: Final = "/api/v1/persistentvolumeclaims"
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
PROVISION_SECONDS: Final = 0.2


class Provisioner:
    """Serves the storage classes it is given, and no other."""

    def __init__(self, client: Client, classes: Sequence[Json]) -> None:
        self._client = client
        self._classes = {item["metadata"]["name"]: item for item in classes}
        self._drivers = {item["provisioner"] for item in classes}

    async def run(self) -> None:
        for driver in self._drivers:
            await self._register(driver)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._client, CLAIMS, self._provision))
            tasks.create_task(follow(self._client, VOLUMES, self._reclaim))

    async def _register(self, driver: str) -> None:
        """Say that nobody needs to attach these volumes; else the controllers would wait for it."""
        body = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": driver},
            "spec": {"attachRequired": False},
        }
        await self._client.apply(f"/apis/storage.k8s.io/v1/csidrivers/{driver}", body)

    async def _provision(self, claim: Json) -> None:
        storage_class = self._classes.get(claim["spec"].get("storageClassName", ""))
        node = claim["metadata"].get("annotations", {}).get(SELECTED_NODE)
        if storage_class is None or node is None or claim["spec"].get("volumeName"):
            return
        await asyncio.sleep(PROVISION_SECONDS)
        try:
            await self._client.call("POST", VOLUMES, volume(claim, storage_class, node))
        except kubeapi.ApiError as error:
            if error.status != 409:  # noqa: PLR2004 -- there already: an earlier life made it
                raise

    async def _reclaim(self, found: Json) -> None:
        ours = found["metadata"].get("annotations", {}).get(PROVISIONED_BY) in self._drivers
        released = found["status"].get("phase") == "Released"
        if not (ours and released and found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"):
            return
        try:
            await self._client.call("DELETE", f"{VOLUMES}/{found['metadata']['name']}")
        except kubeapi.ApiError as error:
            if error.status != 404:  # noqa: PLR2004
                raise


def volume(claim: Json, storage_class: Json, node: str) -> Json:
    """Return the volume a claim asks for, tied to the claim and to the node."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: storage_class["provisioner"]}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "csi": {"driver": storage_class["provisioner"], "volumeHandle": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": storage_class["reclaimPolicy"],
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
        },
    }
