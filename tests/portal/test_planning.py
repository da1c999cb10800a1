"""The planning page: who, live answers, files, and what teams save."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from tests import make
from tests.unit.planning.scenarios import asset, models, platform, priceless, scenario
from tokenomics import documents, services
from tokenomics.core.scenario import Scenario
from tokenomics.models import SavedScenario

pytestmark = pytest.mark.django_db
PAGE, ANSWERS, FILE = "/planning/", "/planning/answers/", "/planning/file/"
SAVE = "/planning/scenarios/"
HOSTILE = "<img src=x onerror=alert(1)>"
EVERYTHING = documents.example_text()
SERVERS = "  gpus: {}\n  gpus_per_server: 2\n  servers: {}\n"
MEASURED = """measured:
  month: 2026-10
  hours: 744
  gpu_kwh: 300
  active_ratio: 0.5
  models:
  - {model: 7B, tokens: 1_000_000_000, busy_replica_seconds: 500_000}
"""


def text_of(**changes: Any) -> str:
    return documents.yaml_of(priceless(**changes))


def parsed(text: str) -> Scenario:
    return documents.scenario_from(text)


@pytest.fixture
def saved(team: Team, member: User) -> SavedScenario:
    return services.save_scenario(
        team=team, document=text_of(name="Ours"), actor=member, now=make.NOON
    )


def said(client: Client, address: str, **data: Any) -> str:
    return client.post(address, data).content.decode()


def address_of(saved: SavedScenario, name: str = "planning_change") -> str:
    return reverse(f"portal:{name}", args=[saved.public_id])


# --- the page ----------------------------------------------------------------------------------


def test_the_page_begins_with_the_example_and_its_answers(browser: Client) -> None:
    answer = browser.get(PAGE)

    page = answer.content.decode()
    assert answer.status_code == HTTPStatus.OK
    assert "Reference server, three models" in page
    assert "At 80 % utilisation a million tokens cost" in page
    assert "51.6 %" in page
    for part in ("What to buy", "Own or rent", "Proof of concept", "Agents that share", "Routes"):
        assert part in page
    assert page.count("data-chart=") == 7


@pytest.mark.parametrize("role", MembershipRole)
def test_whoever_is_logged_in_may_plan(client: Client, team: Team, role: MembershipRole) -> None:
    client.force_login(make.user(teams=[team], role=role))

    assert client.get(PAGE).status_code == HTTPStatus.OK
    assert 'href="/planning/"' in client.get("/").content.decode()


def test_the_page_costs_few_queries(
    browser: Client, saved: SavedScenario, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        browser.get(PAGE)


def test_without_parts_there_are_no_answers_to_them(browser: Client) -> None:
    page = said(browser, PAGE, yaml=text_of(currency="CHF"))

    assert "What to buy" not in page
    assert "No cloud prices in CHF" in page


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("memory_gib: 80", "memory_gib: 800", ["Infeasible"]),
        ("demand_tokens_per_year: 30_", "demand_tokens_per_year: 3_000_", [">Under<"]),
        (SERVERS.format(2, 1), SERVERS.format(8, 4), [">Over<", "Surplus"]),
        ("  booked_gpu_hours_per_month: 160\n", "", ["The cloud is cheaper", "USD 1,560.00"]),
        ("sensitivity_ratio: 0.2\n", MEASURED, ["Measured in 2026-10"]),
    ],
    ids=["infeasible", "under", "over", "cloud", "measured"],
)
def test_the_page_says_the_verdict(browser: Client, old: str, new: str, words: list[str]) -> None:
    assert old in EVERYTHING

    page = said(browser, PAGE, yaml=EVERYTHING.replace(old, new))

    for each in words:
        assert each in page


# --- live --------------------------------------------------------------------------------------


def test_a_changed_text_brings_answers_and_fields(browser: Client) -> None:
    page = said(browser, ANSWERS, yaml=text_of(utilisation="0.8"), changed="yaml")

    assert 'name="utilisation" value="0.8"' in page
    assert 'id="written"' not in page


def test_a_changed_field_is_written_into_the_text(browser: Client) -> None:
    data = {
        "yaml": EVERYTHING,
        "changed": "platform.assets[0].price",
        "platform.assets[0].price": "80 000",
        "models[2].demand_tokens_per_year": "20e9",
        "sizing.budget_per_year": "",
        "routes[0].token_ratio": "0.6",
    }

    page = browser.post(ANSWERS, data).content.decode()

    text = json.loads(page.partition('id="written" type="application/json">')[2].split("<")[0])
    found = parsed(text)
    assert found.platform.assets[0].price == 80_000
    assert found.models[2].demand_tokens_per_year == 20_000_000_000
    assert found.sizing is not None
    assert found.sizing.budget_per_year is None


def test_problems_are_all_said_and_leave_the_answers(browser: Client) -> None:
    data = {"yaml": EVERYTHING, "changed": "utilisation", "utilisation": "0,5", "platform.pue": "0"}

    answer = browser.post(ANSWERS, data)

    assert answer.headers["HX-Retarget"] == "#problems"
    page = answer.content.decode()
    assert "2 problems" in page
    assert 'data-field="utilisation"' in page
    assert 'data-field="platform.pue"' in page
    assert "0,5 is not a number" in page


@pytest.mark.parametrize(
    "text",
    ["", "{", "- 1", "a: &x 1\nb: *x", "!!python/object:os.system {}", "\x07", "a" * 70_000],
    ids=["empty", "broken", "list", "alias", "tag", "control", "long"],
)
@pytest.mark.parametrize("address", [PAGE, ANSWERS, FILE])
def test_hostile_text_is_said_to_be_wrong(browser: Client, address: str, text: str) -> None:
    answer = browser.post(address, {"yaml": text})

    assert b'data-testid="problems"' in answer.content
    assert answer.status_code in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}


def test_names_are_text_and_never_markup(browser: Client, team: Team, member: User) -> None:
    rows = [{**each, "name": HOSTILE + each["name"], "compare_with": None} for each in models()]
    hostile = scenario(name=HOSTILE, models=rows, platform=platform(assets=[asset(name=HOSTILE)]))
    text = documents.yaml_of(hostile)
    services.save_scenario(team=team, document=text, actor=member, now=make.NOON)

    for page in (said(browser, PAGE, yaml=text), said(browser, ANSWERS, yaml=text)):
        assert HOSTILE not in page
        assert "&lt;img" in page


# --- files -------------------------------------------------------------------------------------


def test_a_file_goes_out_and_comes_back_as_it_was(browser: Client) -> None:
    out = browser.post(FILE, {"yaml": EVERYTHING})

    assert out.headers["Content-Disposition"] == (
        'attachment; filename="reference-server-three-models.yaml"'
    )
    assert out.content.decode() == EVERYTHING
    back = browser.post(PAGE, {"yaml": "x", "file": SimpleUploadedFile("a.yaml", out.content)})
    assert back.status_code == HTTPStatus.OK
    assert back.context["text"] == EVERYTHING


# --- what teams save ---------------------------------------------------------------------------


def test_saving_and_opening_again(browser: Client, team: Team) -> None:
    answer = browser.post(SAVE, {"yaml": text_of(name="Mine"), "team": team.slug}, follow=True)

    made = SavedScenario.objects.get()
    assert (made.name, made.team) == ("Mine", team)
    assert answer.redirect_chain[0][0] == f"{PAGE}?scenario={made.public_id}"
    assert b"Saved in" in answer.content
    assert answer.context["text"] == made.document


def test_saving_over_the_version_that_was_read(browser: Client, saved: SavedScenario) -> None:
    data = {"yaml": text_of(name="Newer"), "version": "1"}

    answer = browser.post(address_of(saved), data, follow=True)

    saved.refresh_from_db()
    assert (saved.name, saved.version) == ("Newer", 2)
    assert b"Saved as version 2" in answer.content


def test_a_conflict_keeps_both_and_says_so(browser: Client, saved: SavedScenario) -> None:
    services.change_scenario(
        scenario=saved,
        document=text_of(name="Theirs"),
        version=1,
        actor=saved.created_by,
        now=make.NOON,
    )

    answer = browser.post(address_of(saved), {"yaml": text_of(name="Mine"), "version": "1"})

    page = answer.content.decode()
    assert answer.status_code == HTTPStatus.CONFLICT
    assert "saved version 2 meanwhile" in page
    assert "Save over version 2" in page
    assert parsed(answer.context["text"]).name == "Mine"
    saved.refresh_from_db()
    assert (saved.name, saved.version) == ("Theirs", 2)


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"yaml": "{"}, HTTPStatus.UNPROCESSABLE_ENTITY, "problem"),
        ({"team": "unknown"}, HTTPStatus.UNPROCESSABLE_ENTITY, "Choose one of your teams"),
        ({"yaml": text_of(name="Ours")}, HTTPStatus.CONFLICT, "choose another name"),
    ],
    ids=["no scenario", "no team", "name taken"],
)
def test_a_refused_save_keeps_what_was_typed(
    browser: Client, saved: SavedScenario, changes: dict[str, str], status: int, words: str
) -> None:
    data = {"yaml": text_of(name="Mine"), "team": saved.team.slug, **changes}

    answer = browser.post(SAVE, data)

    assert answer.status_code == status
    assert words in answer.content.decode()
    assert answer.context["text"] == data["yaml"]
    assert SavedScenario.objects.get() == saved


def test_removing(browser: Client, saved: SavedScenario) -> None:
    answer = browser.post(address_of(saved, "planning_remove"), follow=True)

    assert b"Removed Ours" in answer.content
    assert not SavedScenario.objects.exists()


def test_a_viewer_opens_and_writes_nothing(client: Client, saved: SavedScenario) -> None:
    client.force_login(make.user(teams=[saved.team], role=MembershipRole.VIEWER))

    page = client.get(f"{PAGE}?scenario={saved.public_id}").content.decode()

    assert "Ours" in page
    assert 'data-testid="change"' not in page
    data = {"yaml": text_of(name="X"), "version": "1", "team": saved.team.slug}
    for address in (SAVE, address_of(saved), address_of(saved, "planning_remove")):
        assert client.post(address, data).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("wanted", ["theirs", "nonsense"])
def test_what_is_not_yours_is_not_there(client: Client, saved: SavedScenario, wanted: str) -> None:
    client.force_login(make.user(teams=[make.team()]))
    found = str(saved.public_id) if wanted == "theirs" else wanted

    assert client.get(PAGE, {"scenario": found}).status_code == HTTPStatus.NOT_FOUND
    assert "Ours" not in client.get(PAGE).content.decode()


def test_finance_saves_in_any_team(client: Client, saved: SavedScenario) -> None:
    client.force_login(make.user(organisation_role=OrganisationRole.FINANCE))

    client.post(address_of(saved), {"yaml": text_of(name="Checked"), "version": "1"})

    saved.refresh_from_db()
    assert saved.name == "Checked"
