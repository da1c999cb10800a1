"""What a request with an Idempotency-Key was answered, so that it is done once."""

from django.db import models
from django.db.models import Q

from gpuaas.accounts.models import User


class KeyedRequest(models.Model):
    """One request of ``person``, by the key that they gave it.

    Without a ``status`` it is under way, or its process died.  A ``body`` of None is an answer
    with a secret in it, which is not kept.
    """

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # SHA-256 of person, method, path and key: one column finds it, and the key is not kept.
    digest = models.CharField(max_length=64, unique=True)
    # SHA-256 of everything else that says what is wanted.
    fingerprint = models.CharField(max_length=64)
    # What the request makes can have this number, so that it is found when the answer was lost.
    number = models.UUIDField()
    created_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=1)
    busy_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(status=None) | Q(status__range=(200, 499)),
                name="keyed_request_keeps_what_is_final",
            ),
        )

    def __str__(self) -> str:
        return f"request {self.number}, try {self.tries}"
