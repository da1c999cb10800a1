"""The pages of costs: at a glance, by any dimension, down to meters, and as files."""

from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import User
from gpuaas.portal.views import costs as view
from reservations.models import Reservation
from tests import make
from tests.reports import months
from tests.reports.months import Month
from tokenomics.models import CostExport
from tokenomics.services import exports

pytestmark = pytest.mark.django_db
ADDRESS = "/costs/"


@pytest.fixture
def month() -> Month:
    month = Month()
    vision = make.team(slug="vision")
    ada = make.user(teams=[vision], username="ada")
    booked = month.booked(team=vision, user=ada, purpose="Fine-tuning <言語モデル>")
    month.tell(booked, "qwen", computed=2_000_000, generated=500_000)
    month.booked(team=make.team(slug="audio"), used=40, unused=2, purpose="Speech")
    return month.summed()


@pytest.fixture
def finn(client: Client, month: Month) -> Client:
    client.force_login(months.finance())
    return client


def text_of(client: Client, address: str = ADDRESS, **asked: str) -> str:
    answer = client.get(address, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def booking_of(user: str) -> str:
    booked = Reservation.objects.get(requested_by__username=user)
    return reverse("portal:cost_booking", args=["2026-10", booked.public_id])


def test_a_month_at_a_glance(finn: Client) -> None:
    text = text_of(finn)

    for said in ("October 2026", "10.42 EUR", "Booked, used", "6.40 EUR", "no cost centre"):
        assert said in text


@pytest.mark.parametrize("by", view.WORDS)
def test_every_dimension_says_what_it_counts(finn: Client, by: str) -> None:
    text = text_of(finn, by=by)

    for said in ("total tokens", "processed tokens", "weighted tokens", "4.0000"):
        assert said in text
    assert "no tokens" in text or by in {"cost_centre", "pool"}


def test_a_row_leads_one_dimension_deeper_and_at_last_into_the_booking(finn: Client) -> None:
    assert "month=2026-10&amp;by=user&amp;team=vision" in text_of(finn, by="team")
    deeper = text_of(finn, by="user", team="vision")
    assert "Team: vision" in deeper
    assert "audio" not in deeper
    assert booking_of("ada") in text_of(finn, by="reservation", team="vision")


def test_filters_of_every_kind_lead_to_bookings(finn: Client) -> None:
    text = text_of(finn, by="project", project="Speech")

    assert "by=reservation&amp;project=Speech" in text


def test_a_booking_shows_lines_tokens_and_readings(finn: Client) -> None:
    text = text_of(finn, booking_of("ada"))

    for said in ("Fine-tuning &lt;", "10.00 EUR", "qwen", "2.5 M", "500000", "No telemetry"):
        assert said in text


def test_a_booking_without_tokens_says_so(finn: Client) -> None:
    speech = Reservation.objects.get(purpose="Speech")
    address = reverse("portal:cost_booking", args=["2026-10", speech.public_id])

    assert "nothing here has a cost per million" in text_of(finn, address)


def test_tenants_see_their_own_and_not_that_there_are_others(client: Client, month: Month) -> None:
    client.force_login(User.objects.get(username="ada"))
    speech = Reservation.objects.get(purpose="Speech")

    text = text_of(client)

    assert "10.00 EUR" in text
    assert "Speech" not in text
    assert "statement" not in text
    other = reverse("portal:cost_booking", args=["2026-10", speech.public_id])
    nowhere = reverse("portal:cost_booking", args=["2026-10", UUID(int=0)])
    assert [client.get(each).status_code for each in (other, nowhere)] == [404, 404]


def test_without_a_month_the_page_says_what_is_missing(client: Client) -> None:
    client.force_login(months.finance())

    assert "No month yet" in text_of(client)


@pytest.mark.parametrize("asked", [{"month": "2026-09"}, {"month": "x"}, {"by": "secrets"}])
def test_what_is_not_there_is_404(finn: Client, asked: dict[str, str]) -> None:
    assert finn.get(ADDRESS, asked).status_code == 404


def test_nothing_to_show_says_what_to_do(finn: Client) -> None:
    assert "Take away one of the filters" in text_of(finn, by="team", team="nobody")


def test_the_page_takes_few_queries(
    finn: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        finn.get(ADDRESS, {"by": "team"})
    with django_assert_max_num_queries(12):
        finn.get(ADDRESS, {"by": "reservation"})


# --- files --------------------------------------------------------------------------------------


def ask(client: Client, form: str, **more: str) -> str:
    address = reverse("portal:cost_export", args=["2026-10"])
    answer = client.post(address, {"format": form, **more})
    assert answer.status_code == 302
    return str(answer["Location"])


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf", "focus"])
def test_a_short_file_is_there_at_once(finn: Client, form: str) -> None:
    answer = finn.get(ask(finn, form, bom="1"))

    content = b"".join(answer)
    assert len(content) == int(answer["Content-Length"]) > 0
    assert answer["Content-Disposition"].startswith('attachment; filename="costs-2026-10.')
    assert content.startswith(b"\xef\xbb\xbf") == (form == "csv")


def test_a_long_file_shows_how_far_it_is(finn: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "AT_ONCE_LINES", 0)

    assert ask(finn, "csv").endswith("#files")
    CostExport.objects.update(lines_done=1)

    waiting = text_of(finn, reverse("portal:cost_files"))
    assert 'value="25"' in waiting
    assert "hx-get" in waiting
    made = CostExport.objects.get()
    assert finn.get(reverse("portal:cost_file", args=[made.public_id])).status_code == 404
    exports.make_waiting(clock=lambda: made.requested_at)
    done = text_of(finn, reverse("portal:cost_files"))
    assert "hx-get" not in done
    assert reverse("portal:cost_file", args=[made.public_id]) in done


def test_what_is_refused_is_said(finn: Client, client: Client) -> None:
    ask(finn, "docx")
    assert "docx is no format" in text_of(finn)

    client.force_login(User.objects.get(username="ada"))
    ask(client, "pdf")
    assert "take csv, xlsx or focus" in text_of(client)


def test_a_file_that_failed_says_why(finn: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(finn, "csv")
    CostExport.objects.update(problem="the disk is full", size=2_000_000)

    assert "the disk is full" in text_of(finn)
