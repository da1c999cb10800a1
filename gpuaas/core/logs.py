"""How a log record is written: one JSON object a line, with what it was written for.

`about` names that: the request, the task, the session.  Whatever is logged within carries it.
"""

import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponse
from structlog.typing import Processor

REQUEST_ID_HEADER: Final = "X-Request-ID"
# What a proxy before us may have named a request; anything else is named anew.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def about(**what: object) -> AbstractContextManager[None]:
    """Put ``what`` beside every record that is written within; inner names win over outer ones."""
    return structlog.contextvars.bound_contextvars(**what)


class NameRequests:
    """Give each request a name: records carry it as ``request_id``, and the answer tells it.

    One that the proxy gave is kept, if it looks like one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        name = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        with about(request_id=name):
            response = self._get_response(request)
        response.headers[REQUEST_ID_HEADER] = name
        return response


def json_formatter() -> structlog.stdlib.ProcessorFormatter:
    """Return the formatter for records of the standard library's loggers, ``extra`` included."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
