"""``/api/v1/reservations/<number>/history/``: who changed it, when, from what to what."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import pages
from gpuaas.api.callers import caller
from gpuaas.api.described import listed
from gpuaas.api.shapes.booking import HistoryEntryOutput
from gpuaas.api.views import APIView
from gpuaas.audit import selectors as audit
from gpuaas.audit.models import AuditEvent
from reservations import history, selectors


class ReservationHistory(APIView):
    """What happened to one reservation, oldest first."""

    @listed("Read what happened to a booking", HistoryEntryOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        visible = selectors.reservations_visible_to(caller(request), now=timezone.now())
        found = get_object_or_404(visible, public_id=public_id)
        return pages.page_of(audit.history_of(found.subject), request, by=("id",), show=_show)


def _show(rows: Iterable[AuditEvent]) -> list[dict[str, Any]]:
    return [_entry(each) for each in rows]


def _entry(event: AuditEvent) -> dict[str, Any]:
    entry = history.entry_of(at=event.at, action=event.action, data=event.data)
    return {
        "at": entry.at,
        "by": event.actor and event.actor.username,
        "action": entry.action,
        "what": entry.what,
        "reason": entry.reason,
        "changes": [
            {"field": each.field, "name": each.name, "from": each.before, "to": each.after}
            for each in entry.changes
        ],
    }
