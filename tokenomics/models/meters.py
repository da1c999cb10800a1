"""How far the meters were read: the last values of counters, and which time was seen."""

from django.db import models
from django.db.models import F, Q

from gpuaas.inventory.models import Cluster

_RESERVATION = "reservations.Reservation"


class MeterSeries(models.Model):
    """The last reading of one counter of a cluster: what the next is compared with.

    ``name`` says whose it is (pod, container, engine, model; or GPU).  ``birth`` is when the
    process that counts was born, in seconds since the epoch, None when it does not tell.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=400)
    reservation = models.ForeignKey(
        _RESERVATION, on_delete=models.PROTECT, null=True, related_name="+"
    )
    birth = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    counts = models.JSONField()
    read_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "meter series"
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="meter_series_once"),
        )

    def __str__(self) -> str:
        return self.name


class MeterSpan(models.Model):
    """A stretch of a booking in which every reading of all its engines came soon after the last."""

    reservation = models.ForeignKey(_RESERVATION, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ("since",)
        constraints = (
            models.UniqueConstraint(fields=("reservation", "since"), name="meter_span_once"),
            models.CheckConstraint(condition=Q(until__gte=F("since")), name="meter_span_forward"),
        )

    def __str__(self) -> str:
        return f"{self.reservation} {self.since:%Y-%m-%d %H:%M}-{self.until:%H:%M}"


class FinalReading(models.Model):
    """The last look at a session's engines before its namespace went; ``problem`` if it failed."""

    reservation = models.OneToOneField(_RESERVATION, on_delete=models.PROTECT, related_name="+")
    read_at = models.DateTimeField()
    problem = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.reservation}: {self.problem or 'read'}"
