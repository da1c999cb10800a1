"""From the directory's groups to roles: functions of plain data."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

# Of several groups that speak of one team, the one that allows the most counts.
_RANK: Final = {"viewer": 1, "member": 2, "manager": 3}
_ORGANISATION_RANK: Final = {"finance": 1, "platform_admin": 2}
LONGEST_GROUP: Final = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """Who is in ``group`` has ``role`` in the team, or ``organisation_role``."""

    group: str
    team_id: int | None = None
    role: str = ""
    organisation_role: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody's groups give: a role per team, and one across all teams."""

    roles: Mapping[int, str]
    organisation_role: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What brings the memberships that stand to those that are wanted."""

    grant: Mapping[int, str]
    end: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.grant or self.end)


def groups_in(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the groups that a provider's answer names under ``claim``.

    ``claim`` may lead inwards (``realm_access.roles``).  One name is a list of one; whatever is
    missing or has another form is no group: who has none is let in nowhere.
    """
    found: Any = claims
    for name in claim.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return frozenset()
    return frozenset(
        each for each in found if isinstance(each, str) and 0 < len(each) <= LONGEST_GROUP
    )


def may_enter(groups: Set[str], *, allowed: Set[str], rules: Iterable[Rule]) -> bool:
    """Return whether one of ``groups`` is allowed in, by name or because it gives a role."""
    return not groups.isdisjoint(allowed | {rule.group for rule in rules})


def wanted(groups: Set[str], rules: Iterable[Rule]) -> Wanted:
    """Return what ``groups`` give by ``rules``."""
    roles: dict[int, str] = {}
    organisation_role = ""
    for rule in rules:
        if rule.group not in groups:
            continue
        if rule.team_id is None:
            organisation_role = max(
                organisation_role, rule.organisation_role, key=_organisation_rank
            )
        else:
            roles[rule.team_id] = max(roles.get(rule.team_id, ""), rule.role, key=_rank)
    return Wanted(roles, organisation_role)


def changes(
    *, held: Mapping[int, str], by_hand: Set[int], wanted_roles: Mapping[int, str]
) -> Changes:
    """Return what to change of the directory's memberships; those by hand are left alone.

    ``held`` are the roles that came from the directory and stand, by team; ``by_hand`` the teams
    in which somebody gave a role that stands.
    """
    return Changes(
        grant={
            team_id: role
            for team_id, role in wanted_roles.items()
            if team_id not in by_hand and held.get(team_id) != role
        },
        end=frozenset(held.keys() - wanted_roles.keys()),
    )


def _rank(role: str) -> int:
    return _RANK.get(role, 0)


def _organisation_rank(role: str) -> int:
    return _ORGANISATION_RANK.get(role, 0)
