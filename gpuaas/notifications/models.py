"""What people are to be told, written with the change that it tells of, and how far that is."""

from django.db import models
from django.db.models import F, Q

from gpuaas.accounts.models import Team, User
from gpuaas.core.language import later
from gpuaas.notifications.events import Channel

_CHANNELS = [(channel.value, channel.value.capitalize()) for channel in Channel]


class OutboxMessage(models.Model):
    """One thing to tell.  ``key`` says which: the same key is told once, however often it comes.

    The columns are plain, so that a function in the database can write a row as well.
    """

    key = models.CharField(max_length=200)
    event = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    data = models.JSONField()
    created_at = models.DateTimeField()
    fanned_out_at = models.DateTimeField(
        null=True, help_text="When it was decided who is told; None: not yet"
    )
    problem = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        ordering = ("-pk",)
        constraints = (
            # Not unique=True: that would bring a second index, for LIKE, into every booking.
            models.UniqueConstraint(fields=("key",), name="outbox_told_once"),
        )
        indexes = (
            models.Index(
                fields=("id",), condition=Q(fanned_out_at=None), name="outbox_not_fanned_out"
            ),
        )

    def __str__(self) -> str:
        return self.key


class Notice(models.Model):
    """One message for one person, in the list behind the bell."""

    message = models.ForeignKey(OutboxMessage, on_delete=models.CASCADE, related_name="notices")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("message", "person"), name="notice_once_per_person"),
        )
        indexes = (
            models.Index(fields=("person", "-id"), name="notice_by_person"),
            models.Index(fields=("person",), condition=Q(read_at=None), name="notice_unread"),
        )

    def __str__(self) -> str:
        return f"{self.message} for {self.person}"


class DeliveryState(models.TextChoices):
    """How far a delivery is.  DEAD: given up, for a platform administrator to look at."""

    WAITING = "waiting", later("Waiting")
    DONE = "done", later("Done")
    SKIPPED = "skipped", later("Not needed any more")
    DEAD = "dead", later("Given up")


class Delivery(models.Model):
    """One message on its way out, to a person or to a team's webhook."""

    message = models.ForeignKey(OutboxMessage, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=10, choices=_CHANNELS)
    person = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    state = models.CharField(
        max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    next_try_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, help_text="When telling it would be too late")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "deliveries"
        constraints = (
            models.CheckConstraint(
                condition=Q(person=None) ^ Q(team=None), name="delivery_to_one_of_the_two"
            ),
            models.UniqueConstraint(
                fields=("message", "channel", "person"),
                condition=Q(team=None),
                name="delivery_once_per_person",
            ),
            models.UniqueConstraint(
                fields=("message", "channel", "team"),
                condition=Q(person=None),
                name="delivery_once_per_team",
            ),
        )
        indexes = (
            models.Index(
                fields=("channel", "next_try_at"),
                condition=Q(state=DeliveryState.WAITING),
                name="delivery_waiting",
            ),
            models.Index(
                fields=("-id",),
                condition=Q(state=DeliveryState.DEAD),
                name="delivery_dead",
            ),
        )

    def __str__(self) -> str:
        return f"{self.message} to {self.person or self.team} by {self.channel}"


class Preference(models.Model):
    """Where one person wants something else than the default of an event."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.CharField(max_length=60)
    channel = models.CharField(max_length=10, choices=_CHANNELS)
    is_on = models.BooleanField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("person", "event", "channel"), name="preference_once_per_channel"
            ),
        )

    def __str__(self) -> str:
        return f"{self.event} by {self.channel} for {self.person}: {self.is_on}"


class Webhook(models.Model):
    """Where a person's or a team's messages are sent, signed with ``secret``.

    The address is a secret too: whoever knows it can often post there.
    """

    person = models.OneToOneField(User, on_delete=models.CASCADE, null=True, related_name="+")
    team = models.OneToOneField(Team, on_delete=models.CASCADE, null=True, related_name="+")
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(person=None) ^ Q(team=None), name="webhook_of_one_of_the_two"
            ),
        )

    def __str__(self) -> str:
        return f"webhook of {self.person or self.team}"


class Level(models.TextChoices):
    """How loud an announcement is."""

    INFO = "info", "Information"
    WARNING = "warning", "Warning"
    DANGER = "danger", "Trouble"


class Announcement(models.Model):
    """What everybody is told between two instants, on the start page and over every other."""

    title = models.CharField(max_length=120)
    text = models.TextField(max_length=1000, blank=True)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Make it the past to take it back")
    written_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField()

    class Meta:
        ordering = ("-starts_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="announcement_ends_after_it_starts"
            ),
        )
        indexes = (models.Index(fields=("ends_at",), name="announcement_by_end"),)

    def __str__(self) -> str:
        return self.title


class Dismissal(models.Model):
    """That somebody has seen enough of an announcement."""

    announcement = models.ForeignKey(
        Announcement, on_delete=models.CASCADE, related_name="dismissals"
    )
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("announcement", "person"), name="dismissed_once"),
        )

    def __str__(self) -> str:
        return f"{self.announcement}: {self.person}"
