"""The hardware: clusters, their nodes, the devices on them, and the pools they are booked from."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from gpuaas.accounts.models import User
from gpuaas.core.language import later
from gpuaas.inventory import layouts

_HTTPS: Final = URLValidator(schemes=["https"])
# No private key is pasted along.
_CERTIFICATES: Final = (
    r"\A(\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*\Z"
)


class GpuBackend(models.TextChoices):
    """How a booked device reaches the session's pods."""

    DEVICE_PLUGIN = "device_plugin", later("Device plugin: resource names and a quota")
    DRA = "dra", later("Dynamic resource allocation: one claim a session, by UUID")


class Exposure(models.TextChoices):
    """By which kind of object a workspace is reached from outside its cluster."""

    NONE = "none", later("Not exposed by us")
    ROUTE = "route", later("Route (OpenShift)")
    INGRESS = "ingress", later("Ingress")
    GATEWAY = "gateway", later("HTTPRoute (Gateway API)")


class Cluster(models.Model):
    """One Kubernetes cluster.  Its credentials are a mounted file, never a column."""

    name = models.SlugField(
        max_length=40,
        unique=True,
        help_text="Also the name of the credentials: <name>.kubeconfig",
    )
    display_name = models.CharField(max_length=80)
    is_enabled = models.BooleanField(default=True, help_text="Whether the reconciler works on it")
    known_since = models.DateTimeField(
        db_default=Now(), editable=False, help_text="The reconciler has from then on to look at it"
    )
    in_cluster = models.BooleanField(
        default=False, help_text="Use the reconciler pod's own ServiceAccount instead of a file"
    )
    storage_class = models.CharField(max_length=80, default="lvms-vg1")
    workspace_url_template = models.CharField(
        max_length=200,
        validators=[RegexValidator(r"\{namespace\}", "must contain {namespace}")],
        help_text="Where a session's workspace answers, e.g. https://{namespace}.apps.example.com/",
    )
    exposure = models.CharField(
        "how workspaces are exposed",
        max_length=8,
        choices=Exposure.choices,
        default=Exposure.NONE,
        help_text="By whatever it is, only through a login here",
    )
    ingress_class = models.CharField(
        max_length=63, blank=True, help_text="Of the Ingresses; empty: the cluster's default"
    )
    gateway = models.CharField(
        max_length=127,
        blank=True,
        validators=[RegexValidator(r"\A[a-z0-9-]+/[a-z0-9.-]+\Z", "must be <namespace>/<name>")],
        help_text="The Gateway that the HTTPRoutes belong to: <namespace>/<name>",
    )
    router_namespace = models.CharField(
        max_length=63,
        blank=True,
        help_text="Where the router's pods run, which alone may reach workspaces;"
        " empty: where OpenShift labels it",
    )
    injects_trusted_ca = models.BooleanField(
        default=False,
        help_text="It fills in the authorities that sessions are to trust, as OpenShift does",
    )
    api_url = models.CharField(
        "address of the Kubernetes API",
        max_length=200,
        blank=True,
        validators=[_HTTPS],
        help_text="As people reach it, e.g. https://api.lab.example.com:6443; empty: they do not",
    )
    api_ca_pem = models.TextField(
        "its certificate authority",
        blank=True,
        validators=[RegexValidator(_CERTIFICATES, "must be certificates in PEM, nothing else")],
        help_text="PEM, where people's machines do not trust it anyway",
    )
    oidc_issuer_url = models.CharField(
        "its OpenID Connect issuer",
        max_length=200,
        blank=True,
        validators=[_HTTPS],
        help_text="Whose tokens the API takes; the user name there has to be the one here",
    )
    oidc_client_id = models.CharField(
        "the client that people are there", max_length=200, blank=True
    )
    gpu_backend = models.CharField(
        "how devices reach sessions",
        max_length=16,
        choices=GpuBackend.choices,
        default=GpuBackend.DEVICE_PLUGIN,
        help_text="Dynamic resource allocation needs Kubernetes 1.34 and NVIDIA's driver for it",
    )
    gpu_operator_namespace = models.SlugField(
        "namespace of the GPU Operator",
        max_length=63,
        blank=True,
        help_text="Where its configuration is written from the inventory, e.g. gpu-operator;"
        " empty: others configure it",
    )

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(oidc_issuer_url="", oidc_client_id="")
                | ~Q(oidc_issuer_url="") & ~Q(oidc_client_id=""),
                name="cluster_oidc_whole_or_not_at_all",
                violation_error_message="Give the issuer and the client, or neither.",
            ),
            models.CheckConstraint(
                condition=~Q(exposure=Exposure.GATEWAY) | ~Q(gateway=""),
                name="cluster_gateway_is_named",
                violation_error_message="Say which Gateway exposes the workspaces.",
            ),
            # Cookies are kept apart by host: workspaces on one host would share their logins.
            models.CheckConstraint(
                condition=Q(exposure=Exposure.NONE)
                | Q(workspace_url_template__regex=r"^https?://[^/]*\{namespace\}[^/]*/?$"),
                name="cluster_exposes_a_host_each",
                violation_error_message="Exposed workspaces need a host each: put {namespace}"
                " into the host of the address, and no path after it.",
            ),
            models.CheckConstraint(
                condition=Q(gpu_backend__in=[each.value for each in GpuBackend]),
                name="cluster_gpu_backend_known",
            ),
            models.CheckConstraint(
                condition=Q(gpu_backend=GpuBackend.DEVICE_PLUGIN.value)
                | Q(gpu_operator_namespace=""),
                name="cluster_operator_needs_the_plugin",
                violation_error_message="The GPU Operator that cuts and shares GPUs belongs to the"
                " device plugin: leave its namespace empty with dynamic resource allocation.",
            ),
        )

    def __str__(self) -> str:
        return self.display_name


class Pool(models.Model):
    """Nodes that are booked together.  Every node is in one pool at the most.

    A pool's advisory lock therefore guards all of it: devices, CPU, memory and storage.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="pools")
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=40, unique=True)
    description = models.CharField(max_length=200, blank=True)
    is_shared = models.BooleanField(
        default=False,
        help_text="Replicas of its devices go to several teams at once, by an administrator's word",
    )
    shared_because = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(is_shared=False) | ~Q(shared_because=""),
                name="pool_shared_for_a_reason",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """One server, with what Kubernetes may allocate on it.

    ``is_schedulable`` is whether it is booked at all: the cluster must allow it, and no
    administrator have taken the node out (``is_withdrawn``).  ``reported_devices`` counts what the
    cluster shows of each resource name, None until it was asked; ``is_ready`` is its last word on
    the node's health.  While ``frozen_because`` says why its GPUs cannot be relied on, no session
    starts there.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="nodes")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="nodes", null=True, blank=True
    )
    name = models.CharField(max_length=253)
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    storage_gib = models.PositiveIntegerField()
    is_schedulable = models.BooleanField(default=True)
    is_withdrawn = models.BooleanField(
        default=False, help_text="An administrator took it out: an import does not bring it back"
    )
    reported_devices = models.JSONField(
        null=True, blank=True, help_text="Resource name -> devices, as the cluster shows them"
    )
    reported_at = models.DateTimeField(null=True, blank=True)
    is_ready = models.BooleanField(default=True)
    frozen_because = models.CharField(
        max_length=300, blank=True, help_text="Why no session starts on it; empty: they do"
    )
    labels_differ = models.CharField(
        max_length=300, blank=True, help_text="Where its labels and the inventory disagree"
    )

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="node_once_per_cluster"),
            models.CheckConstraint(
                condition=Q(is_withdrawn=False) | Q(is_schedulable=False),
                name="node_withdrawn_is_not_schedulable",
            ),
        )

    def __str__(self) -> str:
        return self.name


class DeviceState(models.TextChoices):
    """Whether a device can be booked.  Only a device in service can."""

    IN_SERVICE = "in_service", later("In service")
    DRAINING = "draining", later("Draining")
    FAILED = "failed", later("Failed")
    RETIRED = "retired", later("Retired")


class Device(models.Model):
    """A whole GPU or a MIG slice: what one booked unit is.

    ``ordinal`` counts the devices of one type on one node from 0.  ``uuid`` is None until something
    tells it (labels do not), and so is ``gpu_index``, the physical GPU of the node it lies on.
    ``compute_share`` is the part of that GPU's compute it has, ``replicas`` how many slots
    time-slicing advertises for it.

    An import retires what is gone (``retired_by_import``) and brings back only that.  A device that
    its cluster has not shown for a while (``missing_since``) fails by that, and comes back when it
    is shown again.  Every other state is an administrator's word.

    One that only a planned ``layout`` makes exists while that stands.  ``is_present`` is whether
    its GPU is cut so right now.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="devices")
    resource_name = models.CharField(max_length=80, help_text="e.g. nvidia.com/mig-1g.24gb")
    ordinal = models.PositiveSmallIntegerField()
    product = models.CharField(max_length=120)
    memory_mib = models.PositiveIntegerField()
    compute_share = models.DecimalField(
        max_digits=5, decimal_places=4, default=Decimal(1), help_text="Of its physical GPU: 1 = all"
    )
    gpu_index = models.PositiveSmallIntegerField(null=True, blank=True)
    replicas = models.PositiveSmallIntegerField(default=1)
    uuid = models.CharField(max_length=80, null=True, blank=True)
    state = models.CharField(
        max_length=12, choices=DeviceState.choices, default=DeviceState.IN_SERVICE
    )
    state_reason = models.CharField(max_length=300, blank=True)
    state_changed_at = models.DateTimeField(null=True, blank=True)
    retired_by_import = models.BooleanField(default=False)
    missing_since = models.DateTimeField(null=True, blank=True)
    layout = models.ForeignKey(
        "PlannedLayout", on_delete=models.PROTECT, related_name="devices", null=True, blank=True
    )
    is_present = models.BooleanField(default=True, help_text="Its GPU is cut so right now")

    class Meta:
        ordering = ("node", "resource_name", "ordinal")
        constraints = (
            models.UniqueConstraint(
                fields=("node", "resource_name", "ordinal"), name="device_once_per_node"
            ),
            models.UniqueConstraint(fields=("uuid",), name="device_uuid_unique"),
            models.CheckConstraint(condition=Q(replicas__gte=1), name="device_has_a_slot"),
            models.CheckConstraint(
                condition=Q(compute_share__gt=0, compute_share__lte=1),
                name="device_is_part_of_a_gpu",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in DeviceState]),
                name="device_state_known",
            ),
            models.CheckConstraint(
                condition=Q(retired_by_import=False) | Q(state=DeviceState.RETIRED.value),
                name="device_retired_by_import_is_retired",
            ),
        )

    def __str__(self) -> str:
        return f"{self.node}: {self.resource_name} #{self.ordinal}"


class ClosureKind(models.TextChoices):
    """Why something cannot be booked for a while."""

    MAINTENANCE = "maintenance", later("Maintenance")
    BLACKOUT = "blackout", later("Blackout")
    LAYOUT = "layout", later("GPUs cut anew")


# The third comes with a planned layout, and goes with it.
PLANNED_BY_HAND: Final = tuple(
    (kind.value, kind.label) for kind in (ClosureKind.MAINTENANCE, ClosureKind.BLACKOUT)
)


class TsTzRange(Func):
    """PostgreSQL's half-open range of two instants."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class ClosureQuerySet(models.QuerySet["Closure"]):
    def standing(self) -> "ClosureQuerySet":
        """Those nobody cancelled."""
        return self.filter(canceled_at=None)

    def overlapping(self, starts_at: datetime, ends_at: datetime) -> "ClosureQuerySet":
        return self.filter(starts_at__lt=ends_at, ends_at__gt=starts_at)


class Closure(models.Model):
    """A period, half-open, in which a node or a whole pool cannot be booked."""

    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="closures", null=True, blank=True
    )
    node = models.ForeignKey(
        Node, on_delete=models.PROTECT, related_name="closures", null=True, blank=True
    )
    kind = models.CharField(max_length=12, choices=ClosureKind.choices)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    canceled_at = models.DateTimeField(null=True, blank=True)
    layout = models.ForeignKey(
        "PlannedLayout", on_delete=models.PROTECT, related_name="closures", null=True, blank=True
    )

    objects = ClosureQuerySet.as_manager()

    class Meta:
        ordering = ("starts_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(pool=None, node__isnull=False) | Q(pool__isnull=False, node=None),
                name="closure_of_a_pool_or_a_node",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="closure_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in ClosureKind]),
                name="closure_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(kind=ClosureKind.LAYOUT.value, layout__isnull=False)
                | ~Q(kind=ClosureKind.LAYOUT.value) & Q(layout=None),
                name="closure_of_a_layout_is_its_own",
            ),
            *(
                ExclusionConstraint(
                    name=f"closure_once_per_{target}",
                    expressions=[
                        (target, RangeOperators.EQUAL),
                        ("kind", RangeOperators.EQUAL),
                        (TsTzRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                    ],
                    condition=Q(canceled_at=None) & Q(**{f"{target}__isnull": False}),
                )
                for target in ("pool", "node")
            ),
        )
        indexes = tuple(
            models.Index(
                fields=(target, "starts_at"),
                include=("ends_at",),
                condition=Q(canceled_at=None) & Q(**{f"{target}__isnull": False}),
                name=f"closure_by_{target}",
            )
            for target in ("pool", "node")
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.pool or self.node}"

    @property
    def of_pool(self) -> Pool | None:
        """The pool whose bookings it touches: its own, or that of its node."""
        return self.node.pool if self.node else self.pool


class PlannedLayout(models.Model):
    """One GPU, cut otherwise from ``starts_at`` until ``ends_at``, and as it was after that.

    ``cut`` counts its devices by resource name.  They are rows of their own; those that they
    displace are the GPU's other devices.  `gpuaas.inventory.layouts` says which states there are.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="layouts")
    gpu_index = models.PositiveSmallIntegerField("GPU")
    cut = models.JSONField(help_text="Resource name -> devices")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    state = models.CharField(
        max_length=16,
        choices=[(each.value, each.label) for each in layouts.State],
        default=layouts.State.PLANNED.value,
    )
    state_reason = models.CharField(max_length=300, blank=True)
    state_changed_at = models.DateTimeField()
    is_late = models.BooleanField(default=False, help_text="People were told that it takes longer")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("starts_at", "pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="layout_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[each.value for each in layouts.State]),
                name="layout_state_known",
            ),
            ExclusionConstraint(
                name="layout_once_per_node",
                expressions=[
                    ("node", RangeOperators.EQUAL),
                    (TsTzRange("starts_at", "ends_at"), RangeOperators.OVERLAPS),
                ],
                condition=Q(state__in=sorted(each.value for each in layouts.STANDING)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.node}: GPU {self.gpu_index} as {layouts.in_words(self.cut)}"
