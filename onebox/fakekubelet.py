"""What a cluster needs of its machines, without machines: Ready nodes, running pods, volumes.

    python -m onebox.fakekubelet --kubeconfig FILE --switches DIR

It applies the nodes and storage classes of simcluster/reference.yaml, or of ``--machines FILE``,
and then plays the kubelet of every node (`fakekubelet_node`) and the external provisioner of the
storage class (`fakekubelet_volumes`).  All it knows is in the API: it can be killed and started at
any time.
"""

import argparse
import asyncio
import contextlib
import copy
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from onebox import kubeapi
from onebox.fakekubelet_node import Kubelet
from onebox.fakekubelet_volumes import Provisioner
from onebox.kubeapi import Json
from onebox.kubewatch import Client

logger = logging.getLogger(__name__)

REFERENCE: Final = Path(__file__).resolve().parent.parent / "simcluster" / "reference.yaml"
COLLECTIONS: Final = {
    "Node": "/api/v1/nodes",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}
RETRY_SECONDS: Final = 1.0


async def play(kubeconfig: Path, switches: Path, machines: Path = REFERENCE) -> None:
    """Play the nodes and storage classes of ``machines`` until cancelled."""
    reference = list(yaml.safe_load_all(machines.read_text()))
    nodes = [item for item in reference if item["kind"] == "Node"]
    classes = [item for item in reference if item["kind"] == "StorageClass"]
    client = Client.connect(kubeconfig)
    try:
        await _install(client, [*nodes, *classes])
        async with asyncio.TaskGroup() as tasks:
            for node in nodes:
                tasks.create_task(Kubelet(client, node, switches).run())
            tasks.create_task(Provisioner(client, classes).run())
    finally:
        await client.close()


async def _install(client: Client, objects: Sequence[Json]) -> None:
    for obj in objects:
        wanted = copy.deepcopy(obj)
        wanted.pop("status", None)
        path = f"{COLLECTIONS[obj['kind']]}/{obj['metadata']['name']}"
        while True:
            try:
                await client.apply(path, wanted)
                break
            except kubeapi.ApiError as error:
                logger.info("not installed yet", extra={"path": path, "reason": str(error)})
                await asyncio.sleep(RETRY_SECONDS)


async def _play_until_told_to_stop(kubeconfig: Path, switches: Path, machines: Path) -> None:
    playing = asyncio.create_task(play(kubeconfig, switches, machines))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, playing.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await playing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m onebox.fakekubelet")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument(
        "--switches", type=Path, required=True, help="a file power-off-NODE here takes NODE down"
    )
    parser.add_argument("--machines", type=Path, default=REFERENCE, help="what there is")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(_play_until_told_to_stop(options.kubeconfig, options.switches, options.machines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
