"""Templates as one picks them, and whom one books for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import User
from gpuaas.portal import wording

if TYPE_CHECKING:
    from reservations.models import BookingTemplate

MATES: Final = 500
# The lengths that the booking form has as chips, by their minutes.
_CHIPS: Final = {60: "1h", 120: "2h", 240: "4h", 480: "8h"}


@dataclass(frozen=True, slots=True)
class Mate:
    """Somebody a manager may book for."""

    username: str
    name: str


@dataclass(frozen=True, slots=True)
class TemplateCard:
    """One template; ``query`` fills the booking form."""

    public_id: UUID
    name: str
    what: str
    length: str
    team: str
    pool: str
    owner: str
    purpose: str
    is_shared: bool
    query: str


def mates_of(user: User, now: datetime) -> list[Mate]:
    """Return whom ``user`` may book for besides themselves, by name; mostly nobody."""
    found = accounts.mates_of(user, now=now)[:MATES]
    return [Mate(each.username, each.get_full_name() or each.username) for each in found]


def template_cards(templates: "Iterable[BookingTemplate]", now: datetime) -> list[TemplateCard]:
    """Return the cards of ``templates``."""
    return [_card(each, now) for each in templates]


def _card(template: "BookingTemplate", now: datetime) -> TemplateCard:
    return TemplateCard(
        public_id=template.public_id,
        name=template.name,
        what=wording.amount(template.units, template.resource_name),
        length=wording.duration(timedelta(minutes=template.minutes)),
        team=template.team.name,
        pool=template.pool.name,
        owner=template.owner.get_full_name() or template.owner.username,
        purpose=template.purpose,
        is_shared=template.is_shared,
        query=urlencode(_fields(template, now)),
    )


def _fields(template: "BookingTemplate", now: datetime) -> dict[str, object]:
    asked: dict[str, object] = {
        "team": template.team.slug,
        "type": f"{template.pool.slug}/{template.resource_name}",
        "units": template.units,
        "mode": template.mode,
        "purpose": template.purpose,
    }
    if template.cpu_millicores:
        asked["cpu_cores"] = template.cpu_millicores // 1000
    if template.memory_mib:
        asked["memory_gib"] = template.memory_mib // 1024
    if template.storage_gib:
        asked["storage_gib"] = template.storage_gib
    if template.minutes in _CHIPS:
        return asked | {"length": _CHIPS[template.minutes]}
    starts_at = (now + timedelta(minutes=59)).replace(minute=0, second=0, microsecond=0)
    ends_at = starts_at + timedelta(minutes=template.minutes)
    return asked | {
        "begins": "later",
        "starts_at": starts_at.isoformat(),
        "length": "until",
        "ends_at": ends_at.isoformat(),
    }
