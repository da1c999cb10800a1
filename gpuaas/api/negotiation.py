"""Which of the renderers answers: nearly always the first, and then nothing is parsed."""

from collections.abc import Sequence
from typing import Any, Final

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

ANY: Final = frozenset({"", "*/*"})


class FirstUnlessAsked(DefaultContentNegotiation):
    """REST framework's, but for who takes anything, or asks for just what the first gives."""

    def select_renderer(  # type: ignore[override]
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        first = renderers[0]
        accepts = request.META.get("HTTP_ACCEPT", "")
        if not request.META["QUERY_STRING"] and (accepts in ANY or accepts == first.media_type):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
