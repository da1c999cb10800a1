"""The kubelet of one node: heartbeats, and pods that start and end."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from onebox import fakekubelet_pods as pods
from onebox import kubeapi
from onebox.kubeapi import Json
from onebox.kubewatch import Client, follow

HEARTBEAT_SECONDS: Final = 8
LEASE_SECONDS: Final = 40
SWITCH_POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
START_SECONDS: Final = 0.3
STOP_SECONDS: Final = 0.2
JOB_SECONDS: Final = 1.0
NODE_INFO: Final[Mapping[str, str]] = {
    "architecture": "amd64",
    "bootID": "",
    "containerRuntimeVersion": "fake://1",
    "kernelVersion": "fake",
    "kubeProxyVersion": "",
    "kubeletVersion": "fake",
    "machineID": "",
    "operatingSystem": "linux",
    "osImage": "fake",
    "systemUUID": "",
}
HEALTHY: Final[Mapping[str, str]] = {
    "Ready": "True",
    "MemoryPressure": "False",
    "DiskPressure": "False",
    "PIDPressure": "False",
}


class Kubelet:
    """One node.  A file ``power-off-NODE`` among the switches takes its power away."""

    def __init__(self, client: Client, node: Json, switches: Path) -> None:
        self._name: str = node["metadata"]["name"]
        self._capacity: Json = node["status"]
        self._client = client.acting_as(f"system:node:{self._name}", "system:nodes")
        self._switch = switches / f"power-off-{self._name}"
        self._addresses = pods.Addresses()
        self._up_since = pods.timestamp()

    async def run(self) -> None:
        """Work while there is power.  What power loss interrupts, the return of power finishes."""
        while True:
            if not self._switch.exists():
                await self._work_until_power_is_lost()
            while self._switch.exists():
                await asyncio.sleep(SWITCH_POLL_SECONDS)
            await self._boot()

    async def _work_until_power_is_lost(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(self._send_heartbeats()),
                tasks.create_task(
                    follow(
                        self._client,
                        "/api/v1/pods",
                        self._advance,
                        params={"fieldSelector": f"spec.nodeName={self._name}"},
                    )
                ),
            ]
            while not self._switch.exists():
                await asyncio.sleep(SWITCH_POLL_SECONDS)
            for task in work:
                task.cancel()

    async def _boot(self) -> None:
        """Settle what was running when the power went."""
        self._up_since = pods.timestamp()
        try:
            for pod in await pods.list_on_node(self._client, self._name):
                if pods.is_started(pod) and not pods.is_over(pod):
                    await self._report(pod, pods.after_reboot(pod))
        except kubeapi.ApiError:
            await asyncio.sleep(RETRY_SECONDS)
            await self._boot()

    async def _send_heartbeats(self) -> None:
        while True:
            try:
                await self._renew_lease()
                await self._report_node()
            except kubeapi.ApiError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _renew_lease(self) -> None:
        now = datetime.fromtimestamp(pods.clock(), UTC)
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self._name}"
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": self._name,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            },
        }
        await self._client.apply(path, lease)

    async def _report_node(self) -> None:
        now = pods.timestamp()
        conditions = [
            {
                "type": kind,
                "status": status,
                "reason": "FakeKubelet",
                "message": "as ready as a fake can be",
                "lastHeartbeatTime": now,
                "lastTransitionTime": self._up_since,
            }
            for kind, status in HEALTHY.items()
        ]
        status = {
            **self._capacity,
            **await self._plugged_in(),
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": pods.NODE_ADDRESS},
                {"type": "Hostname", "address": self._name},
            ],
            "nodeInfo": NODE_INFO,
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._name}}
        await self._client.apply(f"/api/v1/nodes/{self._name}/status", {**node, "status": status})

    async def _plugged_in(self) -> Json:
        """Return the capacity with what device plugins have registered since, as it now is."""
        node = await self._client.call("GET", f"/api/v1/nodes/{self._name}")
        seen = node.get("status", {})
        return {
            part: {
                name: seen.get(part, {}).get(name, amount) if "/" in name else amount
                for name, amount in self._capacity[part].items()
            }
            for part in ("capacity", "allocatable")
        }

    async def _advance(self, pod: Json) -> None:
        """Take a pod one step on: started, over, or gone."""
        if "deletionTimestamp" in pod["metadata"]:
            await self._end(pod)
        elif pods.is_over(pod):
            return
        elif not pods.is_started(pod):
            await asyncio.sleep(START_SECONDS)
            await self._report(pod, pods.started(pod, self._addresses.of(pod)))
        elif pods.is_running_for_a_job(pod):
            await asyncio.sleep(JOB_SECONDS)
            await self._report(pod, pods.ended(pod, phase="Succeeded", exit_code=0))

    async def _end(self, pod: Json) -> None:
        await asyncio.sleep(STOP_SECONDS)
        if pods.is_started(pod) and not pods.is_over(pod):
            await self._report(pod, pods.ended(pod, phase="Failed", exit_code=pods.KILLED))
        if pod["metadata"].get("deletionGracePeriodSeconds") == 0:
            return  # already confirmed; finalizers hold it now
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        await self._unless_gone("DELETE", pods.path(pod), body)

    async def _report(self, pod: Json, status: Json) -> None:
        # The uid makes it a conflict to report on another pod of the same name.
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        await self._unless_gone("PATCH", f"{pods.path(pod)}/status", body)

    async def _unless_gone(self, method: str, path: str, body: Json) -> None:
        kind = kubeapi.MERGE_PATCH if method == "PATCH" else "application/json"
        try:
            await self._client.call(method, path, body, content_type=kind)
        except kubeapi.ApiError as error:
            if error.status not in {404, 409}:
                raise
