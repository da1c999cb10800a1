"""What every view of the API has in common."""

from typing import Any, ClassVar, Final

from rest_framework import views
from rest_framework.request import Request

from gpuaas.accounts.models import TokenScope
from gpuaas.api import once

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"


class APIView(views.APIView):
    """A view whose POST is done once for one Idempotency-Key."""

    # Its service takes locks and commits by itself: nothing may enclose it.
    commits_itself: ClassVar[bool] = False
    # What a token has to be for to change something here.
    takes_scope: ClassVar[TokenScope] = TokenScope.FULL
    # What it answers is shown once, and kept nowhere.
    answers_secret: ClassVar[bool] = False

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let a browser make nothing of it: an answer is data, and no page."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers["Content-Security-Policy"] = NOTHING
        final._csp_exempt = True  # type: ignore[attr-defined]  # noqa: SLF001 -- django-csp's
        return final

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "post" in vars(cls):
            cls.post = once.done_once(cls.post)  # type: ignore[attr-defined]  # it is there
