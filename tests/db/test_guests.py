"""`sessions.services.share` and `unshare`, and to whom a workspace's door opens."""

from datetime import timedelta

import pytest

from gpuaas.accounts.models import Membership, MembershipRole, OrganisationRole, User
from gpuaas.audit.models import AuditEvent
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import selectors, services
from sessions.models import Guest, SessionState, WorkspaceSession
from sessions.services import guests
from tests import make

pytestmark = pytest.mark.django_db
NOW = make.at(1)


@pytest.fixture
def running() -> Reservation:
    team = make.team()
    return make.reservation(
        by=team,
        requested_by=make.user(teams=(team,), username="ada"),
        at=make.window(0, 4),
        state=State.ACTIVE,
    )


@pytest.fixture
def session(running: Reservation) -> WorkspaceSession:
    return make.session(of=running)


@pytest.fixture
def mate(running: Reservation) -> User:
    return make.user(teams=(running.team,), username="tom")


def share(running: Reservation, name: str = "tom") -> Guest:
    return services.share(reservation=running, name=name, actor=running.requested_by, now=NOW)


def is_let_in(person: User, session: WorkspaceSession) -> bool:
    return selectors.may_enter(person, public_id=session.public_id, now=NOW)


def test_the_door_opens_to_the_owner_and_to_whom_they_let_in(
    running: Reservation, session: WorkspaceSession, mate: User
) -> None:
    assert is_let_in(running.requested_by, session)
    assert not is_let_in(mate, session)

    share(running)
    assert is_let_in(mate, session)

    services.unshare(reservation=running, person=mate, actor=running.requested_by, now=NOW)
    assert not is_let_in(mate, session)
    events = AuditEvent.objects.filter(action__startswith="workspace.").order_by("pk")
    assert [(event.action, event.data, event.team) for event in events] == [
        ("workspace.shared", {"person": "tom"}, running.team),
        ("workspace.unshared", {"person": "tom"}, running.team),
    ]


def test_letting_in_and_out_again_twice_changes_nothing(running: Reservation, mate: User) -> None:
    assert share(running) == share(running)
    owner = running.requested_by

    assert services.unshare(reservation=running, person=mate, actor=owner, now=NOW)
    assert not services.unshare(reservation=running, person=mate, actor=owner, now=NOW)
    assert AuditEvent.objects.filter(action__startswith="workspace.").count() == 2


def test_a_guest_who_leaves_the_team_is_out(
    running: Reservation, session: WorkspaceSession, mate: User
) -> None:
    share(running)
    Membership.objects.filter(user=mate).update(expires_at=NOW - timedelta(minutes=1))

    assert not is_let_in(mate, session)


def test_an_owner_who_leaves_the_team_is_out(
    running: Reservation, session: WorkspaceSession
) -> None:
    Membership.objects.filter(user=running.requested_by).delete()

    assert not is_let_in(running.requested_by, session)


def test_who_is_switched_off_is_out(running: Reservation, session: WorkspaceSession) -> None:
    running.requested_by.is_active = False

    assert not is_let_in(running.requested_by, session)


@pytest.mark.parametrize("role", [OrganisationRole.FINANCE, OrganisationRole.PLATFORM_ADMIN])
def test_seeing_every_team_opens_no_door(session: WorkspaceSession, role: OrganisationRole) -> None:
    assert not is_let_in(make.user(organisation_role=role), session)


@pytest.mark.parametrize("state", [SessionState.STOPPING, SessionState.ENDED])
def test_the_door_of_a_session_that_ends_opens_to_nobody(
    running: Reservation, session: WorkspaceSession, state: SessionState
) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(state=state.value)

    assert not is_let_in(running.requested_by, session)


def test_a_workspace_is_shared_inside_its_team_only(running: Reservation) -> None:
    make.user(teams=(make.team(slug="language"),), username="eve")

    for name in ("eve", "nobody", "ada"):
        with pytest.raises(services.NotATeamMate, match=f"nobody else in .* is called {name}"):
            share(running, name)


def test_only_the_owner_shares(running: Reservation, mate: User) -> None:
    manager = make.user(teams=(running.team,), role=MembershipRole.MANAGER, username="mona")
    share(running)

    for change in (
        lambda: services.share(reservation=running, name="mona", actor=mate, now=NOW),
        lambda: services.unshare(reservation=running, person=mate, actor=manager, now=NOW),
    ):
        with pytest.raises(services.NotYourWorkspace, match="only ada shares this workspace"):
            change()


def test_a_guest_may_leave(running: Reservation, mate: User) -> None:
    share(running)

    assert services.unshare(reservation=running, person=mate, actor=mate, now=NOW)


def test_what_is_over_is_shared_with_nobody(running: Reservation, mate: User) -> None:
    Reservation.objects.filter(pk=running.pk).update(state=State.COMPLETED)
    running.refresh_from_db()

    with pytest.raises(services.NothingToShare, match="the booking is completed"):
        share(running, mate.username)


def test_there_are_only_so_many_guests(
    running: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "MOST_GUESTS", 1)
    for name in ("tom", "tim"):
        make.user(teams=(running.team,), username=name)
    share(running, "tom")

    with pytest.raises(services.TooManyGuests, match="shared with 1 people, and that is the most"):
        share(running, "tim")
    assert share(running, "tom").person.username == "tom"


def test_an_address_names_a_person_too(running: Reservation, mate: User) -> None:
    assert share(running, mate.email).person == mate
