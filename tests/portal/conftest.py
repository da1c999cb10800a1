"""A person at a browser, and what they look at."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.portal import at_hours

Book = Callable[..., Reservation]


@pytest.fixture
def team(db: None) -> Team:
    return make.team(slug="vision")


@pytest.fixture
def pool(db: None) -> Pool:
    return make.pool(slug="lab")


@pytest.fixture
def member(team: Team) -> User:
    return make.user(teams=(team,), username="ada")


@pytest.fixture
def browser(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def book(pool: Pool, team: Team, member: User) -> Book:
    """Book through the service: ``book(1, 3)`` from in one hour to in three."""

    def book(first_hour: float, last_hour: float, *, units: int = 1) -> Reservation:
        now = timezone.now()
        wish = make.wish(
            units=units, at=Window(at_hours(now, first_hour), at_hours(now, last_hour))
        )
        return services.admit(pool=pool, team=team, requested_by=member, wish=wish, now=now)

    return book
