"""The hardware in the admin site.  What a cluster tells about itself is read-only here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.core.admin import ReadOnlyAdmin, ServicesAdmin, TypedAdmin
from gpuaas.inventory import services
from gpuaas.inventory.models import Closure, Cluster, Device, Node, PlannedLayout, Pool

if TYPE_CHECKING:
    from django.forms import ModelForm

    from gpuaas.accounts.models import User


@admin.register(Cluster)
class ClusterAdmin(TypedAdmin[Cluster]):
    list_display = ("display_name", "name", "is_enabled", "in_cluster", "storage_class")

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 -- Django's signature
        obj: Cluster | None = None,
    ) -> tuple[str, ...]:
        return ("name",) if obj else ()  # also the name of the credentials

    def has_delete_permission(self, request: HttpRequest, obj: Cluster | None = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Pool)
class PoolAdmin(ServicesAdmin[Pool]):
    list_display = ("name", "slug", "cluster", "is_shared", "description")
    list_select_related = ("cluster",)
    prepopulated_fields = {"slug": ("name",)}

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Pool | None = None,
    ) -> tuple[str, ...]:
        return ("cluster", "slug") if obj else ("is_shared", "shared_because")

    def save_model(
        self,
        request: HttpRequest,
        obj: Pool,
        form: "ModelForm[Pool]",
        change: bool,  # noqa: FBT001 -- Django's signature
    ) -> None:
        wanted, reason = obj.is_shared, obj.shared_because
        if change:
            stands = Pool.objects.get(pk=obj.pk)
            obj.is_shared, obj.shared_because = stands.is_shared, stands.shared_because
        super().save_model(request, obj, form, change)
        if wanted != obj.is_shared:
            actor = cast("User", request.user)  # the admin site lets nobody else in
            services.share_devices(
                pool=obj, is_shared=wanted, reason=reason, actor=actor, now=timezone.now()
            )

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Pool | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else dict(super().get_prepopulated_fields(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Pool | None = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin[Node]):
    list_display = (
        "name",
        "cluster",
        "pool",
        "cpu_millicores",
        "memory_mib",
        "storage_gib",
        "is_schedulable",
        "is_ready",
    )
    list_filter = ("cluster", "pool", "is_schedulable")
    list_select_related = ("cluster", "pool")

    def get_readonly_fields(self, request: HttpRequest, obj: Node | None = None) -> tuple[str, ...]:  # noqa: ARG002
        # The pool is open only while there is none: its lock guards the bookings of its nodes.
        facts = ("cluster", "name", "cpu_millicores", "memory_mib", "storage_gib", "is_schedulable")
        return facts if obj and obj.pool_id is None else (*facts, "pool")

    def has_change_permission(self, request: HttpRequest, obj: Node | None = None) -> bool:
        return self.has_view_permission(request) and (obj is None or obj.pool_id is None)


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin[Device]):
    list_display = (
        "node",
        "resource_name",
        "ordinal",
        "product",
        "memory_mib",
        "compute_share",
        "state",
    )
    list_filter = ("resource_name", "state", "node")
    list_select_related = ("node",)


@admin.register(Closure)
class ClosureAdmin(ReadOnlyAdmin[Closure]):
    list_display = ("kind", "pool", "node", "starts_at", "ends_at", "reason", "canceled_at")
    list_filter = ("kind", "pool")
    list_select_related = ("pool", "node")


@admin.register(PlannedLayout)
class PlannedLayoutAdmin(ReadOnlyAdmin[PlannedLayout]):
    list_display = (
        "node",
        "gpu_index",
        "cut",
        "starts_at",
        "ends_at",
        "state",
        "state_reason",
        "reason",
    )
    list_filter = ("state", "node")
    list_select_related = ("node",)
