"""What the API server answers when it does not do what was asked, as the Status object it sends."""

from collections.abc import Sequence
from typing import Any

from simcluster.objects import Object

Cause = dict[str, str]


class ApiError(Exception):
    """A refusal: the HTTP status, the machine-readable reason, and the sentence for people."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}

    def as_status(self) -> Object:
        """Return the Status object that is the body of the answer."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def qualified(plural: str, group: str) -> str:
    """Return a resource's name as messages write it: ``pods``, ``deployments.apps``."""
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> ApiError:
    """Return the refusal of a name under which there is nothing."""
    return ApiError(
        404,
        "NotFound",
        f'{qualified(plural, group)} "{name}" not found',
        details=_details(plural, group, name),
    )


def already_exists(plural: str, group: str, name: str, *, leaving: bool = False) -> ApiError:
    """Return the refusal of a second object under one name (``leaving``: the first is deleted)."""
    what = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(
        409,
        "AlreadyExists",
        f"object is being deleted: {what}" if leaving else what,
        details=_details(plural, group, name),
    )


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """Return the refusal of a write that assumed something no longer true."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}',
        details=_details(plural, group, name),
    )


def forbidden(
    plural: str, group: str, name: str, why: str, causes: Sequence[Cause] = ()
) -> ApiError:
    """Return a refusal by authorization or admission; ``name`` is empty for a whole collection."""
    what = f'{qualified(plural, group)} "{name}"' if name else qualified(plural, group)
    details = _details(plural, group, name)
    if causes:
        details["causes"] = list(causes)
    return ApiError(403, "Forbidden", f"{what} is forbidden: {why}", details=details)


def invalid(kind: str, group: str, name: str, field: str, why: str) -> ApiError:
    """Return the refusal of a value the API does not allow in ``field``."""
    return ApiError(
        422,
        "Invalid",
        f'{qualified(kind, group)} "{name}" is invalid: {field}: {why}',
        details={
            **_details(kind, group, name),
            "causes": [{"reason": "FieldValueInvalid", "message": why, "field": field}],
        },
    )


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that makes no sense."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return the refusal of credentials that prove nothing."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def unknown_resource() -> ApiError:
    """Return the refusal of a path that leads to no kind."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def expired(message: str) -> ApiError:
    """Return the refusal to continue from a point that is no longer kept."""
    return ApiError(410, "Expired", message)


def _details(kind: str, group: str, name: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}
