"""Templates: kept under a name, shared with a team, and booked with."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gpuaas.accounts.models import MembershipRole, Team, User
from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Pool
from reservations import selectors, services
from reservations.models import BookingTemplate
from reservations.services import templates
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db
PATTERN = services.Pattern(resource_name=SLICE, units=2, minutes=90, purpose="nightly")


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def pool() -> Pool:
    return make.pool()


def save(pool: Pool, ada: User, team: Team, **more: Any) -> BookingTemplate:
    usual: dict[str, Any] = {"name": "nightly", "pattern": PATTERN, "is_shared": False}
    return services.save_template(
        owner=ada, team=team, pool=pool, now=make.NOON, **{**usual, **more}
    )


def test_what_is_kept_can_be_booked(pool: Pool, ada: User, team: Team) -> None:
    kept = save(pool, ada, team)

    wish = services.wish_from(kept, starts_at=make.at(1))
    booked = services.admit(pool=pool, team=team, requested_by=ada, wish=wish, now=make.NOON)

    assert (booked.units, booked.purpose) == (2, "nightly")
    assert booked.window == make.window(1, 2.5)
    usual = services.usual_demand(pool=pool, resource_name=SLICE, units=2)
    assert booked.memory_mib == usual.memory_mib
    assert str(kept) == "nightly"
    assert AuditEvent.objects.filter(subject=kept.subject, action="template.created").exists()


def test_what_it_says_of_memory_counts_and_an_end_too(pool: Pool, ada: User, team: Team) -> None:
    kept = save(pool, ada, team, pattern=replace(PATTERN, memory_mib=4096, cpu_millicores=2000))

    wish = services.wish_from(kept, starts_at=make.at(1), ends_at=make.at(5))

    assert (wish.memory_mib, wish.cpu_millicores, wish.window) == (4096, 2000, make.window(1, 5))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"units": 99}, "too_many_units"),
        ({"resource_name": "nvidia.com/none"}, "unknown_type"),
        ({"minutes": 1}, "window_too_short"),
        ({"minutes": 15 * 24 * 60}, "window_too_long"),
        ({"memory_mib": 1}, "too_little"),
    ],
)
def test_what_can_never_be_booked_is_not_kept(
    pool: Pool, ada: User, team: Team, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(services.WishRefused) as refused:
        save(pool, ada, team, pattern=replace(PATTERN, **changes))

    assert code in [each.code for each in refused.value.problems]
    assert not BookingTemplate.objects.exists()


def test_names_and_numbers_are_bounded(
    pool: Pool, ada: User, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(pool, ada, team)
    with pytest.raises(services.TemplateNameTaken):
        save(pool, ada, team)
    monkeypatch.setattr(templates, "AT_MOST", 1)
    with pytest.raises(services.TooManyTemplates):
        save(pool, ada, team, name="other")


def test_only_for_a_team_that_one_books_for(pool: Pool, ada: User, team: Team) -> None:
    with pytest.raises(services.NotYourTeam):
        save(pool, make.user(), team)


def test_shared_ones_are_seen_by_who_books_for_the_team(pool: Pool, ada: User, team: Team) -> None:
    own, shared = save(pool, ada, team), save(pool, ada, team, name="all", is_shared=True)
    bob, viewer = make.user(teams=[team]), make.user(teams=[team], role=MembershipRole.VIEWER)
    stranger = make.user(teams=[make.team()])

    def seen(by: User) -> list[BookingTemplate]:
        return list(selectors.templates_visible_to(by, now=make.NOON))

    assert seen(ada) == [shared, own]
    assert (seen(bob), seen(viewer), seen(stranger)) == ([shared], [], [])
    gone = make.user(teams=[team])
    make.membership(of=team, whose=gone, expires_at=make.NOON - timedelta(days=1))
    assert seen(gone) == []


def test_its_maker_or_a_manager_deletes_it(pool: Pool, ada: User, team: Team) -> None:
    own, shared = save(pool, ada, team), save(pool, ada, team, name="all", is_shared=True)
    bob, mona = make.user(teams=[team]), make.user(teams=[team], role=MembershipRole.MANAGER)

    with pytest.raises(services.NotYourTemplate):
        services.delete_template(template=shared, actor=bob, now=make.NOON)
    services.delete_template(template=shared, actor=mona, now=make.NOON)
    services.delete_template(template=own, actor=ada, now=make.NOON)
    services.delete_template(template=own, actor=ada, now=make.NOON)  # gone: no second event

    assert not BookingTemplate.objects.exists()
    assert AuditEvent.objects.filter(action="template.deleted").count() == 2
