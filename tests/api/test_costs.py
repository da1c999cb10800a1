"""``/api/v1/costs/``: money for who may see it, always with what is counted."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from gpuaas.accounts.models import User
from reservations.models import Reservation
from tests import make
from tests.api.clients import client_of
from tests.reports import months
from tests.reports.months import Month
from tokenomics.core.lines import LineKind
from tokenomics.models import CostAdjustment, CostExport
from tokenomics.services import exports

pytestmark = pytest.mark.django_db
MONTHS = "/api/v1/costs/months/"
OCTOBER = f"{MONTHS}2026-10/"


@pytest.fixture
def month() -> Month:
    month = Month()
    vision = make.team(slug="vision")
    booked = month.booked(team=vision, user=make.user(teams=[vision], username="ada"))
    month.tell(booked, "qwen", computed=2_000_000, generated=500_000)
    month.booked(team=make.team(slug="audio"), used=40, unused=2)
    month.line(LineKind.IDLE, 300, hours=5, cost_centre="PLATFORM")
    return month.summed()


@pytest.fixture
def finn(month: Month) -> APIClient:
    return client_of(months.finance())


def ada() -> APIClient:
    return client_of(User.objects.get(username="ada"))


def results(client: APIClient, address: str, **asked: str) -> list[dict[str, Any]]:
    answer = client.get(address, asked)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_months_have_what_one_may_see_of_them(finn: APIClient) -> None:
    assert [(each["month"], each["total_minor"]) for each in results(finn, MONTHS)] == [
        ("2026-10", 1342)
    ]
    assert results(ada(), MONTHS)[0]["total_minor"] == 1000
    assert results(client_of(make.user()), MONTHS)[0]["total_minor"] == 0


def test_a_group_has_every_denominator(finn: APIClient) -> None:
    audio, vision = (each for each in results(finn, f"{OCTOBER}groups/", by="team") if each["key"])

    assert audio["per_million"] == {"total": None, "processed": None, "weighted": None}
    assert vision["per_million"]["total"] == "4.000000"
    assert (vision["used_minor"], vision["covered_minor"]) == (600, 1000)


@pytest.mark.parametrize(
    ("by", "count"),
    [
        ("cost_centre", 2),
        ("project", 2),
        ("user", 3),
        ("pool", 2),
        ("model", 2),
        ("reservation", 2),
    ],
)
def test_every_dimension_adds_up(finn: APIClient, by: str, count: int) -> None:
    found = results(finn, f"{OCTOBER}groups/", by=by)

    assert len(found) == count
    missing = 300 if by in {"model", "reservation"} else 0
    assert sum(each["total_minor"] for each in found) == 1342 - missing


def test_groups_and_lines_are_narrowed(finn: APIClient) -> None:
    assert [g["key"] for g in results(finn, f"{OCTOBER}groups/", by="team", model="qwen")] == [
        "vision"
    ]
    assert {line["team"] for line in results(finn, f"{OCTOBER}lines/", team="audio")} == {"audio"}


def test_lines_come_in_pages_with_their_categories(finn: APIClient, month: Month) -> None:
    adjustment = CostAdjustment.objects.create(
        period=month.period,
        amount_minor=-5,
        currency="EUR",
        reason="Goodwill",
        cost_centre="CC",
        entered_by=make.user(),
        entered_at=make.NOON,
    )
    corrected = month.period.month.replace(month=8)
    month.line(LineKind.CORRECTION, -5, corrects=corrected, adjustment=adjustment)

    first = finn.get(f"{OCTOBER}lines/", {"limit": "4"}).json()
    rest = finn.get(first["next"]).json()["results"]

    assert [line["number"] for line in first["results"]] == sorted(
        line["number"] for line in first["results"]
    )
    assert first["results"][0]["amounts"] == {"capital": 400, "power": 200}
    assert (rest[-1]["corrects"], rest[-1]["reservation"]) == ("2026-08", None)
    assert len(rest) == 2


def test_a_booking_drills_down_to_readings_and_inputs(finn: APIClient) -> None:
    booked = Reservation.objects.get(requested_by__username="ada")
    address = f"{OCTOBER}reservations/{booked.public_id}/"

    found = finn.get(address).json()
    (reading,) = results(finn, f"{address}readings/")

    assert (found["total_minor"], found["readings"]) == (1000, 1)
    assert found["models"][0]["model"] == "qwen"
    assert (reading["prompt_computed"], reading["generated"]) == (2_000_000, 500_000)
    assert finn.get(f"{MONTHS}2026-09/lines/").status_code == 404
    assert finn.get(f"{MONTHS}soon/lines/").status_code == 404


def test_what_is_not_yours_looks_like_what_is_not_there(month: Month) -> None:
    audio = Reservation.objects.get(team__slug="audio")
    address = f"{OCTOBER}reservations/{audio.public_id}/"

    assert ada().get(address).status_code == 404
    assert ada().get(f"{address}readings/").status_code == 404
    assert results(ada(), f"{OCTOBER}groups/", by="team")[0]["key"] == "vision"


def test_a_misspelled_filter_is_said(finn: APIClient) -> None:
    answer = finn.get(f"{OCTOBER}groups/", {"teem": "vision"})

    assert answer.status_code == 400
    assert answer.json()["details"]["problems"][0]["field"] == "teem"


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "xlsx", "pdf", "focus"])
def test_a_short_file_is_there_at_once(finn: APIClient, form: str) -> None:
    made = finn.post(f"{OCTOBER}exports/", {"format": form}, format="json").json()

    file: Any = finn.get(made["url"])
    content = b"".join(file.streaming_content)
    assert len(content) == made["size"]
    assert made["problem"] == ""


def test_a_long_file_says_how_far_it_is(finn: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "AT_ONCE_LINES", 0)
    made = finn.post(f"{OCTOBER}exports/", {"format": "csv"}, format="json").json()
    assert (made["url"], made["done_at"], made["size"]) == (None, None, None)
    address = f"/api/v1/costs/exports/{made['id']}/"
    assert finn.get(f"{address}file/").status_code == 404

    exports.make_waiting(clock=lambda: CostExport.objects.get().requested_at)

    found = finn.get(address).json()
    assert (found["lines_done"], found["lines"]) == (5, 5)
    assert found["url"].endswith(f"{address}file/")
    assert ada().get(address).status_code == 404


def test_what_is_refused_has_a_code(finn: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def post(client: APIClient, form: str) -> tuple[int, str]:
        answer = client.post(f"{OCTOBER}exports/", {"format": form}, format="json")
        return answer.status_code, answer.json().get("code", "")

    assert post(finn, "docx")[0] == 400
    assert post(ada(), "pdf") == (403, "not_your_statement")
    monkeypatch.setattr(exports, "AT_ONCE_LINES", 0)
    monkeypatch.setattr(exports, "MOST_WAITING", 1)
    assert post(finn, "csv")[0] == 201
    assert post(finn, "csv") == (409, "too_many_exports")
