"""Watches: every change after a version, one JSON object a line, until the time is up."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiohttp import web

from simcluster.errors import ApiError
from simcluster.http.targets import TRUE, Target
from simcluster.objects import Object, namespace_of
from simcluster.objects.selectors import ObjectTest
from simcluster.store import Change, Store

LONGEST_SECONDS: Final = 1800.0
BOOKMARK_SECONDS: Final = 30.0
INITIAL_EVENTS_END: Final = {"k8s.io/initial-events-end": "true"}


async def stream(
    request: web.Request, store: Store, target: Target, matches: ObjectTest
) -> web.StreamResponse:
    """Answer a watch until its time is up or the client has gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        async for kind, obj in _events(store, target, matches, request.query):
            line = json.dumps({"type": kind, "object": obj}, separators=(",", ":"))
            await response.write(line.encode() + b"\n")
    return response


async def _events(
    store: Store, target: Target, matches: ObjectTest, query: Mapping[str, str]
) -> AsyncIterator[tuple[str, Object]]:
    changes: asyncio.Queue[Change] = asyncio.Queue()
    store.listeners.append(changes.put_nowait)
    try:
        past, initial = _past(store, target, query)
        for obj in filter(matches, initial):
            yield "ADDED", obj
        if query.get("sendInitialEvents") in TRUE:
            yield _bookmark(store, target, initial_is_complete=True)
        async for change in _with_pauses(past, changes, _seconds(query)):
            if change is not None:
                event = _event(change, target, matches)
            else:
                event = _bookmark(store, target) if _wants_bookmarks(query) else None
            if event is not None:
                yield event
    except ApiError as error:
        yield "ERROR", error.as_status()
    finally:
        store.listeners.remove(changes.put_nowait)


def _past(
    store: Store, target: Target, query: Mapping[str, str]
) -> tuple[list[Change], list[Object]]:
    """Return what happened since the version asked for, or the present state if none was."""
    version = query.get("resourceVersion", "")
    if version in {"", "0"} or query.get("sendInitialEvents") in TRUE:
        return [], store.every(target.kind, target.namespace)
    return store.since(int(version)), []


async def _with_pauses(
    past: list[Change], changes: "asyncio.Queue[Change]", seconds: float
) -> AsyncIterator[Change | None]:
    """Yield changes for some seconds, and None after a while without any and at the end."""
    for change in past:
        yield change
    clock = asyncio.get_running_loop().time
    ends_at = clock() + seconds
    while (left := ends_at - clock()) > 0:
        try:
            yield await asyncio.wait_for(changes.get(), min(left, BOOKMARK_SECONDS))
        except TimeoutError:
            yield None


def _event(change: Change, target: Target, matches: ObjectTest) -> tuple[str, Object] | None:
    """Return what the change is to somebody who sees only what matches."""
    if change.kind is not target.kind:
        return None
    if target.namespace and namespace_of(change.last) != target.namespace:
        return None
    before = change.old is not None and matches(change.old)
    after = change.new is not None and matches(change.new)
    if not before and not after:
        return None
    if not after:
        return "DELETED", change.last
    return ("MODIFIED" if before else "ADDED"), change.last


def _bookmark(
    store: Store, target: Target, *, initial_is_complete: bool = False
) -> tuple[str, Object]:
    metadata: Object = {"resourceVersion": str(store.version), "creationTimestamp": None}
    if initial_is_complete:
        metadata["annotations"] = INITIAL_EVENTS_END
    kind = target.kind
    return "BOOKMARK", {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}


def _wants_bookmarks(query: Mapping[str, str]) -> bool:
    return query.get("allowWatchBookmarks") in TRUE


def _seconds(query: Mapping[str, str]) -> float:
    return min(float(query.get("timeoutSeconds") or LONGEST_SECONDS), LONGEST_SECONDS)
