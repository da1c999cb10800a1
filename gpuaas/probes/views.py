"""Probes: plain text, nothing about tenants, and no row written."""

import hmac
import logging
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from gpuaas.probes import exposition
from sessions import measures

logger = logging.getLogger(__name__)

# Missing one tick is no news.


@never_cache
@require_safe
def alive(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- a view's signature
    """Answer: this process can answer.  It asks nobody else, or all would be restarted with it."""
    return _text("alive")


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- a view's signature
    """Answer whether requests may be sent here: there is a database, as this code knows it."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        logger.warning("not ready", exc_info=error)
        return _text("the database does not answer", HTTPStatus.SERVICE_UNAVAILABLE)
    if missing:
        return _text(f"{len(missing)} migrations are to be applied", HTTPStatus.SERVICE_UNAVAILABLE)
    return _text("ready")


@never_cache
@require_safe
def reconciler(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 -- a view's signature
    """Answer whether the reconciler looks at every cluster; 503 tells that it has stalled."""
    after = measures.stalled_after()
    now = timezone.now()
    beats = measures.heartbeats()
    stalled = sum(beat.is_stalled(now=now, after=after) for beat in beats)
    if stalled:
        return _text(
            f"stalled on {stalled} of {len(beats)} clusters", HTTPStatus.SERVICE_UNAVAILABLE
        )
    starting = sum(beat.is_starting(now=now, after=after) for beat in beats)
    if starting:
        return _text(f"starting on {starting} of {len(beats)} clusters")
    return _text("looking")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer what was counted, to who shows the token; without one set there is nothing."""
    token = settings.METRICS_TOKEN
    if not token:
        raise Http404
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        refused = _text("a bearer token is needed", HTTPStatus.UNAUTHORIZED)
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(exposition.of(now=timezone.now()), content_type=CONTENT_TYPE_LATEST)


def _text(said: str, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    return HttpResponse(f"{said}\n", status=status, content_type="text/plain; charset=utf-8")
