"""What the platform tells everybody for a while, and who has seen enough of it."""

from datetime import datetime

from django.db import transaction

from gpuaas.accounts.models import User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from gpuaas.notifications.models import Announcement, Dismissal


class AnnouncementNotYours(errors.DomainError):
    """Only platform administrators tell everybody something."""

    code = "announcement_not_yours"


class AnnouncementRefused(errors.DomainError):
    """It would be shown at no time, or says nothing."""

    code = "announcement_refused"


def keep_announcement(*, announcement: Announcement, actor: User, now: datetime) -> None:
    """Write ``announcement``, new or changed, as it is.

    Whoever dismissed it before sees it again when what it says has changed.

    Raises:
        AnnouncementNotYours: ``actor`` does not administer the platform.
        AnnouncementRefused: it has no title, or ends before it starts.
    """
    if not (actor.is_active and actor.is_platform_admin):
        raise AnnouncementNotYours("only platform administrators write announcements")
    if not announcement.title.strip():
        raise AnnouncementRefused("an announcement needs a title")
    if announcement.ends_at <= announcement.starts_at:
        raise AnnouncementRefused("an announcement ends after it starts")
    with transaction.atomic():
        before = Announcement.objects.filter(pk=announcement.pk).first()
        announcement.written_by, announcement.written_at = actor, now
        announcement.save()
        if before and (before.title, before.text) != (announcement.title, announcement.text):
            Dismissal.objects.filter(announcement=announcement).delete()
        audit.record(
            "announcement.changed" if before else "announcement.written",
            subject=f"announcement:{announcement.pk}",
            actor=actor,
            at=now,
            title=announcement.title,
            level=announcement.level,
            starts_at=announcement.starts_at.isoformat(),
            ends_at=announcement.ends_at.isoformat(),
        )


def dismiss(*, announcement: Announcement, person: User, now: datetime) -> None:
    """Show ``announcement`` to ``person`` no more.  Done twice, it is done once."""
    row = Dismissal(announcement=announcement, person=person, at=now)
    Dismissal.objects.bulk_create([row], ignore_conflicts=True)
