"""The shapes of answers that views write by hand, for the OpenAPI document alone.

Tests hold every answer to its shape: tests/api/clients.py.
"""

from typing import Any

from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    """Describes JSON; makes none."""
