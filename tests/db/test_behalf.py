"""A manager books for a mate of the team."""

import pytest

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit import selectors as audit
from gpuaas.notifications.models import OutboxMessage
from reservations import services
from reservations.models import Reservation
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def mona(team: Team) -> User:
    return make.user(teams=[team], role=MembershipRole.MANAGER, username="mona")


def book(team: Team, whose: User, by: User) -> Reservation:
    return services.admit(
        pool=make.pool(), team=team, requested_by=whose, booked_by=by, wish=make.wish(),
        now=make.NOON,
    )  # fmt: skip


def test_it_is_the_mates_and_the_trail_says_who_did_it(team: Team, ada: User, mona: User) -> None:
    booked = book(team, ada, mona)

    assert booked.requested_by == ada
    (event,) = audit.history_of(booked.subject)
    assert (event.actor, event.data["booked_by"]) == (mona, "mona")
    message = OutboxMessage.objects.get(subject=booked.subject)
    assert (message.data["requested_by"], message.data["actor"]) == (ada.pk, mona.pk)


def test_a_platform_administrator_may_too(team: Team, ada: User) -> None:
    root = make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)

    assert book(team, ada, root).requested_by == ada


def test_a_member_books_for_nobody_else(team: Team, ada: User) -> None:
    other = make.user(teams=[team])

    with pytest.raises(services.NotYourTeam, match="only a manager of Vision"):
        book(team, ada, other)

    assert not Reservation.objects.exists()


def test_nobody_books_for_who_is_not_of_the_team(team: Team, mona: User) -> None:
    with pytest.raises(services.NotYourTeam):
        book(team, make.user(), mona)


def test_for_oneself_it_is_no_other_booking(team: Team, ada: User) -> None:
    booked = book(team, ada, ada)

    (event,) = audit.history_of(booked.subject)
    assert "booked_by" not in event.data


def test_a_mate_is_found_by_name(team: Team, ada: User, mona: User) -> None:
    assert services.mate(name="ada", team=team, actor=mona, now=make.NOON) == ada
    assert services.mate(name="ada", team=team, actor=ada, now=make.NOON) == ada


@pytest.mark.parametrize("name", ["nobody", "stranger", "viewer", "gone"])
def test_whoever_books_for_another_team_is_nobody(team: Team, mona: User, name: str) -> None:
    make.user(teams=[make.team()], username="stranger")
    make.user(teams=[team], role=MembershipRole.VIEWER, username="viewer")
    make.user(teams=[team], username="gone", is_active=False)

    with pytest.raises(services.WishRefused) as refused:
        services.mate(name=name, team=team, actor=mona, now=make.NOON)

    (problem,) = refused.value.problems
    assert (problem.code, problem.field) == ("unknown_person", "on_behalf_of")


def test_a_member_does_not_learn_who_is_there(team: Team, ada: User) -> None:
    for name in ("mona", "nobody"):
        with pytest.raises(services.NotYourTeam):
            services.mate(name=name, team=team, actor=ada, now=make.NOON)


def test_an_archived_team_has_nobody_who_books(team: Team, ada: User, mona: User) -> None:
    Team.objects.filter(pk=team.pk).update(is_active=False)
    team.refresh_from_db()

    with pytest.raises(services.WishRefused):
        services.mate(name="ada", team=team, actor=mona, now=make.NOON)


def test_in_line_the_trail_says_who_put_them_there(team: Team, ada: User, mona: User) -> None:
    pool = make.pool()
    make.reservation(of=pool, units=4)
    waiting = services.book_or_wait(
        pool=pool, team=team, requested_by=ada, booked_by=mona, wish=make.wish(), now=make.NOON
    )

    event = audit.history_of(waiting.subject)[0]
    assert (waiting.state, event.actor) == ("WAITLISTED", mona)
