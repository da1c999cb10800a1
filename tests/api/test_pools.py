"""``/api/v1/pools/``."""

import pytest
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory.models import Pool
from reservations.lifecycle import State
from tests import make
from tests.api.clients import CALLERS, client, client_of
from tests.make import GPU, SLICE

pytestmark = pytest.mark.django_db
POOLS = "/api/v1/pools/"


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", of=make.cluster(name="east"))


@pytest.mark.parametrize("caller", CALLERS)
def test_whoever_is_logged_in_sees_the_pools(pool: Pool, caller: str) -> None:
    expected = 401 if caller == "anonymous" else 200
    browser = client(caller, team=make.team())

    assert browser.get(POOLS).status_code == expected
    assert browser.get(f"{POOLS}lab/").status_code == expected


def test_what_of_a_pool_is_free(pool: Pool) -> None:
    make.reservation(of=pool, at=make.window(-1, 3), units=3, state=State.ACTIVE)
    make.reservation(of=pool, at=make.window(1, 2), units=1)

    (found,) = client_of(make.user()).get(POOLS).json()["results"]

    assert {key: found[key] for key in ("slug", "name", "description", "cluster")} == {
        "slug": "lab",
        "name": "Lab",
        "description": "",
        "cluster": "east",
    }
    gpu, mig_slice = found["types"]
    assert gpu["resource_name"] == GPU
    assert mig_slice == {
        "resource_name": SLICE,
        "product": "NVIDIA-RTX-PRO-6000",
        "memory_mib": 24_064,
        "compute_share": "0.2500",
        "guarantee": "exclusive",
        "slots_per_unit": 1,
        "devices": 4,
        "devices_per_node": 4,
        "free_now": 1,
        "largest_free_now": 1,
        "free_until": "2026-03-01T13:00:00Z",
        "more_free_at": "2026-03-01T15:00:00Z",
    }


def test_one_pool_is_shown_as_in_the_list(pool: Pool) -> None:
    browser = client_of(make.user())

    assert browser.get(f"{POOLS}lab/").json() == browser.get(POOLS).json()["results"][0]


def test_a_pool_that_is_not_there() -> None:
    response = client_of(make.user()).get(f"{POOLS}nowhere/")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_the_list_is_cut_into_pages() -> None:
    for slug in ("a", "b", "c"):
        make.pool(slug=slug, devices={})

    page = client_of(make.user()).get(POOLS, {"limit": 2}).json()

    assert "count" not in page
    assert [each["slug"] for each in page["results"]] == ["a", "b"]
    rest = client_of(make.user()).get(page["next"]).json()
    assert ([each["slug"] for each in rest["results"]], rest["next"]) == (["c"], None)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "0"},
        {"limit": ""},
        {"limit": "many"},
        {"limit": "1.5"},
        {"limit": "9" * 40},
    ],
)
def test_nonsense_about_pages_is_said(pool: Pool, query: dict[str, str]) -> None:
    answer = client_of(make.user()).get(POOLS, query)

    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["message"]


def test_a_pool_costs_seven_queries_however_much_is_booked(
    pool: Pool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser = client_of(make.user())
    for hour in range(10):
        make.reservation(of=pool, at=make.window(hour, hour + 1))

    with django_assert_num_queries(2 + 1 + 4):  # who is asking, the page, the pool
        browser.get(POOLS)


def test_looking_changes_nothing(pool: Pool) -> None:
    browser = client_of(make.user())

    for method in (browser.post, browser.put, browser.patch, browser.delete):
        response = method(POOLS)
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")


def test_an_administrator_shares_a_pools_devices_and_all_programs_see_it(pool: Pool) -> None:
    admin = client_of(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    word = {"is_shared": True, "reason": "prototypes"}

    answer = admin.patch(f"{POOLS}lab/", word, format="json")
    again = admin.patch(f"{POOLS}lab/", word, format="json")
    silent = admin.patch(f"{POOLS}lab/", {"is_shared": "perhaps"}, format="json")

    assert (answer.status_code, again.status_code, silent.status_code) == (200, 409, 400)
    assert answer.json()["shared_because"] == "prototypes"
    gpu, mig_slice = client_of(make.user()).get(f"{POOLS}lab/").json()["types"]
    assert (gpu["guarantee"], gpu["slots_per_unit"]) == ("time_shared", 4)
    assert (mig_slice["guarantee"], mig_slice["slots_per_unit"]) == ("shared", 2)
