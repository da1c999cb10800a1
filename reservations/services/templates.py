"""Templates: what somebody books again and again, under a name."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from gpuaas.core.modes import AllocationMode
from gpuaas.inventory.models import Pool
from reservations import policy
from reservations.capacity import Demand, Window
from reservations.models import BookingTemplate
from reservations.services import rules
from reservations.services.refusals import NotYourTeam, WishRefused
from reservations.services.wishes import Wish, usual_demand

AT_MOST: Final = 50


class TemplateNameTaken(errors.DomainError):
    """The person has a template of that name."""

    code = "template_name_taken"


class TooManyTemplates(errors.DomainError):
    """One person has no more than fit on a page."""

    code = "too_many_templates"


class NotYourTemplate(errors.DomainError):
    """It is shared with one, and somebody else's."""

    code = "not_your_template"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a template says.  CPU, memory and storage of None are the fair share, whatever it is."""

    resource_name: str
    units: int
    minutes: int
    mode: AllocationMode = AllocationMode.INTERACTIVE
    cpu_millicores: int | None = None
    memory_mib: int | None = None
    storage_gib: int | None = None
    purpose: str = ""


def save_template(
    *,
    owner: User,
    team: Team,
    pool: Pool,
    name: str,
    pattern: Pattern,
    is_shared: bool,
    now: datetime,
) -> BookingTemplate:
    """Keep ``pattern`` under ``name``; with ``is_shared`` the team's others see it too.

    Raises:
        NotYourTeam: ``owner`` may not book for ``team``.
        WishRefused: nothing like that can ever be booked in ``pool``.
        TemplateNameTaken, TooManyTemplates: see there.
    """
    if not accounts.may_book_for(team, person=owner, now=now):
        raise NotYourTeam(f"you cannot book for {team}: ask its manager to make you a member")
    _check(pool, pattern, now)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # one at a time, or both would fit
        own = BookingTemplate.objects.filter(owner=owner)
        if own.filter(name=name).exists():
            raise TemplateNameTaken(f"you have a template {name!r}: take another name")
        if own.count() >= AT_MOST:
            raise TooManyTemplates(f"you have {AT_MOST} templates, the most: delete one first")
        made = BookingTemplate.objects.create(
            owner=owner,
            team=team,
            pool=pool,
            name=name,
            is_shared=is_shared,
            resource_name=pattern.resource_name,
            units=pattern.units,
            minutes=pattern.minutes,
            mode=pattern.mode.value,
            cpu_millicores=pattern.cpu_millicores,
            memory_mib=pattern.memory_mib,
            storage_gib=pattern.storage_gib,
            purpose=pattern.purpose,
            created_at=now,
        )
        audit.record(
            "template.created", subject=made.subject, actor=owner, team=team, at=now, name=name
        )
    return made


def delete_template(*, template: BookingTemplate, actor: User, now: datetime) -> None:
    """Forget it; what was booked with it stays.

    Raises:
        NotYourTemplate: ``actor`` is neither who made it nor a manager of its team.
    """
    is_theirs = template.owner_id == actor.pk
    if not is_theirs and rules.authority_over(template.team, person=actor, now=now) is None:
        raise NotYourTemplate(
            f"{template.owner} made it: they, or a manager of the team, delete it"
        )
    with transaction.atomic():
        deleted, _ = BookingTemplate.objects.filter(pk=template.pk).delete()
        if deleted:
            audit.record(
                "template.deleted",
                subject=template.subject,
                actor=actor,
                team=template.team,
                at=now,
                name=template.name,
            )


def wish_from(
    template: BookingTemplate, *, starts_at: datetime, ends_at: datetime | None = None
) -> Wish:
    """Return the wish that ``template`` is, from ``starts_at`` on; as long as it says, or till."""
    usual = usual_demand(
        pool=template.pool, resource_name=template.resource_name, units=template.units
    )
    return Wish(
        resource_name=template.resource_name,
        units=template.units,
        window=Window(starts_at, ends_at or starts_at + timedelta(minutes=template.minutes)),
        mode=AllocationMode(template.mode),
        cpu_millicores=template.cpu_millicores or usual.cpu_millicores,
        memory_mib=template.memory_mib or usual.memory_mib,
        storage_gib=template.storage_gib or usual.storage_gib,
        purpose=template.purpose,
    )


def _check(pool: Pool, pattern: Pattern, now: datetime) -> None:
    usual = usual_demand(pool=pool, resource_name=pattern.resource_name, units=pattern.units)
    demand = Demand(
        pattern.units,
        pattern.cpu_millicores or usual.cpu_millicores,
        pattern.memory_mib or usual.memory_mib,
        pattern.storage_gib or usual.storage_gib,
    )
    window = Window(now, now + timedelta(minutes=pattern.minutes))
    wish = Wish(
        resource_name=pattern.resource_name,
        units=pattern.units,
        window=window,
        mode=pattern.mode,
        cpu_millicores=demand.cpu_millicores,
        memory_mib=demand.memory_mib,
        storage_gib=demand.storage_gib,
    )
    against = (
        *policy.problems_with(window=window, units=pattern.units, now=now),
        *rules.problems_with_hardware(pool, wish),
        *policy.problems_with_demand(demand),
    )
    if against:
        raise WishRefused(against)
