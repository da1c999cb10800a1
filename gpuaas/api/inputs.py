"""Reading request bodies: what is not known is refused, not dropped."""

import copy
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class StrictInput(serializers.Serializer[None]):
    """A body in which a misspelled field is a mistake that is said."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                message = f"There is no such field; there are {', '.join(self.fields)}."
                raise serializers.ValidationError(
                    {name: [message] for name in unknown}, code="unknown_field"
                )
        return super().to_internal_value(data)


def read(form: serializers.Serializer[None], data: Any) -> dict[str, Any]:
    """Return what ``form`` makes of ``data``; the form itself, and its fields, stay as they are.

    Raises:
        ValidationError: as the form says it.
    """
    form.fields  # noqa: B018 -- made here, once, or every copy makes them anew
    filled = copy.copy(form)
    filled.initial_data = data
    filled.is_valid(raise_exception=True)
    found: dict[str, Any] = filled.validated_data
    return found
