"""Notices as rows.  Pure: rows of the database in, finished text out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gpuaas.core.language import later
from gpuaas.core.sentences import in_language
from gpuaas.notifications import wording
from gpuaas.notifications.events import EVENTS, Channel

if TYPE_CHECKING:
    from gpuaas.notifications.models import Notice, Webhook

_LOOK: Final[Mapping[str, tuple[str, str]]] = {
    "reservation.approved": ("calendar-event", "info"),
    "reservation.starting": ("clock", "info"),
    "session.ready": ("circle-check", "success"),
    "reservation.ending": ("clock", "warning"),
    "reservation.completed": ("check", "secondary"),
    "reservation.canceled": ("ban", "secondary"),
    "reservation.failed": ("alert-triangle", "danger"),
    "reservation.moved": ("repeat", "info"),
    "reservation.flagged": ("alert-triangle", "warning"),
    "budget.threshold": ("coins", "warning"),
    "device.failed": ("cpu", "danger"),
}
_GROUPS: Final = {
    "reservation": later("My bookings"),
    "session": later("My bookings"),
    "membership": later("My teams"),
    "budget": later("My teams"),
    "device": later("Hardware"),
    "node": later("Hardware"),
    "layout": later("Hardware"),
}
CHANNEL: Final = {
    Channel.PORTAL: later("Here"),
    Channel.EMAIL: later("E-mail"),
    Channel.WEBHOOK: later("Webhook"),
}


@dataclass(frozen=True, slots=True)
class NoticeCard:
    """One notice.  ``path`` is the page it leads to, "" where it leads to none."""

    number: int
    title: str
    body: str
    path: str
    at: datetime
    is_read: bool
    team: str
    icon: str
    tone: str


def notice_card(notice: "Notice") -> NoticeCard:
    """Return the card of ``notice``."""
    message = notice.message
    team = message.team.name if message.team else ""
    text = wording.text_of(
        event=message.event, subject=message.subject, team=team, data=message.data
    )
    icon, tone = _LOOK.get(message.event, ("info-circle", "info"))
    return NoticeCard(
        number=notice.pk,
        title=in_language(text.title),
        body=text.body,
        path=text.path,
        at=message.created_at,
        is_read=notice.read_at is not None,
        team=team,
        icon=icon,
        tone=tone,
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """One checkbox: ``value`` is what it sends, ``label`` what a screen reader says."""

    value: str
    label: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One event and its checkboxes."""

    title: str
    group: str
    cells: tuple[Cell, ...]


def rows(chosen: Mapping[tuple[str, Channel], bool]) -> list[Row]:
    """Return the table of preferences; ``group`` stands with the first row of each group."""
    shown: list[Row] = []
    last = ""
    for event in EVENTS.values():
        if (event.name, Channel.PORTAL) not in chosen:
            continue
        group = _GROUPS[event.name.partition(".")[0]]
        cells = tuple(
            Cell(
                value=f"{event.name}/{channel.value}",
                label=f"{event.title}: {CHANNEL[channel]}",
                is_on=chosen[event.name, channel],
            )
            for channel in Channel
        )
        shown.append(Row(title=event.title, group="" if group == last else group, cells=cells))
        last = group
    return shown


@dataclass(frozen=True, slots=True)
class WebhookCard:
    """A webhook as its owners see it: the host alone, the rest of the address is a secret."""

    title: str
    team: str
    host: str
    secret: str


def webhook_card(webhook: "Webhook | None", *, title: str, team: str = "") -> WebhookCard:
    """Return the card of a webhook, or of the place where there is none yet."""
    host = str(urlsplit(webhook.url).hostname) if webhook else ""
    return WebhookCard(title=title, team=team, host=host, secret=webhook.secret if webhook else "")
