"""List and watch: keep what we want of the cluster true, object by object.

The smallest thing that deserves the name controller.  `follow` sees every object of a collection,
again after every change and every lost connection, and calls `reconcile` with its latest state:
never twice at once for the same object, and once more a little later if that failed.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from onebox import kubeapi
from onebox.kubeapi import Json

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 300
LARGEST_OBJECT_BYTES: Final = 4 * 1024 * 1024

Reconcile = Callable[[Json], Awaitable[None]]


class Client:
    """An API server, asked as one user.

    `acting_as` impersonates: a kubelet that shows itself as a node of the group `system:nodes`
    meets the rights and the admission policies that a real one would.
    """

    def __init__(self, session: aiohttp.ClientSession, headers: Mapping[str, str]) -> None:
        self._session = session
        self._headers = headers

    @classmethod
    def connect(cls, kubeconfig: Path) -> "Client":
        access = kubeapi.read_kubeconfig(kubeconfig)
        session = aiohttp.ClientSession(
            base_url=access.server,
            connector=aiohttp.TCPConnector(ssl=access.tls, limit=0),
            read_bufsize=LARGEST_OBJECT_BYTES,  # a watch event is one line
        )
        return cls(session, {})

    def acting_as(self, user: str, group: str) -> "Client":
        return Client(self._session, {"Impersonate-User": user, "Impersonate-Group": group})

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """Ask once; raise `ApiError` for any answer but success."""
        try:
            async with self._session.request(
                method,
                path,
                params=params,
                data=None if body is None else json.dumps(body),
                headers={**self._headers, "Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=kubeapi.REQUEST_SECONDS),
            ) as answer:
                if not answer.ok:
                    message = kubeapi.message_in(await answer.text())
                    raise kubeapi.ApiError(answer.status, message)
                return dict(await answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise kubeapi.ApiError(0, f"{method} {path}: {error!r}") from error

    async def apply(self, path: str, body: Mapping[str, Any]) -> Json:
        """Make an object, or our fields of it, so, by server-side apply."""
        return await self.call(
            "PATCH",
            path,
            body,
            params={"fieldManager": "gpuaas-fake-kubelet", "force": "true"},
            content_type=kubeapi.APPLY_PATCH,
        )

    async def merge(self, path: str, body: Mapping[str, Any]) -> Json:
        """Change some fields of an object."""
        return await self.call("PATCH", path, body, content_type=kubeapi.MERGE_PATCH)

    async def events(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Json]:
        """Yield watch events until the server ends the watch; `ApiError` if it cannot go on."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WATCH_SECONDS + 30)
        try:
            async with self._session.get(
                path, params={**params, "watch": "true"}, headers=self._headers, timeout=timeout
            ) as answer:
                if not answer.ok:
                    raise kubeapi.ApiError(answer.status, await answer.text())
                async for line in answer.content:
                    yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise kubeapi.ApiError(0, f"watch of {path}: {error!r}") from error


async def follow(
    client: Client, path: str, reconcile: Reconcile, *, params: Mapping[str, str] | None = None
) -> None:
    """Call `reconcile` for every object of the collection, for as long as we live."""
    selection = dict(params or {})
    async with asyncio.TaskGroup() as tasks:
        objects = _Objects(reconcile, tasks)
        while True:
            try:
                listing = await client.call("GET", path, params=selection)
                objects.replace(listing["items"])
                version = listing["metadata"]["resourceVersion"]
                await _watch(client, path, {**selection, "resourceVersion": version}, objects)
            except kubeapi.ApiError as error:
                logger.info("listing again", extra={"path": path, "reason": str(error)})
                await asyncio.sleep(RETRY_SECONDS)


async def _watch(client: Client, path: str, params: Mapping[str, str], objects: "_Objects") -> None:
    limits = {"timeoutSeconds": str(WATCH_SECONDS)}
    async for event in client.events(path, {**params, **limits}):
        match event["type"]:
            case "ADDED" | "MODIFIED":
                objects.saw(event["object"])
            case "DELETED":
                objects.forget(event["object"])
            case _:  # ERROR, mostly 410: our version is too old
                raise kubeapi.ApiError(event["object"].get("code", 0), "the watch has expired")


class _Objects:
    """The latest state of each object, and at most one task that works on it."""

    def __init__(self, reconcile: Reconcile, tasks: asyncio.TaskGroup) -> None:
        self._reconcile = reconcile
        self._tasks = tasks
        self._latest: dict[str, Json] = {}
        self._busy: set[str] = set()

    def replace(self, found: list[Json]) -> None:
        self._latest.clear()
        for obj in found:
            self.saw(obj)

    def saw(self, obj: Json) -> None:
        uid = obj["metadata"]["uid"]
        self._latest[uid] = obj
        if uid not in self._busy:
            self._busy.add(uid)
            self._tasks.create_task(self._work_on(uid))

    def forget(self, obj: Json) -> None:
        self._latest.pop(obj["metadata"]["uid"], None)

    async def _work_on(self, uid: str) -> None:
        done: Json | None = None
        while (obj := self._latest.get(uid)) is not None and obj is not done:
            try:
                await self._reconcile(obj)
                done = obj
            except kubeapi.ApiError as error:
                name = obj["metadata"]["name"]
                logger.info("put off", extra={"object": name, "reason": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
        self._busy.discard(uid)
