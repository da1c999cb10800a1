"""The ledger of usage: what was read from meters or told by gateways, and never changed.

Triggers in the database refuse UPDATE, DELETE and TRUNCATE on the two ledgers.  What is summed of
them, by hour and by day, is added to in the transaction that inserts.
"""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import Team
from gpuaas.inventory.models import Cluster, Pool

_RESERVATION = "reservations.Reservation"


class LedgerEntry(models.Model):
    """What every entry has: who told, once; of which time; and in which month it counts.

    ``charged_month`` is the first of the month that pays: the one of ``ended_at``, or, when the
    entry came after that month's grace, the one in which it came.  ``digest`` is of the body: the
    same event told again with another body is refused.
    """

    source = models.CharField(max_length=120)
    event_id = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=16)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    arrived_at = models.DateTimeField()
    hour = models.DateTimeField(help_text="The hour, UTC, that it counts in")
    charged_month = models.DateField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"


class UsageEntry(LedgerEntry):
    """Tokens that one model of one booking processed between two instants.

    A figure that the engine does not tell is None, which is not 0.  ``prompt_cached`` came out of
    a cache; ``prompt_computed`` did not.  ``evidence`` holds the counters that a reading went from
    and to.
    """

    # Indexed below with the hour.
    reservation = models.ForeignKey(
        _RESERVATION, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # What the reservation holds in its place anyway is not checked once more for each row.
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    pool = models.ForeignKey(
        Pool, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    is_reading = models.BooleanField(help_text="Read from counters, not told per request")
    engine = models.CharField(max_length=20)
    model = models.CharField(max_length=200)
    prompt_computed = models.BigIntegerField(null=True)
    prompt_cached = models.BigIntegerField(null=True)
    generated = models.BigIntegerField(null=True)
    requests = models.BigIntegerField(null=True)
    evidence = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "usage entries"
        constraints = (
            models.UniqueConstraint(fields=("source", "event_id"), name="usage_told_once"),
            models.CheckConstraint(
                condition=Q(ended_at__gte=F("started_at")), name="usage_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(prompt_computed__gte=0)
                & Q(prompt_cached__gte=0)
                & Q(generated__gte=0)
                & Q(requests__gte=0),
                name="usage_not_negative",
            ),
        )
        indexes = (
            models.Index(fields=("reservation", "hour"), name="usage_by_reservation"),
            BrinIndex(fields=("arrived_at",), name="usage_by_arrival"),
        )


class GpuEntry(LedgerEntry):
    """What one physical GPU, or one slice of it, did between two instants, for one booking.

    ``reservation`` is None for what nobody had booked.  ``seen_ms`` is for how long it was watched,
    ``active_ms`` for how much of that it worked (relative to the slice); ``energy_mj`` is its part
    of the board's energy, None where the board does not measure it.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+", db_index=False)
    node = models.CharField(max_length=253)
    gpu_uuid = models.CharField(max_length=80)
    instance = models.CharField(max_length=20, blank=True, help_text="GPU instance; empty: whole")
    reservation = models.ForeignKey(
        _RESERVATION, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    seen_ms = models.BigIntegerField()
    active_ms = models.BigIntegerField(null=True)
    energy_mj = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "GPU entries"
        constraints = (
            models.UniqueConstraint(fields=("source", "event_id"), name="gpu_told_once"),
            models.CheckConstraint(
                condition=Q(seen_ms__gte=0) & Q(active_ms__gte=0) & Q(energy_mj__gte=0),
                name="gpu_not_negative",
            ),
        )
        indexes = (
            models.Index(fields=("reservation", "hour"), name="gpu_by_reservation"),
            BrinIndex(fields=("arrived_at",), name="gpu_by_arrival"),
        )


class TokenSums(models.Model):
    """What is summed of entries; figures that were not told count as nothing."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="+")
    model = models.CharField(max_length=200)
    charged_month = models.DateField()
    is_reading = models.BooleanField()
    prompt_computed = models.BigIntegerField(default=0)
    prompt_cached = models.BigIntegerField(default=0)
    generated = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    entries = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class UsageHour(TokenSums):
    """The entries of one booking and model in one hour (UTC)."""

    reservation = models.ForeignKey(_RESERVATION, on_delete=models.PROTECT, related_name="+")
    hour = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("reservation", "model", "hour", "charged_month", "is_reading"),
                name="usage_hour_once",
            ),
        )
        indexes = (models.Index(fields=("charged_month", "hour"), name="usage_hour_by_month"),)

    def __str__(self) -> str:
        return f"{self.model} {self.hour:%Y-%m-%d %H}h"


class UsageDay(TokenSums):
    """The entries of one team, pool and model on one day (UTC)."""

    day = models.DateField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("charged_month", "team", "pool", "model", "day", "is_reading"),
                name="usage_day_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.day}"


class GpuHour(models.Model):
    """The GPU entries of one booking (None: of nobody) on one GPU or slice in one hour (UTC).

    ``measured_ms`` is the part of ``seen_ms`` for which the energy was measured.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    reservation = models.ForeignKey(
        _RESERVATION, on_delete=models.PROTECT, null=True, related_name="+"
    )
    gpu_uuid = models.CharField(max_length=80)
    instance = models.CharField(max_length=20, blank=True)
    hour = models.DateTimeField()
    charged_month = models.DateField()
    seen_ms = models.BigIntegerField(default=0)
    active_ms = models.BigIntegerField(default=0)
    active_seen_ms = models.BigIntegerField(default=0)
    measured_ms = models.BigIntegerField(default=0)
    energy_mj = models.BigIntegerField(default=0)
    entries = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("reservation", "gpu_uuid", "instance", "hour", "charged_month", "cluster"),
                name="gpu_hour_once",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=("charged_month", "hour"), name="gpu_hour_by_month"),)

    def __str__(self) -> str:
        return f"{self.gpu_uuid} {self.hour:%Y-%m-%d %H}h"
