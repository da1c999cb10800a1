"""``/api/v1/sessions/``: the running side of bookings, as far as one may see them."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes import Shape
from gpuaas.api.views import APIView
from sessions import selectors
from tokenomics import selectors as tokenomics

if TYPE_CHECKING:
    from sessions.models import WorkspaceSession


class SessionFilter(inputs.CursorQuery):
    """Each narrows what the others leave; ``since`` and ``until`` are of ``opened_at``."""

    phase = serializers.ChoiceField(choices=selectors.PHASES, required=False, source="state")
    team = serializers.CharField(max_length=40, required=False, source="reservation__team__slug")
    pool = serializers.CharField(max_length=40, required=False, source="reservation__pool__slug")
    reservation = serializers.UUIDField(required=False, source="reservation__public_id")
    since = fields.InstantField(required=False, source="opened_at__gte")
    until = fields.InstantField(required=False, source="opened_at__lt")


class SessionOutput(serializers.Serializer[Any]):
    """A session.  ``url`` is null unless somebody could open it now.

    ``quiet_since`` is since when no GPU, kernel or terminal worked in it, null while one does or
    it is not known; ``paused_at`` is when its workspace was stopped for that.
    """

    id = serializers.UUIDField(source="public_id")
    reservation = serializers.UUIDField(source="reservation.public_id")
    pool = serializers.CharField(source="reservation.pool.slug")
    team = serializers.CharField(source="reservation.team.slug")
    requested_by = serializers.CharField(source="reservation.requested_by.username")
    resource_name = serializers.CharField(source="reservation.resource_name")
    units = serializers.IntegerField(source="reservation.units")
    mode = serializers.CharField(source="reservation.mode")
    namespace = serializers.CharField()
    phase = serializers.ChoiceField(choices=selectors.PHASES, source="state")
    waiting_for = serializers.CharField()
    last_error = serializers.CharField()
    url = serializers.SerializerMethodField()
    starts_at = serializers.DateTimeField(source="reservation.starts_at")
    ends_at = serializers.DateTimeField(source="reservation.ends_at")
    opened_at = serializers.DateTimeField()
    ready_at = serializers.DateTimeField(allow_null=True)
    visited_at = serializers.DateTimeField(allow_null=True)
    active_at = serializers.DateTimeField(allow_null=True)
    quiet_since = serializers.DateTimeField(allow_null=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_url(self, session: Any) -> str | None:
        return selectors.open_url(session)


class StepOutput(Shape):
    """A part of a session's life, and how far it is."""

    name = serializers.ChoiceField(choices=["prepare", "use", "remove"])
    progress = serializers.ChoiceField(choices=["todo", "current", "done", "failed"])
    at = serializers.DateTimeField(allow_null=True)


class SessionEventOutput(serializers.Serializer[Any]):
    """One line of what happened, in words."""

    at = serializers.DateTimeField()
    message = serializers.CharField()
    is_problem = serializers.BooleanField()


class QuotaOutput(Shape):
    """What the session may use and does, by the keys of its ResourceQuota, as Kubernetes writes it.

    ``changed_at`` is when one of them was last seen to change.
    """

    hard = serializers.DictField(child=serializers.CharField())
    used = serializers.DictField(child=serializers.CharField())
    changed_at = serializers.DateTimeField()


class SessionDetailOutput(SessionOutput):
    """A session with its quota, its steps, and what happened, oldest first."""

    quota = QuotaOutput(allow_null=True)

    steps = StepOutput(many=True)
    events = SessionEventOutput(many=True)


class ActiveStepOutput(Shape):
    """How active the GPUs were in a step, from 0 to 1."""

    at = serializers.DateTimeField()
    active = serializers.FloatField()


class TokensOutput(Shape):
    """Tokens by where they came from; what an engine does not tell counts as nothing."""

    prompt_computed = serializers.IntegerField()
    prompt_cached = serializers.IntegerField()
    generated = serializers.IntegerField()


class TokenStepOutput(TokensOutput):
    """The tokens of a step."""

    at = serializers.DateTimeField()


class ModelTokensOutput(TokensOutput):
    """The tokens of a model."""

    model = serializers.CharField()


class ActivityOutput(Shape):
    """What a session's GPUs and models did, in at most 120 steps, each known by its beginning.

    A step that nobody saw is not in it.  ``energy_kwh`` is what was measured, in
    ``measured_ratio`` of the seen time; ``coverage_ratio`` is the part of its time in which all of
    its engines were read.  What is not known is null.
    """

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    step_seconds = serializers.IntegerField()
    gpu_active = ActiveStepOutput(many=True)
    tokens = TokenStepOutput(many=True)
    models = ModelTokensOutput(many=True)
    mean_active = serializers.FloatField(allow_null=True)
    energy_kwh = serializers.FloatField(allow_null=True)
    measured_ratio = serializers.FloatField(allow_null=True)
    coverage_ratio = serializers.FloatField(allow_null=True)


class SessionActivity(APIView):
    """What a session's GPUs and models did until now."""

    @described("See what a session did", answers=ActivityOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        now = timezone.now()
        visible = selectors.sessions_visible_to(caller(request), now=now)
        session = get_object_or_404(visible, public_id=public_id)
        found = tokenomics.activity_of(session.reservation, now=now)
        ratio = found.coverage.ratio
        shown = {
            "since": found.since,
            "until": found.until,
            "step_seconds": int(found.step.total_seconds()),
            "gpu_active": [{"at": at, "active": round(each, 4)} for at, each in found.gpu_active],
            "tokens": [{"at": at, **asdict(each)} for at, each in found.tokens],
            "models": [{"model": model, **asdict(each)} for model, each in found.by_model],
            "mean_active": found.mean_active,
            "energy_kwh": found.energy_kwh,
            "measured_ratio": found.measured_ratio,
            "coverage_ratio": None if ratio is None else float(ratio),
        }
        return Response(ActivityOutput(shown).data)


class SessionList(APIView):
    """The sessions of the bookings one may see, the newest first."""

    @listed("List sessions", SessionOutput, asks=SessionFilter)
    def get(self, request: Request) -> Response:
        wanted = SessionFilter(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        given = inputs.without_page(wanted.validated_data)
        visible = selectors.sessions_visible_to(caller(request), now=timezone.now())
        return pages.page_newest_first(visible.filter(**given), request, show=_show)


class SessionDetail(APIView):
    """One session, how far it is, and what happened."""

    @described("Look at a session", answers=SessionDetailOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        visible = selectors.sessions_visible_to(caller(request), now=timezone.now())
        session = get_object_or_404(visible, public_id=public_id)
        return Response(
            {
                **SessionOutput(session).data,
                "quota": selectors.quota_of(session),
                "steps": list(_steps(session)),
                "events": SessionEventOutput(session.events.all(), many=True).data,
            }
        )


def _show(rows: "Iterable[WorkspaceSession]") -> list[dict[str, Any]]:
    form = SessionOutput()
    return [dict(form.to_representation(row)) for row in rows]


def _steps(session: "WorkspaceSession") -> Iterable[dict[str, object]]:
    """Yield the three parts; what it never became is failed."""
    came, going = session.ready_at is not None, session.state in selectors.GOING
    prepared = "done" if came else "failed" if going else "current"
    used = ("done" if going else "current") if came else "todo"
    removed = "done" if session.ended_at else "current" if going else "todo"
    yield {"name": "prepare", "progress": prepared, "at": session.opened_at}
    yield {"name": "use", "progress": used, "at": session.ready_at}
    yield {"name": "remove", "progress": removed, "at": session.ended_at}
