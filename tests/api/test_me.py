"""``/api/v1/me/``: who asks, by cookie and by token."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import MembershipRole, OrganisationRole
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db
ME = "/api/v1/me/"


def test_a_person_and_what_they_are_in_their_teams() -> None:
    person = make.user(username="ada", organisation_role=OrganisationRole.FINANCE)
    make.membership(of=make.team(slug="vision"), whose=person, expires_at=make.at(2))
    make.membership(of=make.team(slug="speech"), whose=person, role=MembershipRole.VIEWER)
    make.membership(of=make.team(slug="left"), whose=person, expires_at=make.NOON)
    archived = make.team(slug="archived")
    make.membership(of=archived, whose=person)
    archived.is_active = False
    archived.save()

    body = client_of(person).get(ME).json()

    assert [(t["slug"], t["role"], t["may_book"], t["expires_at"]) for t in body.pop("teams")] == [
        ("archived", "member", False, None),
        ("speech", "viewer", False, None),
        ("vision", "member", True, "2026-03-01T14:00:00Z"),
    ]
    assert body == {
        "username": "ada",
        "name": "",
        "email": "ada@example.com",
        "organisation_role": "finance",
        "token": None,
    }


def test_a_program_hears_when_its_token_ends(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    person = make.user(teams=[make.team() for _ in range(3)])
    _, text = accounts.create_token(
        person=person, name="ci", expires_at=make.at(5), longest=timedelta(days=1), now=make.NOON
    )
    program = APIClient(headers={"Authorization": f"Bearer {text}"})
    program.get(ME)  # from here on it was used

    with django_assert_max_num_queries(2):
        body = program.get(ME).json()

    assert body["token"] == {"name": "ci", "scope": "full", "expires_at": "2026-03-01T17:00:00Z"}
