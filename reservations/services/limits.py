"""Setting rules, limits and prices: by platform administrators, with an audit trail from and to."""

from collections.abc import Collection, Mapping
from datetime import datetime, time
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core import errors
from gpuaas.inventory.models import Pool
from reservations import facts, policy
from reservations.models import PoolRules, TeamLedger, TeamRules, UnitPrice, default_currency

_POOL_FIELDS: Final = frozenset((*facts.OF_POOL, *facts.OF_POOL_LATER))
_TEAM_FIELDS: Final = frozenset((*facts.OF_TEAM, "currency"))
_MOST_MINOR: Final = 2**40


class RulesNotYours(errors.DomainError):
    """Only platform administrators set rules, limits and prices."""

    code = "platform_admins_only"


class RulesRefused(errors.DomainError):
    """Rules that make no sense; ``problems`` names every field.  Nothing was changed."""

    code = "rules_refused"

    def __init__(self, problems: Collection[policy.Problem]) -> None:
        super().__init__("; ".join(f"{each.field}: {each.message}" for each in problems))
        self.problems = tuple(problems)


def set_pool_rules(
    *, pool: Pool, changes: Mapping[str, Any], actor: User, now: datetime
) -> PoolRules:
    """Set the rules of ``pool`` that ``changes`` names; None takes one away.

    Raises:
        RulesNotYours: the actor is no platform administrator.
        RulesRefused: with every field that is wrong.
    """
    _check_actor(actor)
    with transaction.atomic():
        PoolRules.objects.get_or_create(pool=pool)
        rules = PoolRules.objects.select_for_update().get(pool=pool)
        before = {name: getattr(rules, name) for name in sorted(_POOL_FIELDS)}
        _check({**before, **changes}, unknown=changes.keys() - _POOL_FIELDS)
        for name, value in changes.items():
            setattr(rules, name, value)
        rules.save()
        # What was evaluated under the old rules is evaluated again.
        TeamLedger.objects.update(version=F("version") + 1)
        _record("pool_rules.set", f"pool:{pool.slug}", before, changes, actor=actor, now=now)
    return rules


def set_team_rules(
    *,
    team: Team,
    changes: Mapping[str, Any],
    actor: User,
    now: datetime,
    pools: Collection[Pool] | None = None,
) -> TeamRules:
    """Set the limits of ``team`` that ``changes`` names; None takes one away.

    ``pools`` are those that it may book in: empty means every pool, None changes nothing.

    Raises:
        RulesNotYours: the actor is no platform administrator.
        RulesRefused: with every field that is wrong.
    """
    _check_actor(actor)
    with transaction.atomic():
        TeamLedger.objects.get_or_create(team=team)
        TeamRules.objects.get_or_create(team=team)
        rules = TeamRules.objects.select_for_update().get(team=team)
        before: dict[str, Any] = {name: getattr(rules, name) for name in sorted(_TEAM_FIELDS)}
        _check({**before, **changes}, unknown=changes.keys() - _TEAM_FIELDS)
        for name, value in changes.items():
            setattr(rules, name, value)
        rules.save()
        said = dict(changes)
        if pools is not None:
            before["pools"] = sorted(rules.pools.values_list("slug", flat=True))
            said["pools"] = sorted(pool.slug for pool in pools)
            rules.pools.set(pools)
        TeamLedger.objects.filter(team=team).update(version=F("version") + 1)
        subject = f"team:{team.slug}"
        _record("team_rules.set", subject, before, said, actor=actor, now=now, team=team)
    return rules


def set_price(
    *,
    pool: Pool,
    resource_name: str,
    minor_units_per_unit_hour: int,
    currency: str,
    valid_from: datetime,
    actor: User,
    now: datetime,
) -> UnitPrice:
    """Set what a unit of a type costs for an hour from ``valid_from`` on; never backwards.

    Bookings keep the price they were made at.

    Raises:
        RulesNotYours: the actor is no platform administrator.
        RulesRefused: with every field that is wrong.
    """
    _check_actor(actor)
    problems = []
    if not 0 <= minor_units_per_unit_hour <= _MOST_MINOR:
        message = f"give between 0 and {_MOST_MINOR} minor units an hour"
        problems.append(policy.Problem("too_small", "minor_units_per_unit_hour", message))
    if currency != default_currency():
        message = f"this installation counts in {default_currency()}, not in {currency or 'none'}"
        problems.append(policy.Problem("unknown_currency", "currency", message))
    if valid_from < now:
        message = f"prices change from now on, not backwards: {now:%Y-%m-%d %H:%M} UTC or later"
        problems.append(policy.Problem("valid_in_the_past", "valid_from", message))
    if not pool.nodes.filter(devices__resource_name=resource_name).exists():
        message = f"{pool} has no {resource_name}"
        problems.append(policy.Problem("unknown_type", "resource_name", message))
    if problems:
        raise RulesRefused(problems)
    with transaction.atomic():
        old = facts.prices_of(pool).filter(resource_name=resource_name).first()
        price = UnitPrice.objects.create(
            pool=pool,
            resource_name=resource_name,
            minor_units_per_unit_hour=minor_units_per_unit_hour,
            currency=currency,
            valid_from=valid_from,
            set_by=actor,
            set_at=now,
        )
        audit.record(
            "price.set",
            subject=f"pool:{pool.slug}",
            actor=actor,
            at=now,
            resource_name=resource_name,
            came_from=old.minor_units_per_unit_hour if old else None,
            to=minor_units_per_unit_hour,
            currency=currency,
            valid_from=valid_from.isoformat(),
        )
    return price


def _check_actor(actor: User) -> None:
    if not (actor.is_active and actor.is_platform_admin):
        raise RulesNotYours("ask a platform administrator to set rules, limits and prices")


def _check(values: Mapping[str, Any], *, unknown: Collection[str]) -> None:
    problems = [
        policy.Problem("unknown_field", name, f"there is no rule {name}")
        for name in sorted(unknown)
    ]
    problems += policy.problems_with_values(values, currency=default_currency())
    if problems:
        raise RulesRefused(problems)


def _record(
    action: str,
    subject: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    actor: User,
    now: datetime,
    team: Team | None = None,
) -> None:
    changed = {
        name: {"from": _plain(before[name]), "to": _plain(value)}
        for name, value in after.items()
        if before[name] != value
    }
    if changed:
        audit.record(action, subject=subject, actor=actor, team=team, at=now, changed=changed)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, time) else value
