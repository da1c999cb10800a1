"""Idempotency-Key: a POST that is sent again, because its answer was lost, is done once."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial, wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api.callers import caller
from gpuaas.core import errors
from gpuaas.idempotency import services
from gpuaas.idempotency.models import KeyedRequest

if TYPE_CHECKING:
    from gpuaas.api.views import APIView

HEADER: Final = "Idempotency-Key"
IN_META: Final = "HTTP_IDEMPOTENCY_KEY"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST: Final = 200
KEPT_HEADERS: Final = ("ETag", "Location")

Post = Callable[..., Response]


class KeyMalformed(errors.DomainError):
    """The key is none: empty, too long, or not of printable ASCII."""

    code = "idempotency_key_malformed"


def done_once(post: Post) -> Callable[..., HttpResponseBase]:
    """Return ``post`` as it is without the header, and done once for each key with it."""

    @wraps(post)
    def keyed(view: "APIView", request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = request.META.get(IN_META)
        if key is None:
            return post(view, request, *args, **kwargs)
        claimed = _claim(request, key)
        if claimed.status is not None:
            return _replayed(claimed)
        request.keyed = claimed  # type: ignore[attr-defined]  # ours, for the view to look at
        return _answered(view, claimed, partial(post, view, request, *args, **kwargs))

    return keyed


def number_of(request: Request) -> UUID:
    """Return a number for what ``request`` makes: the same one each time it is sent."""
    claimed = getattr(request, "keyed", None)
    return claimed.number if claimed else uuid4()


def is_first_try(request: Request) -> bool:
    """Return whether nobody can have done it before."""
    claimed = getattr(request, "keyed", None)
    return claimed is None or claimed.tries == 1


def _claim(request: Request, key: str) -> KeyedRequest:
    if not 0 < len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise KeyMalformed(f"a key is 1 to {LONGEST} printable characters of ASCII")
    try:
        content = request.body
    except RawPostDataException as error:  # a form, which was read in search of a CSRF token
        raise UnsupportedMediaType(request.content_type) from error
    person = caller(request)
    asked = (request.META["QUERY_STRING"], request.headers.get("If-Match", ""))
    scope = (str(person.pk), request.method or "", request.path, key)
    return services.claim(
        person=person,
        digest=services.digest_of(each.encode() for each in scope),
        fingerprint=services.digest_of((*(each.encode() for each in asked), content)),
        now=timezone.now(),
    )


def _answered(view: "APIView", claimed: KeyedRequest, post: Callable[[], Response]) -> Response:
    """Do it, and keep what is answered: in one transaction, unless the view commits by itself."""
    try:
        with nullcontext() if view.commits_itself else transaction.atomic():
            response = post()
            _keep(claimed, response, is_secret=view.answers_secret)
            return response
    except Exception as error:  # noqa: BLE001 -- told apart there, and raised again if a bug
        return _refused(view, claimed, error)


def _refused(view: "APIView", claimed: KeyedRequest, error: Exception) -> Response:
    """Return the refusal that ``error`` is, and keep it unless another try can end otherwise."""
    if isinstance(error, services.KeyInUse):
        raise error
    try:
        response = view.handle_exception(error)
    except Exception:
        services.let_go(claimed, now=timezone.now())
        raise
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        services.let_go(claimed, now=timezone.now())
    else:
        _keep(claimed, response, is_secret=False)
    return response


def _keep(claimed: KeyedRequest, response: Response, *, is_secret: bool) -> None:
    services.keep(
        claimed,
        status=response.status_code,
        headers={name: response[name] for name in KEPT_HEADERS if name in response},
        body=None if is_secret else JSONRenderer().render(response.data).decode(),
    )


def _replayed(claimed: KeyedRequest) -> HttpResponse:
    return HttpResponse(
        claimed.body,
        status=claimed.status,
        content_type="application/json",
        headers={**claimed.headers, REPLAYED: "true"},
    )
