"""``/api/v1/schema/``: what this API is, for programs."""

from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.types import OpenApiTypes
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import openapi
from gpuaas.api.described import described
from gpuaas.api.views import APIView


class Schema(APIView):
    """The OpenAPI 3.1 document: as JSON, or as YAML to whoever accepts only that."""

    renderer_classes = (JSONRenderer, OpenApiYamlRenderer)

    @described("Get this document", answers=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:  # noqa: ARG002 -- the same for everybody
        return Response(openapi.document())
