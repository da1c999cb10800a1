"""Pages of lists that grow for ever: nobody waits for a count of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet

MOST: Final = 500
DEEPEST: Final = 100


class ShortPaginator(Paginator):  # type: ignore[type-arg]  # of any row
    """Pages of the first `MOST` rows; whoever looks for an older one narrows the list.

    An exact count of a long list reads all of it, and nobody turns to page 20,000.
    """

    @cached_property
    def count(self) -> int:
        """The number of rows, as far as they have pages."""
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return min(len(rows), MOST)
        # In their order: the index that finds the page finds these, and stops.
        return rows[:MOST].count()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page of a list that nobody counted: it knows whether there is another."""

    rows: Sequence[Any]
    number: int
    per_page: int
    has_next: bool

    @property
    def has_previous(self) -> bool:
        return self.number > 1

    @property
    def start_index(self) -> int:
        """The number of its first row, from 1; 0 where there is none."""
        return (self.number - 1) * self.per_page + 1 if self.rows else 0

    @property
    def end_index(self) -> int:
        return (self.number - 1) * self.per_page + len(self.rows)


def leaf_of(rows: QuerySet[Any], asked: object, *, per_page: int) -> Leaf:
    """Return the page that ``asked`` names, the first where that is no number; one query.

    Pages end at the `DEEPEST`: to skip rows is to read them.
    """
    text = str(asked)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 1  # noqa: PLR2004
    number = min(max(number, 1), DEEPEST)
    first = (number - 1) * per_page
    found = list(rows[first : first + per_page + 1])
    if number > 1 and not found:  # the list has become shorter
        return leaf_of(rows, 1, per_page=per_page)
    has_next = len(found) > per_page and number < DEEPEST
    return Leaf(found[:per_page], number, per_page, has_next)
