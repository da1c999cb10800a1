"""Reading request bodies: what is not known is refused, not dropped."""

import copy
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.fields import ListField


class StrictInput(serializers.Serializer[None]):
    """A body, or a query, in which a misspelled field is a mistake that is said."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                message = f"There is no such field; there are {', '.join(self.fields)}."
                raise serializers.ValidationError(
                    {name: [message] for name in unknown}, code="unknown_field"
                )
        return super().to_internal_value(self._plain(data))

    def _plain(self, data: Any) -> Any:
        """Return a query as plain data: in one, REST framework takes what is blank for missing."""
        if not isinstance(data, QueryDict):
            return data
        many = {name for name, field in self.fields.items() if isinstance(field, ListField)}
        repeated = [name for name in data if name not in many and len(data.getlist(name)) > 1]
        if repeated:
            raise serializers.ValidationError(
                {name: ["Say it once."] for name in repeated}, code="repeated"
            )
        return {name: data.getlist(name) if name in many else data[name] for name in data}


class CursorQuery(StrictInput):
    """The query of a list in pages: what it takes besides is the pages' own to read."""

    limit = serializers.CharField(required=False)
    cursor = serializers.CharField(required=False)


def without_page(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a list is narrowed by."""
    return {name: given[name] for name in given if name not in {"limit", "cursor"}}


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
