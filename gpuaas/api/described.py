"""What an operation takes and answers, said beside it: the OpenAPI document is made of this.

What every operation may answer (401, 404 of what is not there, ...) is added by `openapi`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

F = TypeVar("F", bound=Callable[..., Any])
Query = type[serializers.Serializer[Any]]
Shape = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any]

IF_MATCH: Final = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of the booking as you looked at it: another version by now is 412.",
)
ETAG: Final = OpenApiParameter(
    "ETag",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[HTTPStatus.OK.value],
    description="The version of the booking, for If-Match.",
)
LOCATION: Final = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[HTTPStatus.CREATED.value],
    description="The address of what was made.",
)
LIMIT: Final = OpenApiParameter(
    "limit", OpenApiTypes.INT, description="How many on a page: 50, at most 200."
)
OFFSET: Final = OpenApiParameter(
    "offset", OpenApiTypes.INT, description="How many to leave out before it."
)
CURSOR: Final = OpenApiParameter(
    "cursor", OpenApiTypes.STR, description="Where a page begins: follow `next` instead."
)


def described(
    summary: str,
    *,
    takes: Shape | None = None,
    asks: Query | None = None,
    answers: Shape | None = None,
    status: HTTPStatus | tuple[HTTPStatus, ...] = HTTPStatus.OK,
    refuses: tuple[HTTPStatus, ...] = (),
    parameters: tuple[OpenApiParameter, ...] = (),
) -> Callable[[F], F]:
    """Describe a method of a view.

    ``takes`` is the body, ``asks`` the query, ``answers`` the body of the answer with ``status``;
    ``refuses`` are the statuses of refusals that not every operation has.
    """
    statuses = status if isinstance(status, tuple) else (status,)
    found: dict[Any, Any] = {
        each.value: OpenApiResponse(answers, description=_SAID.get(each, "")) for each in statuses
    }
    return extend_schema(
        summary=summary,
        request=takes,
        responses=found,
        parameters=[*([asks] if asks else []), *parameters],
        extensions={REFUSES: [each.value for each in refuses]},
    )


def listed(
    summary: str, each: type[serializers.BaseSerializer[Any]], *, asks: Query | None = None
) -> Callable[[F], F]:
    """Describe a list in pages of ``limit`` and ``offset``."""
    return described(
        summary, asks=asks, answers=_page(each, counted=True), parameters=(LIMIT, OFFSET)
    )


def listed_by_cursor(
    summary: str, each: type[serializers.BaseSerializer[Any]], *, asks: Query | None = None
) -> Callable[[F], F]:
    """Describe a list in pages by cursor."""
    return described(
        summary, asks=asks, answers=_page(each, counted=False), parameters=(LIMIT, CURSOR)
    )


REFUSES: Final = "x-refuses"  # taken out again by `openapi`
_SAID: Final = {
    HTTPStatus.OK: "Done.",
    HTTPStatus.CREATED: "Made.",
    HTTPStatus.NO_CONTENT: "Done; there is nothing to say.",
}


def _page(each: type[serializers.BaseSerializer[Any]], *, counted: bool) -> Shape:
    fields: dict[str, Any] = {
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
        "results": each(many=True),
    }
    if counted:
        fields["count"] = serializers.IntegerField(min_value=0)
    name = each.__name__.removesuffix("Output") + ("Page" if counted else "CursorPage")
    page: type[serializers.Serializer[Any]] = type(
        name, (serializers.Serializer,), {**fields, "__doc__": f"A page of {each.__name__}."}
    )
    return page
