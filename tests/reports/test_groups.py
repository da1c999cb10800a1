"""What a month cost by any dimension, and who may see it."""

from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Team, User
from tests import make
from tests.reports import months
from tests.reports.months import ENDS, Month
from tokenomics.core.groups import Group, whole
from tokenomics.core.lines import LineKind
from tokenomics.core.per_million import Denominator, Tokens
from tokenomics.models import CostByModel, CostPeriod, PeriodState
from tokenomics.selectors import reports
from tokenomics.services import sums

pytestmark = pytest.mark.django_db


@pytest.fixture
def month() -> Month:
    return Month()


def grouped(month: Month, by: str, user: User | None = None, **filters: str) -> dict[str, Group]:
    found = reports.grouped(
        month.period, by=by, user=user or months.finance(), now=ENDS, filters=filters
    )
    return {group.name: group for group in found}


def with_cost_centre(slug: str, code: str) -> Team:
    team = make.team(slug=slug)
    Team.objects.filter(pk=team.pk).update(cost_centre=code)
    team.refresh_from_db()
    return team


def test_used_unused_idle_and_other_add_up_to_the_amount(month: Month) -> None:
    month.booked(team=with_cost_centre("vision", "CC1"), used=600, unused=400)
    month.line(LineKind.IDLE, 300, hours=3, cost_centre="PLATFORM", pool=month.pool)
    month.line(LineKind.STRANDED, 20, cost_centre="PLATFORM", pool=month.pool)
    month.line(LineKind.OUTAGE, 7, cost_centre="PLATFORM", pool=month.pool)

    found = grouped(month.summed(), "cost_centre")

    assert list(found) == ["CC1", "PLATFORM"]
    booked, platform = found.values()
    assert (booked.used_minor, booked.unused_minor, booked.total_minor) == (600, 400, 1000)
    assert (booked.gpu_hours, booked.bookings) == (Decimal("2.5"), 1)
    assert booked.used_share == Decimal("0.6")
    assert (platform.idle_minor, platform.other_minor, platform.total_minor) == (320, 7, 327)
    assert platform.used_share is None
    assert whole(found.values()).total_minor == 1327


@pytest.mark.parametrize(
    ("by", "name"),
    [("team", "Vision"), ("user", "ada"), ("project", "Evaluation"), ("pool", "Lab")],
)
def test_every_dimension_has_cost_and_tokens_of_its_own(month: Month, by: str, name: str) -> None:
    lab, team = make.pool(slug="lab"), make.team(slug="vision")
    mine = month.booked(team=team, user=make.user(teams=[team], username="ada"), pool=lab)
    month.tell(mine, computed=2_000_000, generated=500_000)
    audio = make.team(slug="audio")
    other = month.booked(team=audio, purpose="Training", used=1, unused=1)
    month.tell(other, generated=10)

    found = grouped(month.summed(), by)

    assert len(found) == 2
    assert found[name].total_minor == 1000
    assert found[name].tokens == Tokens(2_000_000, 0, 500_000)
    assert found[name].per_million(Denominator.TOTAL) == 400
    assert found[name].per_million(Denominator.WEIGHTED) == Decimal("857.1429")
    assert found[name].covered == 1


def test_without_tokens_there_is_no_figure_and_cost_is_not_covered(month: Month) -> None:
    month.booked()

    (found,) = grouped(month.summed(), "team").values()

    assert found.per_million(Denominator.TOTAL) is None
    assert found.covered == 0


def test_a_booking_is_split_over_its_models_by_what_they_processed(month: Month) -> None:
    booked = month.booked(used=500, unused=501)
    month.tell(booked, "llama", computed=100, cached=10**6, generated=100)
    month.tell(booked, "qwen", computed=300, generated=100)
    month.booked(team=make.team(slug="audio"), used=40, unused=2)

    found = grouped(month.summed(), "model")

    assert {name: each.total_minor for name, each in found.items()} == {
        "qwen": 667,
        "llama": 334,
        reports.NO_MODEL: 42,
    }
    assert found["llama"].used_minor is None
    assert found["llama"].tokens.prompt_cached == 10**6


def test_models_that_only_read_from_a_cache_bear_the_cost_evenly(month: Month) -> None:
    booked = month.booked(used=1, unused=2)
    for model in ("a", "b"):
        month.tell(booked, model, cached=50)

    assert [each.total_minor for each in grouped(month.summed(), "model").values()] == [2, 1]


def test_readings_and_events_are_never_added_events_stand_in(month: Month) -> None:
    both, told = month.booked(), month.booked(team=make.team(slug="audio"))
    month.tell(both, generated=100)
    month.tell(both, generated=130, is_reading=False)
    month.tell(told, generated=7, is_reading=False)

    assert grouped(month.summed(), "model")["qwen"].tokens.generated == 107


def test_late_tokens_are_there_after_the_next_sums(month: Month) -> None:
    booked = month.booked()
    month.tell(booked, generated=100)
    month.summed()
    month.tell(booked, generated=50)

    assert grouped(month.summed(), "model")["qwen"].tokens.generated == 150


def test_tokens_whose_booking_is_of_another_month_count_without_cost(month: Month) -> None:
    late = make.reservation(by=make.team(slug="late"), at=make.window(1, 5))
    late.starts_at, late.ends_at = months.STARTS, ENDS
    month.tell(late, generated=5)

    found = grouped(month.summed(), "team")["Late"]

    assert (found.total_minor, found.tokens.generated) == (0, 5)
    assert found.covered is None


def test_filters_narrow_and_a_model_is_its_bookings(month: Month) -> None:
    vision, audio = make.team(slug="vision"), make.team(slug="audio")
    month.tell(month.booked(team=vision), "qwen", generated=1)
    month.tell(month.booked(team=vision, purpose="Training"), "llama", generated=2)
    month.booked(team=audio)
    month.summed()

    assert set(grouped(month, "project", team="vision")) == {"Evaluation", "Training"}
    assert set(grouped(month, "project", model="llama")) == {"Training"}
    assert set(grouped(month, "model", team="vision")) == {"qwen", "llama"}
    assert grouped(month, "team", model="llama")["Vision"].tokens.generated == 2
    assert len(grouped(month, "reservation", team="vision")) == 2


# --- who may see it -----------------------------------------------------------------------------


def test_members_see_their_own_managers_their_team_finance_all(month: Month) -> None:
    vision, audio = make.team(slug="vision"), make.team(slug="audio")
    ada = make.user(teams=[vision], username="ada")
    month.booked(team=vision, user=ada, used=1, unused=1)
    month.booked(team=vision, used=10, unused=10)
    month.booked(team=audio, used=100, unused=100)
    month.line(LineKind.IDLE, 5000, cost_centre="PLATFORM")
    month.summed()

    def seen(user: User) -> tuple[int, int]:
        by_line, by_model = (grouped(month, by, user).values() for by in ("team", "model"))
        return sum(g.total_minor for g in by_line), sum(g.total_minor for g in by_model)

    assert seen(ada) == (2, 2)
    assert seen(months.manager(vision)) == (22, 22)
    assert seen(make.user(teams=[audio])) == (0, 0)
    assert seen(make.user(teams=[vision], is_active=False)) == (0, 0)
    assert seen(months.finance()) == (5222, 222)


def test_what_the_platform_failed_costs_its_tenant_nothing(month: Month) -> None:
    vision = make.team(slug="vision")
    month.line(LineKind.FAILED, 70, team=vision, cost_centre="PLATFORM")

    assert grouped(month.summed(), "team", months.manager(vision)) == {}


# --- closed -------------------------------------------------------------------------------------


def test_sums_of_a_closed_month_stay(month: Month) -> None:
    month.booked()
    month.summed()
    close(month.period)

    with pytest.raises(DatabaseError, match="2026-10 is closed"), transaction.atomic():
        sums.refresh(month.period)
    assert CostByModel.objects.count() == 1


def close(period: CostPeriod) -> None:
    from tests.costs.test_database import close as close_in_the_database  # noqa: PLC0415

    close_in_the_database(period)
    assert CostPeriod.objects.get(pk=period.pk).state == PeriodState.CLOSED


def test_a_report_is_four_queries_whatever_there_is(
    month: Month, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        month.tell(month.booked(team=make.team(slug=f"team-{number}")), generated=1)
    month.summed()
    finn = months.finance()

    with django_assert_max_num_queries(4):
        reports.grouped(month.period, by="team", user=finn, now=ENDS)


def test_the_last_month_comes_first(month: Month) -> None:
    assert list(reports.periods()) == [month.period]
