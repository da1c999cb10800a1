"""The OpenAPI document: valid, without gaps, and the committed one is what the code says."""

from pathlib import Path

from django.core.management import call_command
from drf_spectacular.renderers import OpenApiYamlRenderer

from gpuaas.api import openapi

COMMITTED = Path(__file__).parents[2] / "docs" / "api" / "openapi.yaml"


def test_the_document_is_valid_and_every_operation_is_described(tmp_path: Path) -> None:
    call_command(
        "spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "openapi.yaml")
    )

    operations = [
        (method, path, operation)
        for path, methods in openapi.document()["paths"].items()
        for method, operation in methods.items()
    ]
    assert [where for *where, operation in operations if "summary" not in operation] == []


def test_the_committed_document_is_the_code_s() -> None:
    made = OpenApiYamlRenderer().render(openapi.document(), renderer_context={})  # type: ignore[no-untyped-call]

    assert COMMITTED.read_bytes() == made, "make openapi"
