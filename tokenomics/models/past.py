"""What was when: the state of devices, and to which cost centre a team belonged."""

from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import Team
from gpuaas.inventory.models import Device, DeviceState


class DeviceSpan(models.Model):
    """A stretch of time in which a device was in one state; ``until`` None: it still is."""

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=DeviceState.choices)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("device", "since")
        constraints = (
            models.UniqueConstraint(
                fields=("device",), condition=Q(until=None), name="device_in_one_state"
            ),
            models.CheckConstraint(condition=Q(until__gte=F("since")), name="device_span_forward"),
        )

    def __str__(self) -> str:
        return f"{self.device} {self.state} since {self.since:%Y-%m-%d %H:%M}"


class TeamCostCentre(models.Model):
    """The cost centre of a team from ``since`` on: bookings keep the one they were made under."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    cost_centre = models.CharField(max_length=40, blank=True)
    since = models.DateTimeField()

    class Meta:
        ordering = ("team", "since")
        constraints = (
            models.UniqueConstraint(fields=("team", "since"), name="team_cost_centre_once"),
        )

    def __str__(self) -> str:
        return f"{self.team}: {self.cost_centre} since {self.since:%Y-%m-%d %H:%M}"
