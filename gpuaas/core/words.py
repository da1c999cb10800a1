"""What people call the things that are booked.  Pure."""

from datetime import UTC, datetime
from typing import Final

WHOLE_GPU: Final = "nvidia.com/gpu"
TIMES: Final = "\N{MULTIPLICATION SIGN}"


def resource(name: str) -> str:
    """Return what people call a resource type: ``Whole GPU``, ``MIG slice 1g.24gb``."""
    if name == WHOLE_GPU:
        return "Whole GPU"
    profile = name.partition("/mig-")[2]
    return f"MIG slice {profile}" if profile else name


def amount(units: int, resource_name: str) -> str:
    """Return how many of what: the number, a times sign, the name of the type."""
    return f"{units} {TIMES} {resource(resource_name)}"


def instant(at: datetime) -> str:
    """Return a moment in a sentence; pages recognise the form and show it in local time."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
