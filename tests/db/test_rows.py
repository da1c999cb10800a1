"""What is asked by hand-written SQL is what the query sets say."""

import itertools
from dataclasses import replace

import pytest
from django.forms.models import model_to_dict
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import ApiToken, MembershipRole, OrganisationRole
from gpuaas.core.rows import Columns
from gpuaas.inventory import resource_types
from gpuaas.inventory import selectors as inventory
from gpuaas.inventory.models import Device, DeviceState, Node
from tests import make

pytestmark = pytest.mark.django_db

EVERY_ROLE = [None, *MembershipRole]


@pytest.mark.parametrize(
    ("role", "organisation_role", "is_active", "team_is_active", "hour"),
    list(itertools.product(EVERY_ROLE, OrganisationRole, (True, False), (True, False), (0, 1))),
)
def test_a_team_is_reached_as_far_as_the_query_sets_let(
    role: MembershipRole | None,
    organisation_role: OrganisationRole,
    is_active: bool,
    team_is_active: bool,
    hour: int,
) -> None:
    make.team()
    team = make.team()
    team.is_active = team_is_active
    team.save()
    person = make.user(organisation_role=organisation_role, is_active=is_active)
    if role is not None:
        make.membership(of=team, whose=person, role=role, expires_at=make.at(1))
    now = make.at(hour)

    found = accounts.team_called(team.slug, reader=person, now=now)
    may_book = accounts.may_book_for(team, person=person, now=now)

    assert found == accounts.teams_visible_to(person, now=now).filter(pk=team.pk).first()
    bookable = accounts.teams_bookable_by(person, now=now)
    assert may_book is bookable.filter(pk=team.pk).exists()
    if found is not None:
        assert accounts.may_book_for(found, person=person, now=now) is may_book
        assert found.bookable_by == (person.pk, now, may_book)
        assert model_to_dict(found) == model_to_dict(team)


def test_what_is_called_otherwise_is_not_found() -> None:
    admin = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)

    assert accounts.team_called("nobody", reader=admin, now=make.NOON) is None
    assert accounts.token_numbered("0123456789ab") is None
    assert inventory.pool_called("nowhere") is None


def test_a_token_brings_its_person_along_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    person = make.user()
    token = ApiToken.objects.create(
        person=person,
        name="ci",
        public_id="0123456789ab",
        digest="d",
        created_at=make.NOON,
        expires_at=make.at(1),
    )

    with django_assert_num_queries(1):
        found = accounts.token_numbered(token.public_id)
        assert found is not None
        assert found.person.username == person.username

    assert (found, found.expires_at, found.person) == (token, token.expires_at, person)


def test_a_pool_is_read_whole() -> None:
    pool = make.pool()

    found = inventory.pool_called(pool.slug)

    assert found == pool
    assert (found.name, found.cluster_id) == (pool.name, pool.cluster_id)


@pytest.mark.parametrize("resource_name", [make.GPU, make.SLICE, "nvidia.com/nothing"])
@pytest.mark.parametrize("away", [*DeviceState, "unschedulable"])
def test_a_type_is_what_it_is_among_all_types_of_the_pool(resource_name: str, away: str) -> None:
    make.pool(devices={make.GPU: 1})
    pool = make.pool(devices={make.GPU: 2, make.SLICE: 4}, nodes=2)
    node = pool.nodes.earliest("pk")
    Node.objects.filter(pk=node.pk).update(cpu_millicores=7_000, memory_mib=9_000)
    Device.objects.filter(node=node).update(memory_mib=10_000)
    if away == "unschedulable":
        Node.objects.filter(pk=node.pk).update(is_schedulable=False)
    else:
        Device.objects.filter(node=node, ordinal__lt=3).update(state=away)
    types = {each.resource_name: each for each in resource_types.of(pool)}

    found = resource_types.called(pool, resource_name)

    if resource_name in types:
        # What is promised of a unit is not asked for here.
        among_all = replace(types[resource_name], promise=None)
        assert found == (among_all, resource_types.pool_size(pool))
    else:
        assert found is None


def test_a_pool_without_nodes_has_no_type_and_no_size() -> None:
    pool = make.pool(nodes=0)

    assert resource_types.called(pool, make.SLICE) is None
    assert resource_types.pool_size(pool) == resource_types.PoolSize(0, 0, 0)


def test_a_model_that_only_the_orm_can_read_is_refused() -> None:
    with pytest.raises(TypeError, match="Node has columns"):
        Columns(Node, "node")
