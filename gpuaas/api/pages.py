"""How lists are cut into pages."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

M = TypeVar("M", bound=Model)


class Pages(LimitOffsetPagination):
    """``?limit=&offset=``; the default is also what most clients want."""

    default_limit = 50
    max_limit = 200


def page_of(
    queryset: QuerySet[M], request: Request, *, show: Callable[[Iterable[M]], list[dict[str, Any]]]
) -> Response:
    """Return the page of ``queryset`` that ``request`` asks for, as ``show`` presents its rows."""
    pages = Pages()
    rows = pages.paginate_queryset(queryset, request)
    return pages.get_paginated_response(show(rows or []))
