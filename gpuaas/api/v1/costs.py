"""``/api/v1/costs/``: what a month cost, by any dimension, down to readings, and as files."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import REFUSES, described, listed
from gpuaas.api.shapes import costs as shapes
from gpuaas.api.views import APIView
from gpuaas.core.money import digits_of
from tokenomics.core.groups import BookingTokens, Group
from tokenomics.core.lines import StatementLine
from tokenomics.core.per_million import Denominator, Tokens
from tokenomics.models import CostExport, CostLine, CostPeriod, Format, UsageEntry
from tokenomics.selectors import exports as files
from tokenomics.selectors import lines as lines_of
from tokenomics.selectors import reports
from tokenomics.services import exports


class FilterQuery(inputs.CursorQuery):
    """Each narrows what the others leave; teams and pools by slug, people by user name."""

    cost_centre = serializers.CharField(required=False, max_length=40)
    team = serializers.CharField(required=False, max_length=50)
    project = serializers.CharField(required=False, max_length=120)
    user = serializers.CharField(required=False, max_length=150)
    pool = serializers.CharField(required=False, max_length=50)
    model = serializers.CharField(required=False, max_length=200)


class GroupsQuery(FilterQuery):
    """``by`` is what the rows are of: cost centres unless it says otherwise."""

    by = serializers.ChoiceField(choices=reports.DIMENSIONS, default="cost_centre")


class ExportInput(inputs.StrictInput):
    """``bom`` puts a byte order mark before CSV, for Excel."""

    format = serializers.ChoiceField(choices=Format.choices)
    bom = serializers.BooleanField(default=False)


class CostMonthList(APIView):
    """The months that there are, the last first.

    Finance and platform administrators see all money, managers that of their teams' bookings,
    others that of their own.
    """

    @listed("List months of costs", shapes.CostMonthOutput)
    def get(self, request: Request) -> Response:
        def show(rows: Iterable[CostPeriod]) -> list[dict[str, Any]]:
            listed_months = list(rows)
            totals = reports.totals(listed_months, user=caller(request), now=timezone.now())
            return [_month(each, totals.get(each.pk, 0)) for each in listed_months]

        return pages.page_of(reports.periods(), request, by=("-month",), show=show)


class CostGroups(APIView):
    """What a month cost by cost centre, team, project, user, pool, model or reservation."""

    @listed("See costs by any dimension", shapes.CostGroupOutput, asks=GroupsQuery)
    def get(self, request: Request, month: str) -> Response:
        asked = _asked(GroupsQuery, request)
        period, by = period_called(month), asked.pop("by")
        groups = reports.grouped(
            period, by=by, user=caller(request), now=timezone.now(), filters=asked
        )
        return pages.page_after(
            sorted(groups, key=_key), request, key=_key, show=lambda each: _group(each, period)
        )


class CostLines(APIView):
    """The lines of a month, by number."""

    @listed("List the lines of a month", shapes.CostLineOutput, asks=FilterQuery)
    def get(self, request: Request, month: str) -> Response:
        asked, period = _asked(FilterQuery, request), period_called(month)
        visible = reports.lines_visible_to(caller(request), now=timezone.now())

        def show(rows: Iterable[CostLine]) -> list[dict[str, Any]]:
            chosen = visible.filter(number__in=[row.number for row in rows])
            return [_line(line) for piece in lines_of.in_pieces(period, chosen) for line in piece]

        found = reports.narrowed(period, visible, asked)
        return pages.page_of(found, request, by=("number",), show=show)


class BookingCosts(APIView):
    """What a booking costs in a month, and what that is made of."""

    @described("See what a booking costs", answers=shapes.BookingCostOutput)
    def get(self, request: Request, month: str, public_id: UUID) -> Response:
        found = _booking(request, month, public_id)
        period = period_called(month)
        ratio = found.coverage.ratio
        return Response(
            {
                "reservation": found.public_id,
                "currency": period.currency,
                "total_minor": found.total_minor,
                "lines": [_line(each) for each in found.lines],
                "models": [_model(each, period) for each in found.models],
                "coverage": None if ratio is None else float(ratio),
                "readings": found.reading_count,
                "cost_sheet": period.sheet_id,
            }
        )


class BookingReadings(APIView):
    """The entries of the ledger that a booking's tokens of a month are the sum of."""

    @listed("List a booking's meter readings", shapes.ReadingOutput)
    def get(self, request: Request, month: str, public_id: UUID) -> Response:
        _booking(request, month, public_id)
        entries = reports.readings_of(period_called(month), public_id)
        return pages.page_of(entries, request, by=("ended_at", "id"), show=_readings)


class CostExports(APIView):
    """Files of a month: csv, xlsx, pdf (the statement to sign, for finance) or focus (1.2)."""

    @described(
        "Ask for a file",
        takes=ExportInput,
        answers=shapes.ExportOutput,
        status=201,
        refuses=(403, 409),
    )
    def post(self, request: Request, month: str) -> Response:
        """Answer at once: a long file is made meanwhile, and its address says how far it is."""
        given = ExportInput(data=request.data)
        given.is_valid(raise_exception=True)
        made = exports.ask(
            period=period_called(month),
            form=given.validated_data["format"],
            has_bom=given.validated_data["bom"],
            actor=caller(request),
            now=timezone.now(),
        )
        return Response(_export(made, request), status=HTTPStatus.CREATED)


class CostExportDetail(APIView):
    """A file that the caller asked for."""

    @described("See how far a file is", answers=shapes.ExportOutput)
    def get(self, request: Request, public_id: UUID) -> Response:
        mine = files.exports_visible_to(caller(request))
        return Response(_export(get_object_or_404(mine, public_id=public_id), request))


class CostExportFile(APIView):
    """The file itself."""

    @extend_schema(
        summary="Download a file",
        responses={(200, kind): OpenApiTypes.BINARY for kind in sorted(set(files.MEDIA_TYPES))},
        extensions={REFUSES: []},
    )
    def get(self, request: Request, public_id: UUID) -> StreamingHttpResponse:
        mine = files.exports_visible_to(caller(request))
        export = get_object_or_404(mine, public_id=public_id)
        if not export.done_at or export.problem:
            raise Http404
        name = files.file_name(export.period, export.form)
        return StreamingHttpResponse(
            files.pieces_of(export),
            content_type=files.CONTENT_TYPES[export.form],
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(export.size),
            },
        )


def _asked(form: type[inputs.CursorQuery], request: Request) -> dict[str, Any]:
    query = form(data=request.query_params)
    query.is_valid(raise_exception=True)
    return inputs.without_page(query.validated_data)


def period_called(month: str) -> CostPeriod:
    """Return the month that an address names, 2026-10; one that is not there is 404."""
    try:
        first: date = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 -- no instant
    except ValueError as error:
        raise Http404 from error
    return get_object_or_404(reports.periods(), month=first)


def _booking(request: Request, month: str, public_id: UUID) -> reports.BookingCost:
    found = reports.booking_cost(
        period_called(month), public_id, user=caller(request), now=timezone.now()
    )
    if found is None:
        raise Http404
    return found


def _key(group: Group) -> pages.Key:
    return (group.name, group.key)


def _month(period: CostPeriod, total_minor: int) -> dict[str, Any]:
    return {
        "month": str(period),
        "state": period.state,
        "currency": period.currency,
        "time_zone": period.time_zone,
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "calculated_at": period.calculated_at,
        "closed_at": period.closed_at,
        "total_minor": total_minor,
    }


def _group(group: Group, period: CostPeriod) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "currency": period.currency,
        "total_minor": group.total_minor,
        "used_minor": group.used_minor,
        "unused_minor": group.unused_minor,
        "idle_minor": group.idle_minor,
        "other_minor": group.other_minor,
        "gpu_hours": None if group.gpu_hours is None else f"{group.gpu_hours:.4f}",
        "bookings": group.bookings,
        "tokens": _tokens(group.tokens),
        "covered_minor": group.covered_minor,
        "per_million": _rates(group, period),
    }


def _model(each: BookingTokens, period: CostPeriod) -> dict[str, Any]:
    return {
        "model": each.model,
        "tokens": _tokens(each.tokens),
        "amount_minor": each.amount_minor,
        "per_million": _rates(each, period),
    }


def _rates(of: Group | BookingTokens, period: CostPeriod) -> dict[str, str | None]:
    digits = digits_of(period.currency)

    def said(rate: Decimal | None) -> str | None:
        return None if rate is None else f"{rate.scaleb(-digits):f}"

    return {by.value: said(of.per_million(by)) for by in Denominator}


def _tokens(tokens: Tokens) -> dict[str, int]:
    return {
        "prompt_computed": tokens.prompt_computed,
        "prompt_cached": tokens.prompt_cached,
        "generated": tokens.generated,
    }


def _line(line: StatementLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "kind": line.kind.value,
        "currency": line.currency,
        "amounts": line.amounts,
        "amount_minor": line.amount_minor,
        "cost_centre": line.cost_centre,
        "team": line.team,
        "user": line.user,
        "project": line.purpose,
        "pool": line.pool,
        "node": line.node,
        "device": line.device,
        "resource_name": line.resource_name,
        "reservation": line.reservation or None,
        "starts_at": line.starts_at,
        "ends_at": line.ends_at,
        "device_hours": f"{line.hours:.4f}",
        "gpu_hours": f"{line.gpu_hours:.4f}",
        "is_measured": line.is_measured,
        "corrects": f"{line.corrects:%Y-%m}" if line.corrects else None,
        "reason": line.reason,
    }


def _readings(rows: Iterable[UsageEntry]) -> list[dict[str, Any]]:
    names = list(shapes.ReadingOutput().fields)
    return [{name: getattr(row, name) for name in names} for row in rows]


def _export(export: CostExport, request: Request) -> dict[str, Any]:
    is_there = export.done_at is not None and not export.problem
    address = reverse("api:cost-export-file", args=[export.public_id])
    return {
        "id": export.public_id,
        "month": str(export.period),
        "format": export.form,
        "requested_at": export.requested_at,
        "lines": export.lines,
        "lines_done": export.lines_done,
        "done_at": export.done_at,
        "size": export.size if is_there else None,
        "sha256": export.digest or None,
        "problem": export.problem,
        "url": request.build_absolute_uri(address) if is_there else None,
    }
