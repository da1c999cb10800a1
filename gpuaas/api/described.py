"""What an operation takes and answers, said beside it: the OpenAPI document is made of this.

What every operation may answer (401, 404 of what is not there, ...) is added by `openapi`.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

F = TypeVar("F", bound=Callable[..., Any])
Query = type[serializers.Serializer[Any]]
Shape = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any] | OpenApiTypes

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
    response=[200],
    description="The version of the booking, for If-Match.",
)
LOCATION: Final = OpenApiParameter(
    "Location",
    OpenApiTypes.URI,
    OpenApiParameter.HEADER,
    response=[201],
    description="The address of what was made.",
)
LIMIT: Final = OpenApiParameter(
    "limit", OpenApiTypes.INT, description="How many on a page: 50, at most 200."
)
CURSOR: Final = OpenApiParameter(
    "cursor", OpenApiTypes.STR, description="Where a page begins: follow `next` instead."
)


def described(  # noqa: PLR0913 -- one name for each thing there is to say
    summary: str,
    *,
    takes: Shape | None = None,
    asks: Query | None = None,
    answers: Shape | None = None,
    status: int | tuple[int, ...] = 200,
    refuses: tuple[int, ...] = (),
    parameters: tuple[OpenApiParameter, ...] = (),
    example: dict[str, object] | None = None,
) -> Callable[[F], F]:
    """Describe a method of a view.

    ``takes`` is the body, ``example`` one of them, ``asks`` the query, ``answers`` the body of the
    answer with ``status``; ``refuses`` are the statuses of refusals that not every operation has.
    """
    statuses = status if isinstance(status, tuple) else (status,)
    found: dict[Any, Any] = {
        each: OpenApiResponse(answers, description=_SAID[each]) for each in statuses
    }
    return extend_schema(
        summary=summary,
        request=takes,
        responses=found,
        parameters=[*([asks] if asks else []), *parameters],
        examples=[OpenApiExample(summary, example, request_only=True)] if example else [],
        extensions={REFUSES: list(refuses)},
    )


def moved(
    summary: str,
    answers: Shape,
    *,
    takes: Shape | None = None,
    refuses: tuple[int, ...] = (403, 409),
) -> Callable[[F], F]:
    """Describe a change of a booking, in the version that If-Match names."""
    return described(
        summary,
        takes=takes,
        answers=answers,
        refuses=(*refuses, 412),
        parameters=(IF_MATCH, ETAG),
    )


def listed(
    summary: str, each: type[serializers.BaseSerializer[Any]], *, asks: Query | None = None
) -> Callable[[F], F]:
    """Describe a list, in pages by cursor."""
    return described(summary, asks=asks, answers=_page(each), parameters=(LIMIT, CURSOR))


REFUSES: Final = "x-refuses"  # taken out again by `openapi`
_SAID: Final = {
    200: "Done.",
    201: "Made.",
    202: "Asked for.",
    204: "Done; there is nothing to say.",
}


def _page(each: type[serializers.BaseSerializer[Any]]) -> Shape:
    fields: dict[str, Any] = {
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
        "results": each(many=True),
    }
    name = each.__name__.removesuffix("Output") + "CursorPage"
    page: type[serializers.Serializer[Any]] = type(
        name, (serializers.Serializer,), {**fields, "__doc__": f"A page of {each.__name__}."}
    )
    return page
