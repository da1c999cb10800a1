"""Everything that changes what people are told.

`announce` is called by whoever makes the change, the rest by the task that delivers and by the
interfaces.  How it fits together: docs/design/notifications.md.
"""

from gpuaas.notifications.services.announcements import (
    AnnouncementNotYours,
    AnnouncementRefused,
    dismiss,
    keep_announcement,
)
from gpuaas.notifications.services.delivery import deliver, try_again
from gpuaas.notifications.services.fanout import fan_out
from gpuaas.notifications.services.memberships import announce_memberships
from gpuaas.notifications.services.outbox import announce, forget
from gpuaas.notifications.services.personal import UnknownPreference, mark_read, prefer, prefer_all
from gpuaas.notifications.services.webhooks import (
    NotTheManager,
    WebhookRefused,
    remove_webhook,
    set_webhook,
)

__all__ = [
    "AnnouncementNotYours",
    "AnnouncementRefused",
    "NotTheManager",
    "UnknownPreference",
    "WebhookRefused",
    "announce",
    "announce_memberships",
    "deliver",
    "dismiss",
    "fan_out",
    "forget",
    "keep_announcement",
    "mark_read",
    "prefer",
    "prefer_all",
    "remove_webhook",
    "set_webhook",
    "try_again",
]
