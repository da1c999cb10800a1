"""The running side of a reservation."""

import enum
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import models
from django.db.models import Q

from gpuaas.accounts.models import User
from gpuaas.inventory.models import Cluster, Exposure


class SessionState(enum.StrEnum):
    """Where a session is.  ENDED: its namespace was seen to be gone."""

    PROVISIONING = "PROVISIONING"
    READY = "READY"
    STOPPING = "STOPPING"
    ENDED = "ENDED"


TRANSITIONS: Final[Mapping[SessionState, frozenset[SessionState]]] = {
    SessionState.PROVISIONING: frozenset({SessionState.READY, SessionState.STOPPING}),
    SessionState.READY: frozenset({SessionState.STOPPING}),
    SessionState.STOPPING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}


class WorkspaceSessionQuerySet(models.QuerySet["WorkspaceSession"]):
    def not_ended(self) -> "WorkspaceSessionQuerySet":
        return self.exclude(state=SessionState.ENDED.value)

    def not_put_off(self, now: datetime) -> "WorkspaceSessionQuerySet":
        """Those whose back-off after a failure, if any, is over."""
        return self.filter(Q(retry_at=None) | Q(retry_at__lte=now))


class WorkspaceSession(models.Model):
    """One namespace, for one reservation."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reservation = models.OneToOneField(
        "reservations.Reservation", on_delete=models.PROTECT, related_name="workspace"
    )
    namespace = models.CharField(max_length=63, unique=True)
    namespace_uid = models.CharField(max_length=36, blank=True)
    state = models.CharField(
        max_length=12,
        choices=[(state.value, state.value.capitalize()) for state in SessionState],
        default=SessionState.PROVISIONING.value,
    )
    waiting_for = models.CharField(max_length=300, blank=True)
    looked_at = models.DateTimeField(null=True, help_text="When it was last seen waiting")
    waited_seconds = models.PositiveIntegerField(
        default=0, help_text="Time watched waiting before it was ready; outages do not count"
    )
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row")
    last_error = models.CharField(max_length=500, blank=True)
    retry_at = models.DateTimeField(null=True)
    visited_at = models.DateTimeField(null=True, help_text="When somebody first opened it")
    active_at = models.DateTimeField(
        null=True, help_text="When it was last used: opened, or pods of its people seen"
    )
    unseen_at = models.DateTimeField(
        null=True, help_text="When a look last could not tell whether it is used"
    )
    quiet_since = models.DateTimeField(
        null=True, help_text="Since when every probe found no GPU, kernel or terminal at work"
    )
    probed_at = models.DateTimeField(null=True, help_text="When it was last probed for work")
    idle_told_at = models.DateTimeField(null=True, help_text="When its person heard it is idle")
    paused_at = models.DateTimeField(
        null=True, help_text="Since when its workspace is stopped because nobody used it"
    )
    exposure = models.CharField(
        max_length=8,
        choices=Exposure.choices,
        default=Exposure.NONE,
        help_text="As its cluster had it when it began: what runs behind a door keeps it",
    )
    door_seed = models.TextField(
        blank=True, help_text="What the secrets of its door are made from; sealed"
    )
    door_digest = models.CharField(
        max_length=64, blank=True, help_text="Of what the portal knows about its door"
    )
    pod_templates = models.JSONField(
        default=dict,
        help_text="What its pods were started with, by Deployment: an upgrade restarts nobody",
    )
    opened_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = WorkspaceSessionQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(
                fields=("state",),
                condition=~Q(state=SessionState.ENDED.value),
                name="session_not_ended",
            ),
        )

    def __str__(self) -> str:
        return self.namespace


class Guest(models.Model):
    """Somebody of the team whom the owner lets into the workspace of a booking."""

    reservation = models.ForeignKey(
        "reservations.Reservation", on_delete=models.CASCADE, related_name="guests"
    )
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    invited_at = models.DateTimeField()

    class Meta:
        ordering = ("invited_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=("reservation", "person"), name="guest_once"),
        )

    def __str__(self) -> str:
        return str(self.person)


SHORTEST_TOKEN: Final = timedelta(minutes=10)  # no API server makes a shorter one
TOKEN_KEPT_FOR: Final = timedelta(minutes=15)


class TokenState(enum.StrEnum):
    """Where a cluster token is.  EXPIRED: nobody took it in time."""

    NONE = "NONE"
    ASKED = "ASKED"
    READY = "READY"
    TAKEN = "TAKEN"
    EXPIRED = "EXPIRED"
    REFUSED = "REFUSED"


class ClusterToken(models.Model):
    """A token for a session's namespace that its owner asked for; another takes its place.

    ``sealed`` is the token, from when the cluster made it until it is shown, or nobody came for it.
    """

    session = models.OneToOneField(WorkspaceSession, on_delete=models.CASCADE, related_name="token")
    asked_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    asked_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="As the cluster says")
    taken_at = models.DateTimeField(null=True)
    sealed = models.TextField(blank=True)
    problem = models.CharField(max_length=300, blank=True, help_text="Why the cluster made none")

    def __str__(self) -> str:
        return f"token of {self.session}"

    def state_at(self, now: datetime) -> TokenState:
        """Return where it is."""
        if self.problem:
            return TokenState.REFUSED
        if self.taken_at is not None:
            return TokenState.TAKEN
        if self.made_at is None:
            return TokenState.ASKED
        is_there = self.sealed and self.expires_at is not None and now < self.expires_at
        return TokenState.READY if is_there and now < self.taken_until else TokenState.EXPIRED

    @property
    def taken_until(self) -> datetime:
        """Until when it waits to be taken."""
        return (self.made_at or self.asked_at) + TOKEN_KEPT_FOR

    @staticmethod
    def is_over_at(now: datetime) -> Q:
        """Return which ones nobody can take any more."""
        return (
            Q(made_at__lte=now - TOKEN_KEPT_FOR)
            | Q(expires_at__lte=now)
            | ~Q(session__state=SessionState.READY.value)
        )


class SessionQuota(models.Model):
    """What a session may use and what it does, as its cluster counted it at the last look.

    ``hard`` and ``used`` map the keys of its ResourceQuota to quantities as Kubernetes writes them.
    """

    session = models.OneToOneField(WorkspaceSession, on_delete=models.CASCADE, related_name="quota")
    hard = models.JSONField()
    used = models.JSONField()
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"quota of {self.session}"


class ClusterWatch(models.Model):
    """The unbroken stretch of time in which a cluster was looked at again and again."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.cluster} from {self.since:%Y-%m-%d %H:%M}"


class PassRecord(models.Model):
    """What the passes over a cluster came to, all together; it only grows.

    The reconciler may be started anew at any time: what is counted here goes on.
    """

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="+")
    passes = models.PositiveBigIntegerField(default=0, help_text="That saw the whole cluster")
    failed_passes = models.PositiveBigIntegerField(default=0, help_text="That could not see it")
    seconds = models.FloatField(default=0, help_text="Of all passes together")
    at_most = models.JSONField(
        default=dict, help_text="How many passes took at most so many seconds"
    )
    answers = models.JSONField(default=dict, help_text='Requests by "verb status"')
    put_off = models.PositiveBigIntegerField(default=0, help_text="Items that failed")
    last_seconds = models.FloatField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    completed_at = models.DateTimeField(null=True, help_text="The last one that saw it")

    def __str__(self) -> str:
        return f"{self.cluster}: {self.passes} passes"


class SessionEvent(models.Model):
    """One line of a session's story, for its people."""

    session = models.ForeignKey(WorkspaceSession, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    message = models.CharField(max_length=500)
    is_problem = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.session}: {self.message}"
