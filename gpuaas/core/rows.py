"""Models out of hand-written SQL, where putting a query together takes longer than answering it."""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


class Columns(Generic[M]):
    """All columns of a model: as a SELECT names them, and as its rows are read.

    Raises:
        TypeError: a column needs converting that only the ORM does, JSON for example.
    """

    def __init__(self, model: type[M], alias: str) -> None:
        fields = model._meta.concrete_fields  # noqa: SLF001 -- documented by Django
        if any(field.get_db_converters(connection) for field in fields):
            raise TypeError(f"{model.__name__} has columns that only the ORM can read")
        self._model = model
        self._names: Final = [field.attname for field in fields]
        self.sql: Final = ", ".join(f"{alias}.{field.column}" for field in fields)
        self.width: Final = len(fields)

    def read(self, values: Sequence[Any]) -> M:
        """Return the row whose columns, in the order of ``sql``, have ``values``."""
        return self._model.from_db(connection.alias, self._names, values)
