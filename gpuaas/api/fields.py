"""Serializer fields that accept less than REST framework's own."""

import re
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

UTC_ZONE: Final = ZoneInfo("UTC")
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
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
    {"type": "string", "pattern": r"^[0-9]{4}-(0[1-9]|1[0-2])$", "examples": ["2026-10"]}
)
class MonthField(serializers.Field[date, str, str, Any]):
    """A month, written 2026-10; it is kept as its first day."""

    default_error_messages = {"not_a_month": "Write a month as 2026-10."}

    def to_internal_value(self, data: Any) -> date:
        if not isinstance(data, str) or not _MONTH.fullmatch(data):
            self.fail("not_a_month")
        try:
            return date.fromisoformat(f"{data}-01")
        except ValueError:
            self.fail("not_a_month")


@extend_schema_field(
    {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["22:00:00"]}
)
class LocalTimeField(serializers.TimeField):
    """A time of day in a pool's own zone.  JSON Schema's ``time`` would have an offset."""
