"""How lists are cut into pages."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, Final, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

M = TypeVar("M", bound=Model)
R = TypeVar("R")
Key = tuple[str, ...]
MOST_DIGITS: Final = 9


class CursorPages(CursorPagination):
    """``?limit=&cursor=``: pages of a list that nobody counts.

    A page goes on where the one before ended, whatever was added meanwhile.
    """

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def get_page_size(self, request: Request) -> int | None:
        _check_number(request, "limit", least=1)
        return super().get_page_size(request)

    def _get_position_from_instance(self, instance: Any, ordering: Sequence[str]) -> str:
        """Return where in the list a row stands; REST framework's looks at its own columns only."""
        return str(reduce(getattr, ordering[0].lstrip("-").split("__"), instance))

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError) as error:  # a cursor that somebody made up
            raise NotFound(self.invalid_cursor_message) from error


class LatestStartFirst(CursorPages):
    ordering = ("-starts_at", "-id")


class NewestFirst(CursorPages):
    ordering = ("-id",)


def _check_number(request: Request, name: str, *, least: int) -> None:
    """Refuse what REST framework would take for the default."""
    text = request.query_params.get(name, str(least))
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and int(text) >= least):
        message = f"Give a whole number, {least} or more."
        raise serializers.ValidationError({name: [message]}, code="invalid")


def page_of(
    queryset: QuerySet[M],
    request: Request,
    *,
    by: Key,
    show: Callable[[Iterable[M]], list[dict[str, Any]]],
) -> Response:
    """Return the page of ``queryset`` that ``request`` asks for, as ``show`` presents its rows.

    ``by`` is the order, as Django names it; few rows agree in the first of it, none in all.
    """
    pages = CursorPages()
    pages.ordering = by
    return _page(pages, queryset, request, show)


def page_by_start(
    queryset: QuerySet[M], request: Request, *, show: Callable[[Iterable[M]], list[dict[str, Any]]]
) -> Response:
    """Return a page of what has a start, the latest first; the answer has no ``count``."""
    return _page(LatestStartFirst(), queryset, request, show)


def page_newest_first(
    queryset: QuerySet[M], request: Request, *, show: Callable[[Iterable[M]], list[dict[str, Any]]]
) -> Response:
    """Return a page of what was made one after the other; the answer has no ``count``."""
    return _page(NewestFirst(), queryset, request, show)


def page_after(
    rows: Iterable[R],
    request: Request,
    *,
    key: Callable[[R], Key],
    show: Callable[[R], dict[str, Any]],
) -> Response:
    """Return a page of ``rows``, which are few enough to be at hand, in the order of ``key``.

    The cursor is the key of the last row before the page, so nothing is shown twice or skipped.
    """
    after = _key_in(request.query_params.get("cursor", ""))
    left = [row for row in rows if key(row) > after]
    size = CursorPages().get_page_size(request) or CursorPages.page_size
    page, more = left[:size], len(left) > size
    cursor = urlsafe_b64encode(json.dumps(key(page[-1])).encode()).decode() if more else ""
    address = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
    results = [show(row) for row in page]
    return Response({"next": address if more else None, "previous": None, "results": results})


def _key_in(cursor: str) -> Key:
    """Return the key that a cursor stands for, that of no row when there is none."""
    if not cursor:
        return ()
    try:
        found = json.loads(urlsafe_b64decode(cursor))
    except (ValueError, RecursionError) as error:
        raise NotFound(CursorPages.invalid_cursor_message) from error
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise NotFound(CursorPages.invalid_cursor_message)
    return tuple(found)


def _page(
    pages: BasePagination,
    queryset: QuerySet[M],
    request: Request,
    show: Callable[[Iterable[M]], list[dict[str, Any]]],
) -> Response:
    rows = pages.paginate_queryset(queryset, request)
    return pages.get_paginated_response(show(rows or []))
