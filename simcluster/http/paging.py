"""Lists in pages: each continues the snapshot its first page was taken from."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from simcluster import errors
from simcluster.objects import Object
from simcluster.objects.kinds import Kind

SNAPSHOTS_KEPT: Final = 200
TOO_OLD: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a listing, and the version it shows."""

    items: list[Object]
    version: int


class Pages:
    """The listings that somebody may still go on with."""

    def __init__(self) -> None:
        self._rests: OrderedDict[str, Rest] = OrderedDict()

    def first(self, kind: Kind, items: list[Object], version: int, limit: int) -> Object:
        """Return the first page of a listing; ``limit`` 0 is everything."""
        return self._page(kind, Rest(items, version), limit)

    def following(self, kind: Kind, token: str, limit: int) -> Object:
        """Return the page that a token stands for, or raise 410."""
        rest = self._rests.get(token)
        if rest is None:
            raise errors.expired(TOO_OLD)
        return self._page(kind, rest, limit)

    def expire(self) -> None:
        """Make every token too old."""
        self._rests.clear()

    def _page(self, kind: Kind, rest: Rest, limit: int) -> Object:
        size = limit or len(rest.items)
        metadata: Object = {"resourceVersion": str(rest.version)}
        left = rest.items[size:]
        if left:
            token = secrets.token_urlsafe(16)
            self._rests[token] = Rest(left, rest.version)
            while len(self._rests) > SNAPSHOTS_KEPT:
                self._rests.popitem(last=False)
            metadata |= {"continue": token, "remainingItemCount": len(left)}
        return {
            "kind": kind.list_name,
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": [_without_type(item) for item in rest.items[:size]],
        }


def _without_type(item: Object) -> Object:
    """Return an item as lists carry it: the list says what its items are."""
    return {key: value for key, value in item.items() if key not in {"apiVersion", "kind"}}
