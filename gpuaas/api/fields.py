"""Serializer fields that accept less than REST framework's own."""

from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

UTC_ZONE: Final = ZoneInfo("UTC")
ZONES: Final = frozenset(available_timezones())


class InstantField(serializers.DateTimeField):
    """A date and time with its offset from UTC; without one it could mean several instants."""

    default_error_messages = {
        "naive": "Say which time zone is meant: end it with Z, or with an offset such as +01:00.",
        "overflow": "This lies outside the calendar.",
    }

    def __init__(self, **options: object) -> None:
        super().__init__(default_timezone=UTC, **options)  # type: ignore[arg-type]

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")


@extend_schema_field({"type": "string", "examples": ["Europe/Berlin"]})
class ZoneField(serializers.Field[ZoneInfo, str, str, Any]):
    """The name of a time zone, as the IANA calls it."""

    default_error_messages = {"unknown_zone": "There is no such time zone: Europe/Berlin is one."}

    def to_internal_value(self, data: Any) -> ZoneInfo:
        if not isinstance(data, str) or data not in ZONES:
            self.fail("unknown_zone")
        return ZoneInfo(data)


@extend_schema_field(
    {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["22:00:00"]}
)
class LocalTimeField(serializers.TimeField):
    """A time of day in a pool's own zone.  JSON Schema's ``time`` would have an offset."""
