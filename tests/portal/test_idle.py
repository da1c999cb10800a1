"""Idle sessions in the portal: paused and resumed; hours returned on the team's page."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import MembershipRole
from reservations import services
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> WorkspaceSession:
    now = timezone.now()
    reservation = make.reservation(
        state=State.ACTIVE, at=Window(now - timedelta(hours=1), now + timedelta(hours=3))
    )
    made = make.session(of=reservation, state=SessionState.READY)
    WorkspaceSession.objects.filter(pk=made.pk).update(paused_at=now, ready_at=now)
    return WorkspaceSession.objects.get(pk=made.pk)


@pytest.fixture
def owner(session: WorkspaceSession, client: Client) -> Client:
    person = session.reservation.requested_by
    client.force_login(person)
    return client


def test_a_paused_workspace_says_so_and_is_resumed(
    owner: Client, session: WorkspaceSession
) -> None:
    page = reverse("portal:reservation", args=[session.reservation.public_id])
    shown = owner.get(page).content.decode()
    assert 'data-testid="resume"' in shown
    assert 'data-testid="workspace-link"' not in shown

    answer = owner.post(reverse("portal:resume", args=[session.reservation.public_id]))

    assert answer["Location"] == page
    assert WorkspaceSession.objects.get(pk=session.pk).paused_at is None
    assert 'data-testid="workspace-link"' in owner.get(page).content.decode()


def test_what_is_not_paused_says_that_nothing_was_changed(
    owner: Client, session: WorkspaceSession
) -> None:
    WorkspaceSession.objects.filter(pk=session.pk).update(paused_at=None)
    address = reverse("portal:resume", args=[session.reservation.public_id])

    assert "Nothing was changed" in owner.post(address, follow=True).content.decode()

    booked = make.reservation(
        by=session.reservation.team, requested_by=session.reservation.requested_by
    )
    address = reverse("portal:resume", args=[booked.public_id])
    assert owner.post(address).status_code == 302


def test_returned_hours_are_on_the_teams_page(owner: Client, session: WorkspaceSession) -> None:
    team = session.reservation.team
    address = reverse("portal:team_month", args=[team.slug])
    manager = Client()
    manager.force_login(make.user(teams=[team], role=MembershipRole.MANAGER))
    assert "nobody came" not in owner.get(address).content.decode()

    now = timezone.now()
    services.release_idle(
        reservation=Reservation.objects.get(pk=session.reservation_id),
        idle_since=now - timedelta(hours=1),
        now=now,
    )

    for browser in (owner, manager):
        shown = browser.get(address).content.decode()
        assert "of them because nobody came, or used them any more" in shown
