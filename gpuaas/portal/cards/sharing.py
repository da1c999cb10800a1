"""Whom a workspace is shared with, for its page.  Pure: rows in, finished text out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpuaas.portal.cards.teams import name_of

if TYPE_CHECKING:
    from gpuaas.accounts.models import User
    from sessions.models import Guest


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody who is let in, or could be."""

    username: str
    name: str
    may_be_removed: bool = False


@dataclass(frozen=True, slots=True)
class SharingCard:
    """The guests, and for the owner whom else they can let in."""

    guests: tuple[PersonLine, ...]
    mates: tuple[PersonLine, ...]
    may_share: bool


def sharing_card(
    guests: "Iterable[Guest]", *, mates: "Iterable[User]", reader: "User", may_share: bool
) -> SharingCard:
    """Return the card as ``reader`` sees it; ``mates`` are whom the owner may choose from."""
    people = [each.person for each in guests]
    inside = {person.pk for person in people}
    return SharingCard(
        guests=tuple(
            PersonLine(each.username, name_of(each), may_share or each.pk == reader.pk)
            for each in people
        ),
        mates=tuple(
            PersonLine(each.username, name_of(each)) for each in mates if each.pk not in inside
        ),
        may_share=may_share,
    )
