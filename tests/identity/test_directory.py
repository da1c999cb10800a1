"""From groups to roles: pure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaas.identity.directory import Changes, Rule, changes, groups_in, may_enter, wanted

ROLES = st.sampled_from(["viewer", "member", "manager"])
TEAMS = st.integers(1, 4)


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({}, "groups", set()),
        ({"groups": None}, "groups", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"groups": ["a", 7, "", "x" * 201]}, "groups", {"a"}),
        ({"realm_access": "a"}, "realm_access.roles", set()),
    ],
)
def test_groups_of_an_answer(claims: dict[str, Any], claim: str, groups: set[str]) -> None:
    assert groups_in(claims, claim) == groups


def test_who_may_enter() -> None:
    rules = [Rule("ml", team_id=1, role="member")]

    assert may_enter(frozenset({"ml"}), allowed=frozenset(), rules=rules)
    assert may_enter(frozenset({"guests"}), allowed=frozenset({"guests"}), rules=rules)
    assert not may_enter(frozenset({"guests"}), allowed=frozenset(), rules=rules)
    assert not may_enter(frozenset(), allowed=frozenset({"guests"}), rules=rules)


def test_the_strongest_role_counts() -> None:
    rules = [
        Rule("a", team_id=1, role="manager"),
        Rule("b", team_id=1, role="viewer"),
        Rule("b", team_id=2, role="member"),
        Rule("c", team_id=3, role="member"),
        Rule("a", organisation_role="finance"),
        Rule("b", organisation_role="platform_admin"),
    ]

    given_by = wanted(frozenset({"a", "b"}), rules)

    assert given_by.roles == {1: "manager", 2: "member"}
    assert given_by.organisation_role == "platform_admin"


@given(st.dictionaries(TEAMS, ROLES), st.sets(TEAMS), st.dictionaries(TEAMS, ROLES))
def test_what_changes_leads_to_what_is_wanted_and_then_to_nothing(
    held: dict[int, str], by_hand: set[int], roles: dict[int, str]
) -> None:
    held = {team: role for team, role in held.items() if team not in by_hand}

    planned = changes(held=held, by_hand=by_hand, wanted_roles=roles)
    after = {t: r for t, r in (held | dict(planned.grant)).items() if t not in planned.end}

    assert after == {team: role for team, role in roles.items() if team not in by_hand}
    assert not by_hand & (planned.grant.keys() | planned.end)
    assert changes(held=after, by_hand=by_hand, wanted_roles=roles) == Changes({}, frozenset())
