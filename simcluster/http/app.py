"""The web application: authenticate, authorize, answer; and the faults in between."""

import asyncio
import json
import logging
from collections import Counter
from typing import Any, Final

import yaml
from aiohttp import web

from simcluster import errors
from simcluster.access import Access
from simcluster.cluster import Cluster
from simcluster.errors import ApiError
from simcluster.http import discovery, protobuf, reviews, targets, watch
from simcluster.http.control import Control
from simcluster.http.faults import Fault, Faults
from simcluster.http.paging import Pages
from simcluster.http.targets import Target
from simcluster.http.verbs import CREATED, OK, Asked, Verbs, test_of
from simcluster.objects import Object
from simcluster.rules.rbac import Request, User

logger = logging.getLogger(__name__)

LARGEST_BODY_BYTES: Final = 8 * 1024 * 1024
HEALTH_PATHS: Final = frozenset({"/healthz", "/livez", "/readyz"})
# An OpenAPI 2 document in protobuf that describes nothing: kubectl asks for it before it applies a
# List, and validates what it finds no description of on the server.
OPENAPI_V2: Final = b"\x0a\x032.0"
OPENAPI_V2_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
LOG_TEXT: Final = "nothing is really run here, so there is nothing to read\n"


class App:
    """One cluster behind HTTP."""

    def __init__(self, cluster: Cluster) -> None:
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self._cluster = cluster
        self._access: Access = cluster.access
        pages = Pages()
        self._verbs = Verbs(cluster, pages)
        self._control = Control(cluster, self.faults, pages, self.requests)
        self._watching: set[asyncio.Task[Any]] = set()
        self.shown: dict[str, str] = {}

    def build(self) -> web.Application:
        """Return the application to serve."""
        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        application.on_shutdown.append(self._stop_watches)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = None
        if not request.path.startswith("/_sim/"):
            fault = self.faults.take(request.method, request.path_qs)
        if fault is None:
            return await self._answer_or_status(request)
        return await self._faulty(request, fault)

    async def _faulty(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error":
            return _status(fault.error())
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return await self._answer_or_status(request)
        if fault.kind == "crash-before":
            return _cut_off(request)
        answer = await self._answer_or_status(request)
        if fault.kind == "crash-after":
            return _cut_off(request)
        if fault.kind == "garbage":
            return web.Response(text="<html>so sorry</html>", content_type="text/html")
        return await _half(request, answer)

    async def _answer_or_status(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return _status(error)
        except Exception as error:
            logger.exception("request crashed", extra={"path": request.path})
            return _status(ApiError(500, "InternalError", f"Internal error occurred: {error!r}"))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rstrip("/")
        user = self._user(request)
        if path in HEALTH_PATHS:
            return web.Response(text="ok")
        if path.startswith("/_sim/"):
            if not user.is_master:
                raise errors.forbidden("simulator", "", "", "it obeys its administrator")
            return _json(OK, self._control.answer(request.method, path, await _body(request)))
        if path == "/openapi/v2":
            self._access.check(user, Request("get", path=path))
            return web.Response(body=OPENAPI_V2, content_type=OPENAPI_V2_TYPE)
        document = discovery.answer(path)
        if document is not None:
            self._access.check(user, Request("get", path=path))
            self.requests["discover"] += 1
            return _json(OK, document)
        question = _review(path)
        if question is not None:
            return await self._reviewed(request, question, user)
        return await self._served(request, targets.read(request.method, path, request.query), user)

    def _user(self, request: web.Request) -> User:
        user = self._access.user(request.headers.get("Authorization", ""))
        name = request.headers.get("Impersonate-User")
        if name is None:
            return user
        groups = request.headers.getall("Impersonate-Group", [])
        return self._access.impersonated(user, name, groups)

    async def _reviewed(
        self, request: web.Request, question: tuple[str, str, str], user: User
    ) -> web.Response:
        group, plural, namespace = question
        self._access.check(user, Request("create", group, plural, "", namespace))
        body = await _body(request) or {}
        answer = reviews.review(self._access, plural, body, user, namespace)
        return _json(CREATED, answer)

    async def _served(self, request: web.Request, target: Target, user: User) -> web.StreamResponse:
        self.requests[f"{target.verb} {target.kind.plural}"] += 1
        self._access.check(user, target.as_request())
        if target.verb == "watch":
            return await self._watched(request, target)
        if target.subresource == "log":
            self._cluster.registry.get(target.kind, target.namespace, target.name)
            return web.Response(text=LOG_TEXT)
        if target.subresource == "proxy":
            return self._shown_by(target, request.path.partition("/proxy")[2])
        asked = Asked(
            target,
            user,
            request.query,
            await _body(request),
            request.content_type,
            request.headers.get("User-Agent", ""),
        )
        return _json(*self._verbs.answer(asked))

    def _shown_by(self, target: Target, path: str) -> web.Response:
        """Answer as the pod would: with what it was told to show, else as one that listens not."""
        name, _, port = target.name.removeprefix("http:").partition(":")
        self._cluster.registry.get(target.kind, target.namespace, name)
        text = self.shown.get(f"{target.namespace}/{name}:{port}{path}")
        if text is None:
            why = "error trying to reach service: connect: connection refused"
            raise ApiError(503, "ServiceUnavailable", why)
        return web.Response(text=text)

    async def _watched(self, request: web.Request, target: Target) -> web.StreamResponse:
        matches = test_of(target, request.query)
        task = asyncio.ensure_future(watch.stream(request, self._cluster.store, target, matches))
        self._watching.add(task)
        try:
            return await task
        finally:
            self._watching.discard(task)

    async def _stop_watches(self, _: web.Application) -> None:
        for task in self._watching:
            task.cancel()


def _review(path: str) -> tuple[str, str, str] | None:
    """Return group, plural and namespace of the question at ``path``, if it is one."""
    match path.strip("/").split("/"):
        case ["apis", group, "v1", plural]:
            namespace = ""
        case ["apis", group, "v1", "namespaces", namespace, plural]:
            pass
        case _:
            return None
    return (group, plural, namespace) if plural in discovery.REVIEWS.get(group, {}) else None


async def _body(request: web.Request) -> Any:
    """Return the body, read as JSON, or as YAML where that is allowed; None when there is none."""
    data = await request.read()
    if not data:
        return None
    if request.content_type == protobuf.CONTENT_TYPE:
        return protobuf.read(data)
    try:
        text = data.decode()
        if "yaml" in request.content_type and text.lstrip()[:1] not in {"{", "["}:
            return yaml.safe_load(text)
        return json.loads(text)
    except (ValueError, yaml.YAMLError) as error:
        raise errors.bad_request(f"the body could not be read: {error}") from error


def _json(status: int, body: Object) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode(),
        content_type="application/json",
    )


def _status(error: ApiError) -> web.Response:
    response = _json(error.code, error.as_status())
    if (seconds := error.details.get("retryAfterSeconds")) is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def _cut_off(request: web.Request) -> web.Response:
    """End the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Send the first half of an answer, and end the connection."""
    whole = answer.body if isinstance(answer, web.Response) else b""
    content = whole if isinstance(whole, bytes) else b""
    half = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    half.content_length = len(content)
    await half.prepare(request)
    await half.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
