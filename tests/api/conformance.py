"""Holds answers of the API to its OpenAPI document."""

import json
import re
from functools import cache
from typing import Any, Final

from django.urls import Resolver404
from jsonschema_rs import Draft202012Validator

from gpuaas.api import openapi

# What Django or REST framework answer before an operation is known; and our own mistakes.
OUTSIDE: Final = {405, 406, 500}
# A page for people, no operation.
DOCS: Final = "api/v1/docs/"


def check(response: Any, method: str) -> None:
    """Fail unless the document knows this answer: its status, its type, its shape."""
    try:
        route = response.resolver_match.route
    except Resolver404:
        return
    if route == DOCS or response.status_code in OUTSIDE or method in {"HEAD", "OPTIONS"}:
        return
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
    operation = openapi.document()["paths"][path][method.lower()]
    said = operation["responses"].get(str(response.status_code))
    assert said, f"{method} {path} answers {response.status_code}, which it does not say"
    if "$ref" in said:
        said = openapi.document()["components"]["responses"][said["$ref"].rsplit("/", 1)[1]]
    if "content" not in said:
        assert not response.content
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    assert media_type in said["content"], f"{method} {path} answers with {media_type}"
    if media_type == "application/json":
        shape = json.dumps(said["content"][media_type]["schema"])
        problems = [
            f"{'/'.join(map(str, each.instance_path))}: {each.message}"
            for each in _validator(shape).iter_errors(json.loads(response.content))
        ]
        assert not problems, f"{method} {path} {response.status_code}: {problems[:3]}"


@cache
def _validator(shape: str) -> Draft202012Validator:
    schemas = openapi.document()["components"]["schemas"]
    return Draft202012Validator(
        {**json.loads(shape), "components": {"schemas": schemas}}, validate_formats=True
    )
