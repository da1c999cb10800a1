"""The hardware: clusters, their nodes, the devices on them, and the pools they are booked from."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q


class Cluster(models.Model):
    """One Kubernetes cluster.  Its credentials are a mounted file, never a column."""

    name = models.SlugField(
        max_length=40,
        unique=True,
        help_text="Also the name of the credentials: <name>.kubeconfig",
    )
    display_name = models.CharField(max_length=80)
    is_enabled = models.BooleanField(default=True, help_text="Whether the reconciler works on it")
    in_cluster = models.BooleanField(
        default=False, help_text="Use the reconciler pod's own ServiceAccount instead of a file"
    )
    storage_class = models.CharField(max_length=80, default="lvms-vg1")
    workspace_url_template = models.CharField(
        max_length=200,
        validators=[RegexValidator(r"\{namespace\}", "must contain {namespace}")],
        help_text="Where a session's workspace answers, e.g. https://{namespace}.apps.example.com/",
    )

    class Meta:
        ordering = ("name",)

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

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Node(models.Model):
    """One server, with what Kubernetes may allocate on it."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="nodes")
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="nodes", null=True, blank=True
    )
    name = models.CharField(max_length=253)
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    storage_gib = models.PositiveIntegerField()
    is_schedulable = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="node_once_per_cluster"),
        )

    def __str__(self) -> str:
        return self.name


class DeviceState(models.TextChoices):
    """Whether a device can be booked."""

    IN_SERVICE = "in_service", "In service"
    RETIRED = "retired", "Retired"


class Device(models.Model):
    """A whole GPU or a MIG slice: what one booked unit is.

    ``ordinal`` counts the devices of one type on one node from 0.  ``uuid`` is None until something
    tells it (labels do not).  ``replicas`` is how many slots time-slicing advertises for it.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="devices")
    resource_name = models.CharField(max_length=80, help_text="e.g. nvidia.com/mig-1g.24gb")
    ordinal = models.PositiveSmallIntegerField()
    product = models.CharField(max_length=120)
    memory_mib = models.PositiveIntegerField()
    replicas = models.PositiveSmallIntegerField(default=1)
    uuid = models.CharField(max_length=80, null=True, blank=True)
    state = models.CharField(
        max_length=12, choices=DeviceState.choices, default=DeviceState.IN_SERVICE
    )

    class Meta:
        ordering = ("node", "resource_name", "ordinal")
        constraints = (
            models.UniqueConstraint(
                fields=("node", "resource_name", "ordinal"), name="device_once_per_node"
            ),
            models.UniqueConstraint(fields=("uuid",), name="device_uuid_unique"),
            models.CheckConstraint(condition=Q(replicas__gte=1), name="device_has_a_slot"),
        )

    def __str__(self) -> str:
        return f"{self.node}: {self.resource_name} #{self.ordinal}"
