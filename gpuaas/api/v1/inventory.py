"""``/api/v1/inventory/``: the hardware.  Everybody reads; platform administrators change."""

from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpuaas.api import fields, inputs, pages
from gpuaas.api.callers import caller
from gpuaas.api.described import described, listed
from gpuaas.api.shapes.planning import ClusterFileOutput, ImportOutput
from gpuaas.api.views import APIView
from gpuaas.inventory import files, selectors, services
from gpuaas.inventory.models import (
    PLANNED_BY_HAND,
    Closure,
    ClosureKind,
    Cluster,
    Device,
    DeviceState,
    Node,
    Pool,
)
from reservations import services as reservations

M = TypeVar("M", bound=Model)


class ClusterOutput(serializers.Serializer[Cluster]):
    name = serializers.CharField()
    display_name = serializers.CharField()
    is_enabled = serializers.BooleanField()
    nodes = serializers.IntegerField(source="node_count")


class NodeOutput(serializers.Serializer[Node]):
    """One node: ``reported_devices`` is what its cluster shows, null until it was asked."""

    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    cluster = serializers.CharField(source="cluster.name")
    pool = serializers.CharField(source="pool.slug", default=None, allow_null=True)
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    storage_gib = serializers.IntegerField()
    is_schedulable = serializers.BooleanField()
    is_withdrawn = serializers.BooleanField()
    is_ready = serializers.BooleanField()
    reported_devices = serializers.DictField(child=serializers.IntegerField(), allow_null=True)
    reported_at = serializers.DateTimeField(allow_null=True)
    frozen_because = serializers.CharField()


class DeviceOutput(serializers.Serializer[Device]):
    id = serializers.IntegerField(source="pk")
    node = serializers.CharField(source="node.name")
    cluster = serializers.CharField(source="node.cluster.name")
    resource_name = serializers.CharField()
    ordinal = serializers.IntegerField()
    product = serializers.CharField()
    memory_mib = serializers.IntegerField()
    compute_share = serializers.DecimalField(max_digits=5, decimal_places=4)
    gpu_index = serializers.IntegerField(allow_null=True)
    replicas = serializers.IntegerField()
    uuid = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    state_reason = serializers.CharField()
    state_changed_at = serializers.DateTimeField(allow_null=True)
    layout = serializers.IntegerField(source="layout_id", allow_null=True)
    is_present = serializers.BooleanField()


class ClosureOutput(serializers.Serializer[Closure]):
    id = serializers.IntegerField(source="pk")
    pool = serializers.CharField(source="pool.slug", default=None, allow_null=True)
    node = serializers.CharField(source="node.name", default=None, allow_null=True)
    kind = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    canceled_at = serializers.DateTimeField(allow_null=True)


class NodeFilter(inputs.CursorQuery):
    cluster = serializers.CharField(source="cluster__name", max_length=40, required=False)
    pool = serializers.CharField(source="pool__slug", max_length=40, required=False)


class DeviceFilter(inputs.CursorQuery):
    node = serializers.IntegerField(source="node_id", min_value=1, required=False)
    cluster = serializers.CharField(source="node__cluster__name", max_length=40, required=False)
    resource_name = serializers.CharField(max_length=80, required=False)
    state = serializers.ChoiceField(choices=DeviceState.choices, required=False)


class NodeInput(inputs.StrictInput):
    is_schedulable = serializers.BooleanField()
    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class DeviceInput(inputs.StrictInput):
    state = serializers.ChoiceField(choices=DeviceState.choices)
    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class ClosureInput(inputs.StrictInput):
    """A closure of a pool (its slug) or of a node (its id): one of the two."""

    pool = serializers.CharField(max_length=40, required=False)
    node = serializers.IntegerField(min_value=1, required=False)
    kind = serializers.ChoiceField(choices=PLANNED_BY_HAND)
    starts_at = fields.InstantField()
    ends_at = fields.InstantField()
    reason = serializers.CharField(max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len({"pool", "node"} & set(attrs)) != 1:
            raise serializers.ValidationError("Give either pool or node.", code="required")
        return attrs


class FileInput(inputs.StrictInput):
    yaml = serializers.CharField(max_length=files.LARGEST_BYTES, trim_whitespace=False)


class ImportFilter(inputs.StrictInput):
    dry_run = serializers.BooleanField(default=False)


class ClusterList(APIView):
    """Every cluster."""

    @listed("List clusters", ClusterOutput)
    def get(self, request: Request) -> Response:
        return pages.page_of(
            selectors.clusters(),
            request,
            by=("name", "id"),
            show=lambda rows: _show(ClusterOutput, rows),
        )


class ClusterFile(APIView):
    """The inventory of a cluster as a file, for platform administrators."""

    @described("Read a cluster's inventory file", answers=ClusterFileOutput, refuses=(403,))
    def get(self, request: Request, name: str) -> Response:
        services.check_may_change(actor=caller(request))
        cluster = get_object_or_404(selectors.clusters(), name=name)
        return Response({"yaml": selectors.as_file(cluster)})


class NodeList(APIView):
    """Every node; ``?cluster=``, ``?pool=`` narrow the list."""

    @listed("List nodes", NodeOutput, asks=NodeFilter)
    def get(self, request: Request) -> Response:
        found = selectors.nodes().filter(**_asked(NodeFilter, request))
        return pages.page_of(found, request, by=("name", "id"), show=partial(_show, NodeOutput))


class NodeDetail(APIView):
    """One node; platform administrators take it out of booking and put it back."""

    @described("Look at a node", answers=NodeOutput)
    def get(self, request: Request, number: int) -> Response:  # noqa: ARG002 -- the same for everybody
        return Response(NodeOutput(get_object_or_404(selectors.nodes(), pk=number)).data)

    @described(
        "Take a node out of booking, or put it back",
        takes=NodeInput,
        answers=NodeOutput,
        refuses=(409, 422),
    )
    def patch(self, request: Request, number: int) -> Response:
        services.check_may_change(actor=caller(request))
        given, node = _read(NodeInput, request), get_object_or_404(selectors.nodes(), pk=number)
        services.set_node_schedulable(
            node=node,
            is_schedulable=given["is_schedulable"],
            reason=given["reason"],
            actor=caller(request),
            now=timezone.now(),
        )
        _heal(node.pool)
        return Response(NodeOutput(node).data)


class DeviceList(APIView):
    """Every device; ``?cluster=``, ``?node=``, ``?resource_name=``, ``?state=`` narrow it."""

    @listed("List devices", DeviceOutput, asks=DeviceFilter)
    def get(self, request: Request) -> Response:
        found = selectors.devices().filter(**_asked(DeviceFilter, request))
        return pages.page_of(
            found,
            request,
            by=("node_id", "resource_name", "ordinal", "id"),
            show=lambda rows: _show(DeviceOutput, rows),
        )


class DeviceDetail(APIView):
    """One device; platform administrators change its state."""

    @described("Look at a device", answers=DeviceOutput)
    def get(self, request: Request, number: int) -> Response:  # noqa: ARG002
        return Response(DeviceOutput(get_object_or_404(selectors.devices(), pk=number)).data)

    @described(
        "Change a device's state",
        takes=DeviceInput,
        answers=DeviceOutput,
        refuses=(409, 422),
    )
    def patch(self, request: Request, number: int) -> Response:
        services.check_may_change(actor=caller(request))
        given = _read(DeviceInput, request)
        device = get_object_or_404(selectors.devices(), pk=number)
        services.set_device_state(
            device=device,
            state=DeviceState(given["state"]),
            reason=given["reason"],
            actor=caller(request),
            now=timezone.now(),
        )
        _heal(device.node.pool)
        return Response(DeviceOutput(device).data)


class ClosureList(APIView):
    """What is closed now or will be, the earliest first; and planning one."""

    @listed("List closures", ClosureOutput)
    def get(self, request: Request) -> Response:
        found = selectors.coming_closures(now=timezone.now())
        return pages.page_of(
            found, request, by=("starts_at", "id"), show=partial(_show, ClosureOutput)
        )

    @described(
        "Plan a closure", takes=ClosureInput, answers=ClosureOutput, status=201, refuses=(422,)
    )
    def post(self, request: Request) -> Response:
        services.check_may_change(actor=caller(request))
        given = _read(ClosureInput, request)
        target = (
            _named("pool", selectors.pools().filter(slug=given["pool"]))
            if "pool" in given
            else _named("node", selectors.nodes().filter(pk=given["node"]))
        )
        closure = services.plan_closure(
            target=target,
            kind=ClosureKind(given["kind"]),
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
            reason=given["reason"],
            actor=caller(request),
            now=timezone.now(),
        )
        _heal(closure.of_pool)
        return Response(ClosureOutput(closure).data, status=HTTPStatus.CREATED)


class ClosureCancel(APIView):
    """Take a closure back."""

    @described("Take a closure back", answers=ClosureOutput, refuses=(409, 422))
    def post(self, request: Request, number: int) -> Response:
        services.check_may_change(actor=caller(request))
        closure = get_object_or_404(selectors.closures(), pk=number)
        services.cancel_closure(closure=closure, actor=caller(request), now=timezone.now())
        _heal(closure.of_pool)
        return Response(ClosureOutput(closure).data)


class Import(APIView):
    """Make a cluster's inventory what a file says; ``?dry_run=1`` shows the difference only."""

    @described(
        "Import a cluster's inventory",
        asks=ImportFilter,
        takes=FileInput,
        answers=ImportOutput,
        refuses=(409, 422, 503),
    )
    def post(self, request: Request) -> Response:
        services.check_may_change(actor=caller(request))
        dry_run = _asked(ImportFilter, request)["dry_run"]
        report = services.import_file(
            content=_read(FileInput, request)["yaml"].encode(errors="surrogatepass"),
            actor=caller(request),
            now=timezone.now(),
            dry_run=dry_run,
        )
        if report.changes and not dry_run:
            reservations.heal_all(now=timezone.now())
        return Response({"dry_run": dry_run, "changes": report.changes})


def _heal(pool: Pool | None) -> None:
    """Move or flag the bookings that the change took the ground from: now, not at the next tick."""
    reservations.heal_these(pools=[pool], now=timezone.now())


def _show(output: type[serializers.Serializer[M]], rows: Iterable[M]) -> list[dict[str, Any]]:
    return [dict(output(row).data) for row in rows]


def _asked(kind: type[serializers.Serializer[None]], request: Request) -> dict[str, Any]:
    wanted = kind(data=request.query_params)
    wanted.is_valid(raise_exception=True)
    return inputs.without_page(wanted.validated_data)


def _read(kind: type[inputs.StrictInput], request: Request) -> dict[str, Any]:
    data = kind(data=request.data)
    data.is_valid(raise_exception=True)
    return dict(data.validated_data)


def _named(field: str, among: QuerySet[M]) -> M:
    found = among.first()
    if found is None:
        raise serializers.ValidationError({field: [f"There is no such {field}."]}, code="unknown")
    return found
