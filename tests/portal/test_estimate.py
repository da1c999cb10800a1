"""What a booking would cost, and when there is room, before the form is sent."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole, Team, User
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation, TeamRules
from tests import make
from tokenomics.models import CostCentre
from tokenomics.services import inputs

Book = Callable[..., Reservation]


@pytest.fixture
def url() -> str:
    return reverse("portal:estimate")


@pytest.fixture
def starts_at() -> datetime:
    return (timezone.now() + timedelta(hours=30)).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def filled(pool: Pool, team: Team, starts_at: datetime) -> dict[str, str]:
    """One whole GPU for two hours."""
    return {
        "team": team.slug,
        "type": f"{pool.slug}/{make.GPU}",
        "units": "1",
        "begins": "later",
        "starts_at": f"{starts_at:%Y-%m-%dT%H:%M}",
        "length": "2h",
        "mode": "interactive",
    }


@pytest.fixture
def price(pool: Pool) -> None:
    """Four euros an hour for a whole GPU."""
    make.price(of=pool, resource_name=make.GPU, minor=400)


def budget(team: Team, minor: int) -> TeamRules:
    return TeamRules.objects.create(team=team, budget_minor=minor, currency="EUR")


@pytest.mark.usefixtures("price")
def test_the_cost_stands_against_what_is_left_of_the_budget(
    browser: Client, url: str, filled: dict[str, str], team: Team
) -> None:
    budget(team, 10_000)

    answer = browser.post(url, filled)

    card = answer.context["estimate"]
    assert card.cost == "8.00 EUR"
    assert card.price == "4.00 EUR"
    (meter,) = card.meters
    assert (meter.used, meter.most, meter.left) == ("8.00 EUR", "100.00 EUR", "92.00 EUR left")
    assert card.has_room


@pytest.mark.usefixtures("price")
def test_what_the_budget_does_not_pay_is_said_before_it_is_sent(
    browser: Client, url: str, filled: dict[str, str], team: Team
) -> None:
    budget(team, 500)

    card = browser.post(url, filled).context["estimate"]

    (problem,) = card.problems
    assert "5.00 EUR of 5.00 EUR left" in problem
    assert card.meters[0].tone == "danger"


@pytest.mark.usefixtures("price")
def test_the_budget_of_the_cost_centre_counts_with_all_its_teams(
    browser: Client,
    url: str,
    filled: dict[str, str],
    team: Team,
    pool: Pool,
    starts_at: datetime,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    others = [make.team() for _ in range(3)]
    keys = [team.pk, *(each.pk for each in others)]
    Team.objects.filter(pk__in=keys).update(cost_centre="CC-7")
    inputs.set_budget(
        cost_centre=CostCentre.objects.create(code="CC-7"),
        valid_from=(timezone.now() - timedelta(days=60)).date().replace(day=1),
        amount_minor=2_000,
        currency="EUR",
        blocks=True,
        actor=make.user(organisation_role=OrganisationRole.FINANCE),
        now=timezone.now(),
    )
    mate = make.user(teams=others)
    window = Window(starts_at, starts_at + timedelta(hours=1))
    wish = make.wish(resource_name=make.GPU, at=window)
    others[0].refresh_from_db()
    services.admit(pool=pool, team=others[0], requested_by=mate, wish=wish, now=timezone.now())
    budget(team, 10_000)

    with django_assert_max_num_queries(12):
        card = browser.post(url, filled).context["estimate"]

    assert [(each.used, each.most) for each in card.meters] == [
        ("8.00 EUR", "100.00 EUR"),
        ("12.00 EUR", "20.00 EUR"),
    ]


def test_free_windows_are_offered_before_sending_and_fill_the_form(
    browser: Client, url: str, filled: dict[str, str], book_gpu: Callable[[datetime], None]
) -> None:
    asked = datetime.fromisoformat(f"{filled['starts_at']}:00+00:00")
    book_gpu(asked)

    card = browser.post(url, filled).context["estimate"]

    assert not card.has_room
    first = card.windows[0]
    assert first.chip.window.starts_at == asked + timedelta(hours=4)
    page = browser.post(reverse("portal:book"), {**filled, "refill": first.chip.refill})
    assert Reservation.objects.count() == 1
    assert (
        page.context["form"].initial["starts_at"] == f"{asked + timedelta(hours=4):%Y-%m-%dT%H:%MZ}"
    )


@pytest.fixture
def book_gpu(pool: Pool, team: Team, member: User) -> Callable[[datetime], None]:
    """Book the pool's only whole GPU for four hours."""

    def book(starts_at: datetime) -> None:
        window = Window(starts_at, starts_at + timedelta(hours=4))
        wish = make.wish(resource_name=make.GPU, at=window)
        services.admit(pool=pool, team=team, requested_by=member, wish=wish, now=timezone.now())

    return book


def test_a_chosen_window_leaves_the_others_to_choose_from(
    browser: Client, url: str, filled: dict[str, str], book_gpu: Callable[[datetime], None]
) -> None:
    asked = datetime.fromisoformat(f"{filled['starts_at']}:00+00:00")
    book_gpu(asked + timedelta(hours=3))
    before = browser.post(url, filled).context["estimate"]
    later = before.windows[1].chip.window

    after = browser.post(
        url,
        {
            **filled,
            "starts_at": f"{later.starts_at:%Y-%m-%dT%H:%M}",
            "looked_from": before.since.isoformat(),
        },
    ).context["estimate"]

    assert [each.chip for each in after.windows] == [each.chip for each in before.windows]
    assert [each.is_chosen for each in before.windows] == [True, False]
    assert [each.is_chosen for each in after.windows] == [False, True]


def test_without_a_script_a_button_shows_it_and_books_nothing(
    browser: Client, filled: dict[str, str]
) -> None:
    page = browser.post(reverse("portal:book"), {**filled, "look": "1"})

    assert page.context["estimate"].windows
    assert b'data-testid="window-chip"' in page.content
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"type": "lab/nothing"},
        {"type": "nowhere/nothing"},
        {"starts_at": "soon"},
        {"length": "until", "ends_at": "2020-01-01T10:00"},
        {"length": "until", "ends_at": "2099-01-01T10:00"},
        {"team": "language"},
    ],
)
def test_of_what_cannot_be_read_nothing_is_estimated(
    browser: Client, url: str, filled: dict[str, str], change: dict[str, str]
) -> None:
    make.team(slug="language")

    answer = browser.post(url, filled | change)

    assert answer.status_code == 200
    assert answer.context["estimate"] is None


@pytest.mark.parametrize("looked_from", ["2026-02-31T10:00", "yesterday", "2020-01-01T10:00"])
def test_from_when_it_was_looked_is_not_trusted(
    browser: Client, url: str, filled: dict[str, str], looked_from: str
) -> None:
    card = browser.post(url, {**filled, "looked_from": looked_from}).context["estimate"]

    assert all(each.chip.window.starts_at > timezone.now() for each in card.windows)


@pytest.mark.parametrize(("size", "times"), [("half", 0.5), ("fair", 1), ("double", 2)])
def test_a_preset_says_how_much_goes_with_the_devices(
    browser: Client, filled: dict[str, str], size: str, times: float
) -> None:
    filled["type"] = filled["type"].replace(make.GPU, make.SLICE)
    shown = browser.get(reverse("portal:book"))
    (card,) = [
        each
        for pool in shown.context["pools"]
        for each in pool.types
        if each.value == filled["type"]
    ]
    key = shown.context["form"].key_to_send

    browser.post(reverse("portal:book"), {**filled, "key": key, "size": size, "cpu_cores": "1"})

    made = Reservation.objects.get()
    assert made.storage_gib == 600 * times
    assert made.memory_mib == int(card.share_memory_gib * times) * 1024
    assert made.cpu_millicores == 1000
