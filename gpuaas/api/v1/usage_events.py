"""``/api/v1/usage/events/``: what gateways count, one event a request."""

from typing import Final

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.accounts.models import TokenScope
from gpuaas.api import fields, inputs
from gpuaas.api.callers import caller
from gpuaas.api.described import described
from gpuaas.api.shapes import Shape
from gpuaas.api.views import APIView
from tokenomics.core.ledger import MOST_TOKENS
from tokenomics.services import events

EXAMPLE: Final[dict[str, object]] = {
    "source": "gateway-1",
    "events": [
        {
            "id": "chatcmpl-7f3a",
            "reservation": "6f1c2d7e-7c3b-4f0e-9f57-0e5f0a3b9d11",
            "engine": "ollama",
            "model": "llama3.1:8b",
            "started_at": "2026-11-10T09:00:00Z",
            "ended_at": "2026-11-10T09:00:04Z",
            "prompt_computed": 812,
            "prompt_cached": None,
            "generated": 230,
        }
    ],
}


def _tokens() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, allow_null=True
    )


class EventInput(inputs.StrictInput):
    """One request.  Prompt tokens from a cache are apart; what is not known is left out."""

    id = serializers.CharField(max_length=200)
    reservation = serializers.UUIDField()
    engine = serializers.CharField(max_length=20)
    model = serializers.CharField(max_length=200)
    started_at = fields.InstantField()
    ended_at = fields.InstantField()
    prompt_computed = _tokens()
    prompt_cached = _tokens()
    generated = _tokens()


class EventsInput(inputs.StrictInput):
    """A batch from one ``source``: of an event's id there is one in a source and team."""

    source = serializers.CharField(max_length=60)  # type: ignore[assignment]  # a field of that name
    events = EventInput(  # type: ignore[call-arg]  # of the list that `many` makes
        many=True, allow_empty=False, max_length=events.MOST_EVENTS
    )


class BookedOutput(Shape):
    """How many events were new, and how many had been told before."""

    accepted = serializers.IntegerField()
    known = serializers.IntegerField()


class UsageEvents(APIView):
    """Usage that gateways tell."""

    takes_scope = TokenScope.METER

    @described(
        "Tell usage",
        takes=EventsInput,
        answers=BookedOutput,
        refuses=(409, 422),
        example=EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        """Book a batch of events: all of them, or none.

        The same event again is accepted without effect; with other figures the batch is 409
        `event_told_otherwise`.  Events are of bookings of teams that you book for, and lie within
        them.
        """
        data = inputs.read(EventsInput(), request.data)
        told = [events.Event(event_id=each.pop("id"), **each) for each in map(dict, data["events"])]
        booked = events.tell(
            source=data["source"], events=told, actor=caller(request), now=timezone.now()
        )
        return Response({"accepted": booked.fresh, "known": booked.known})
