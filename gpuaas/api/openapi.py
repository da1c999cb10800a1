"""The OpenAPI document: what `described` says of each operation, and what holds for all of them."""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from django.urls import URLPattern, get_resolver
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from rest_framework import serializers

from gpuaas.api.described import REFUSES
from gpuaas.api.inputs import StrictInput
from gpuaas.api.shapes import Shape

PREFIX: Final = "/api/v1/"

# Each status of a refusal: its name in the document, and when it is the answer.
REFUSALS: Final[Mapping[HTTPStatus, tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: ("Invalid", "Something is missing, unknown or cannot be read."),
    HTTPStatus.UNAUTHORIZED: ("NotLoggedIn", "Neither a token that works nor a login."),
    HTTPStatus.FORBIDDEN: ("NotAllowed", "You, or this token, may not do this."),
    HTTPStatus.NOT_FOUND: ("NotThere", "It does not exist, or is not yours to see."),
    HTTPStatus.CONFLICT: ("Conflict", "Not as things are now: the code says what is in the way."),
    HTTPStatus.PRECONDITION_FAILED: ("ChangedMeanwhile", "It is not the version of If-Match."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("TooLarge", "The body is larger than any can be."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("NotJson", "The body is not application/json."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("Refused", "It can be read, and rules speak against it."),
    HTTPStatus.TOO_MANY_REQUESTS: ("TooMany", "Too often: again after Retry-After."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Busy", "Too many at once: again after Retry-After."),
}
WITH_RETRY_AFTER: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 200},
    "description": "Text of your own, new for each thing you want: a POST that is sent again"
    " with the same key is done once.",
}
# The first part of an address, and what is below it.
TAGS: Final[Mapping[str, str]] = {
    "audit": "What happened, for good",
    "calendar-feeds": "Bookings in your calendar program",
    "inventory": "Clusters, nodes, devices, closures",
    "me": "Who is asking",
    "notices": "What you are told, and how",
    "costs": "What a month cost, by any dimension, and as files",
    "planning": "What a million tokens cost, what to buy, own or rent",
    "pools": "What can be booked, what is free, rules and prices",
    "reservations": "Book, wait, decide, change, end",
    "schema": "This document",
    "series": "Book again and again",
    "sessions": "The workspaces of bookings",
    "templates": "What you book again and again, under a name",
    "teams": "Teams, their members and limits",
    "tokens": "API tokens",
    "usage": "GPU-hours and what they cost",
}


class ErrorDetails(serializers.Serializer[Any]):
    problems = serializers.ListField(child=serializers.DictField(), required=False)


class ErrorOutput(serializers.Serializer[Any]):
    """Every refusal.  ``code`` is for programs and stays, ``message`` is for people.

    ``details`` say more where there is more to say: ``problems`` names the fields to blame.
    """

    code = serializers.CharField()
    message = serializers.CharField()
    details = ErrorDetails()


class Operation(AutoSchema):
    """One operation, with the name of its address and the refusals that it can meet."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        if self.method == "POST":
            operation.setdefault("parameters", []).append(
                {"$ref": "#/components/parameters/IdempotencyKey"}
            )
        self.resolve_serializer(ErrorOutput, "response")
        own = operation.pop(REFUSES, [])
        for status in sorted({*map(HTTPStatus, own), *self._usual(operation)}):
            operation["responses"][str(status.value)] = {
                "$ref": f"#/components/responses/{REFUSALS[status][0]}"
            }
        return operation

    def get_operation_id(self) -> str:
        """Return the method and the name of the address: ``post_reservation_cancel``."""
        name = _names()[self.path_regex.lstrip("/")]
        return f"{self.method.lower()}_{name}".replace("-", "_")

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix(PREFIX).partition("/")[0]]

    def get_description(self) -> str:  # type: ignore[override]  # as AutoSchema itself
        """Return what the method says of itself; what the class says is about its GET."""
        own = getattr(self.view, self.method.lower()).__doc__
        if not own and self.method != "GET" and hasattr(self.view, "get"):
            return ""
        return super().get_description()

    def _get_serializer_name(self, serializer: Any, direction: Any, *args: Any) -> str:
        name = super()._get_serializer_name(serializer, direction, *args)
        return str(name).removesuffix("Output")

    def _usual(self, operation: Mapping[str, Any]) -> Iterator[HTTPStatus]:
        """Yield the refusals that follow from what the operation is."""
        # A token may be for something else, whatever is asked.
        yield from (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.TOO_MANY_REQUESTS,
        )
        parameters = operation.get("parameters", ())
        places = {each.get("in") for each in parameters}
        if "query" in places:
            yield HTTPStatus.BAD_REQUEST
        if "path" in places or any(each.get("name") == "cursor" for each in parameters):
            yield HTTPStatus.NOT_FOUND
        if self.method == "POST":  # what can be wrong with an Idempotency-Key
            yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT)
            yield HTTPStatus.UNPROCESSABLE_ENTITY
        if "requestBody" in operation:
            yield HTTPStatus.BAD_REQUEST
            yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Bearer(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How programs log in."""

    target_class = "gpuaas.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "gpuaas_<number>_<secret>",
            "description": "A personal API token: made in the portal, under API tokens.",
        }


def finish(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add what operations refer to."""
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    retry = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    result["components"]["responses"] = {
        name: {
            "description": description,
            "content": error,
            **({"headers": retry} if status in WITH_RETRY_AFTER else {}),
        }
        for status, (name, description) in REFUSALS.items()
    }
    result["components"].setdefault("parameters", {})["IdempotencyKey"] = IDEMPOTENCY_KEY
    result["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    return result


def undescribed() -> list[type]:
    """Return the classes whose own words describe no class that is made of them."""
    return [*get_lib_doc_excludes(), Shape, StrictInput]  # type: ignore[no-untyped-call]


@cache
def document() -> dict[str, Any]:
    """Return the document, made once a process: nothing in it depends on who asks."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


@cache
def _names() -> dict[str, str]:
    """Return the name of each address, by its route."""
    patterns = get_resolver("gpuaas.api.v1.urls").url_patterns
    return {
        PREFIX.lstrip("/") + str(each.pattern): each.name or ""
        for each in patterns
        if isinstance(each, URLPattern)
    }
