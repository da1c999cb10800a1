"""``/api/v1/reservations/``: by role, with nonsense, and what refusals look like."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from gpuaas.accounts.models import Team
from gpuaas.api import errors
from gpuaas.audit.models import AuditEvent
from gpuaas.core import locks
from gpuaas.core.errors import DomainError
from gpuaas.inventory.models import Pool
from reservations import lifecycle, services
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions.models import SessionState
from tests import make
from tests.api.clients import client, client_of
from tests.make import SLICE

pytestmark = pytest.mark.django_db
RESERVATIONS = "/api/v1/reservations/"


def address(reservation: Reservation, action: str = "") -> str:
    return f"{RESERVATIONS}{reservation.public_id}/{action}"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def pool() -> Pool:
    return make.pool(slug="lab", devices={SLICE: 4})


@pytest.fixture
def member(team: Team) -> APIClient:
    return client_of(make.user(teams=[team], username="ada"))


def wish(**changes: object) -> dict[str, Any]:
    usual = {
        "pool": "lab",
        "team": "vision",
        "resource_name": SLICE,
        "units": 2,
        "starts_at": "2026-03-01T13:00:00Z",
        "ends_at": "2026-03-01T17:00:00Z",
    }
    return {k: v for k, v in {**usual, **changes}.items() if v is not None}


def post(browser: APIClient, **changes: object) -> Any:
    return browser.post(RESERVATIONS, wish(**changes), format="json")


# --- booking -----------------------------------------------------------------------------------


def test_a_booking(pool: Pool, member: APIClient) -> None:
    response = post(member, purpose="fine-tuning", mode="inference", storage_gib=100)

    assert response.status_code == 201
    booked = Reservation.objects.get()
    assert response["Location"] == f"http://testserver{address(booked)}"
    assert response.json() == {
        "id": str(booked.public_id),
        "pool": "lab",
        "team": "vision",
        "requested_by": "ada",
        "resource_name": SLICE,
        "units": 2,
        "mode": "inference",
        "cpu_millicores": 2 * 31_000,  # its fair share: two of four slices
        "memory_mib": 2 * 188 * 1024,
        "storage_gib": 100,
        "purpose": "fine-tuning",
        "starts_at": "2026-03-01T13:00:00Z",
        "ends_at": "2026-03-01T17:00:00Z",
        "state": "APPROVED",
        "state_reason": "",
        "created_at": "2026-03-01T12:00:00Z",
        "released_at": None,
        "cost_minor": 0,
        "currency": "EUR",
        "overridden": [],
        "version": 1,
        "pending_on": "",
        "approver": "",
        "held_until": None,
        "queue_position": None,
        "is_no_show": False,
        "waiting_for": "",
        "flag": None,
    }
    assert member.get(response["Location"]).json() == {
        **response.json(),
        "devices": [
            {
                "node": pool.nodes.get().name,
                "resource_name": SLICE,
                "ordinal": ordinal,
                "gpu_index": None,
                "uuid": None,
                "memory_mib": 24_064,
                "compute_share": "0.2500",
                "guarantee": "exclusive",
                "slots": 1,
                "is_pinned": False,
            }
            for ordinal in range(2)
        ],
        "workspace": None,
        "offers": [],
    }


def test_an_instant_may_have_any_offset(pool: Pool, member: APIClient) -> None:
    response = post(
        member, starts_at="2026-03-01T18:30:00+05:30", ends_at="2026-03-01T12:00:00-05:00"
    )

    assert response.json()["starts_at"] == "2026-03-01T13:00:00Z"
    assert response.json()["ends_at"] == "2026-03-01T17:00:00Z"


@pytest.mark.parametrize(
    ("caller", "status", "code"),
    [
        ("member", 201, None),
        ("manager", 201, None),
        ("viewer", 403, "not_your_team"),
        ("finance", 403, "not_your_team"),
        ("admin", 403, "not_your_team"),
        ("outsider", 400, "invalid"),  # just as if there were no such team
        ("leaver", 400, "invalid"),
        ("anonymous", 401, "not_authenticated"),
    ],
)
def test_who_may_book(pool: Pool, team: Team, caller: str, status: int, code: str | None) -> None:
    response = post(client(caller, team=team))

    assert (response.status_code, response.json().get("code")) == (status, code)
    assert Reservation.objects.count() == (status == 201)


def test_a_team_one_cannot_see_looks_like_one_that_is_not_there(pool: Pool, team: Team) -> None:
    outsider = client("outsider", team=team)

    hidden, missing = post(outsider).json(), post(outsider, team="nobody").json()

    assert json.dumps(hidden).replace("vision", "nobody") == json.dumps(missing)


@pytest.mark.parametrize(
    ("changes", "status", "field", "code"),
    [
        ({"pool": None}, 400, "pool", "required"),
        ({"pool": "nowhere"}, 400, "pool", "unknown"),
        ({"pool": ["lab"]}, 400, "pool", "invalid"),
        ({"pool": "la\x00b"}, 400, "pool", "null_characters_not_allowed"),
        ({"team": "nobody"}, 400, "team", "unknown"),
        ({"resource_name": "example.com/other"}, 422, "resource_name", "unknown_type"),
        ({"resource_name": "x" * 81}, 400, "resource_name", "max_length"),
        ({"units": 0}, 400, "units", "min_value"),
        ({"units": -1}, 400, "units", "min_value"),
        ({"units": 5}, 422, "units", "too_many_units"),
        ({"units": 10**30}, 400, "units", "max_value"),
        ({"units": 1.5}, 400, "units", "invalid"),
        ({"units": True}, 400, "units", "invalid"),
        ({"units": "two"}, 400, "units", "invalid"),
        ({"starts_at": "2026-03-01T11:00:00Z"}, 422, "starts_at", "window_in_the_past"),
        ({"starts_at": "2026-03-01T18:00:00Z"}, 422, "ends_at", "window_ends_before_it_starts"),
        ({"starts_at": "2026-03-01T17:00:00Z"}, 422, "ends_at", "window_ends_before_it_starts"),
        ({"starts_at": "2026-03-01T16:55:00Z"}, 422, "ends_at", "window_too_short"),
        ({"ends_at": "2026-04-01T00:00:00Z"}, 422, "ends_at", "window_too_long"),
        ({"ends_at": "9999-12-31T23:59:59Z"}, 422, "ends_at", "window_too_long"),
        ({"starts_at": "2026-03-01T13:00:00"}, 400, "starts_at", "naive"),
        ({"starts_at": "2026-03-02"}, 400, "starts_at", "naive"),
        ({"starts_at": "tomorrow"}, 400, "starts_at", "invalid"),
        ({"starts_at": "2026-02-30T00:00:00Z"}, 400, "starts_at", "invalid"),
        ({"starts_at": 1772370000}, 400, "starts_at", "invalid"),
        ({"ends_at": "9999-12-31T23:59:59-12:00"}, 400, "ends_at", "overflow"),
        ({"starts_at": "0001-01-01T00:00:00+12:00"}, 400, "starts_at", "overflow"),
        ({"mode": "turbo"}, 400, "mode", "invalid_choice"),
        ({"cpu_millicores": 0}, 400, "cpu_millicores", "min_value"),
        ({"cpu_millicores": 1}, 422, "cpu_millicores", "too_little"),
        ({"cpu_millicores": 127_001}, 422, "cpu_millicores", "too_much"),
        ({"memory_mib": 2**31 - 1}, 422, "memory_mib", "too_much"),
        ({"memory_mib": 2**31}, 400, "memory_mib", "max_value"),
        ({"storage_gib": 9}, 422, "storage_gib", "too_little"),
        ({"purpose": "x" * 121}, 400, "purpose", "max_length"),
        ({"purpose": "a\x00b"}, 400, "purpose", "null_characters_not_allowed"),
        ({"purpose": {"a": 1}}, 400, "purpose", "invalid"),
    ],
)
def test_nonsense_is_refused_with_its_field(
    pool: Pool, member: APIClient, changes: dict[str, object], status: int, field: str, code: str
) -> None:
    response = post(member, **changes)

    assert response.status_code == status
    body = response.json()
    assert body["code"] == ("invalid" if status == 400 else "wish_refused")
    assert [(p["field"], p["code"]) for p in body["details"]["problems"]] == [(field, code)]
    assert body["details"]["problems"][0]["message"] in body["message"]
    assert not Reservation.objects.exists()
    assert not AuditEvent.objects.exists()


def test_every_problem_is_named_at_once(pool: Pool, member: APIClient) -> None:
    missing = member.post(RESERVATIONS, {}, format="json").json()
    refused = post(member, units=9, starts_at="2026-03-01T10:00:00Z", storage_gib=1).json()

    assert {p["field"] for p in missing["details"]["problems"]} == {
        "pool",
        "team",
        "resource_name",
        "units",
        "starts_at",
        "ends_at",
    }
    assert {p["field"] for p in refused["details"]["problems"]} == {
        "units",
        "starts_at",
        "storage_gib",
    }


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{", "application/json", 400, "parse_error"),
        ("", "application/json", 400, "invalid"),
        ("[]", "application/json", 400, "invalid"),
        ("null", "application/json", 400, "invalid"),
        ('"lab"', "application/json", 400, "invalid"),
        ('{"units": NaN}', "application/json", 400, "parse_error"),
        ('{"units": 1e999}', "application/json", 400, "invalid"),
        (f'{{"units": {"9" * 5000}}}', "application/json", 400, "parse_error"),
        ("[" * 2000 + "]" * 2000, "application/json", 400, "parse_error"),
        (b"\xff\xfe", "application/json", 400, "parse_error"),
        ("units=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("<a/>", "application/xml", 415, "unsupported_media_type"),
    ],
)
def test_junk_is_refused(
    pool: Pool,
    member: APIClient,
    body: str | bytes,
    content_type: str,
    status: int,
    code: str,
) -> None:
    response = member.post(RESERVATIONS, body, content_type=content_type)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert not Reservation.objects.exists()


def test_what_is_not_asked_for_cannot_be_set(pool: Pool, member: APIClient) -> None:
    response = post(
        member, state="ACTIVE", id=str(uuid4()), requested_by="root", node=1, created_at="1999"
    )

    assert response.status_code == 201
    booked = Reservation.objects.get()
    assert (booked.state, booked.requested_by.username) == (State.APPROVED, "ada")
    assert booked.created_at == make.NOON


def test_a_full_pool_says_what_is_free_and_when_there_is_room(
    pool: Pool, member: APIClient
) -> None:
    make.reservation(of=pool, at=make.window(0, 6), units=3)

    response = post(member)

    assert response.status_code == 409
    body = response.json()
    assert (body["code"], body["details"]["free"]["devices"]) == ("pool_full", 1)
    assert "2 devices requested, 1 free" in body["message"]
    assert body["details"]["nearest"] == {
        "starts_at": "2026-03-01T18:00:00Z",
        "ends_at": "2026-03-01T22:00:00Z",
    }
    assert post(member, **body["details"]["nearest"]).status_code == 201


def test_a_pool_that_stays_full_offers_nothing(
    pool: Pool, member: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.reservation(of=pool, at=make.window(0, 6), units=4)
    monkeypatch.setattr("reservations.answers.first_fit", lambda *_, **__: None)

    assert post(member).json()["details"]["nearest"] is None


def test_a_busy_pool_says_when_to_try_again(
    pool: Pool, member: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**_: object) -> None:
        raise locks.LockBusy("try again")

    monkeypatch.setattr(services, "admit", busy)

    response = post(member)

    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {"code": "busy", "message": "try again", "details": {}}


def test_a_bug_is_not_an_answer(
    pool: Pool, member: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise IntegrityError

    monkeypatch.setattr(services, "admit", broken)

    with pytest.raises(IntegrityError):
        post(member)


def test_another_sites_form_cannot_book(pool: Pool, team: Team) -> None:
    person = make.user(teams=[team])
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(person)

    response = post(browser)

    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert not Reservation.objects.exists()


def test_every_error_of_the_domain_has_its_status() -> None:
    # A DomainError nobody has thought of is answered with 400; nobody should rely on that.
    product = ("gpuaas.", "reservations.", "sessions.", "tokenomics.")
    ours = {e for e in DomainError.__subclasses__() if e.__module__.startswith(product)}

    assert ours == set(errors.STATUS)


# --- looking -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        ("member", 200),
        ("manager", 200),
        ("viewer", 200),
        ("finance", 200),
        ("admin", 200),
        ("outsider", 404),
        ("leaver", 404),
        ("anonymous", 401),
    ],
)
def test_who_may_look(team: Team, caller: str, status: int) -> None:
    reservation = make.reservation(by=team)
    browser = client(caller, team=team)

    assert browser.get(address(reservation)).status_code == status
    listed = browser.get(RESERVATIONS)
    if status == 200:
        assert [each["id"] for each in listed.json()["results"]] == [str(reservation.public_id)]
    elif status == 404:
        assert listed.json()["results"] == []
    else:
        assert listed.status_code == status


def test_not_yours_looks_like_not_there(member: APIClient) -> None:
    hidden = member.get(address(make.reservation()))
    missing = member.get(f"{RESERVATIONS}{uuid4()}/")

    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()


@pytest.mark.parametrize("name", ["1", "0", "latest", "not-a-uuid"])
def test_only_public_numbers_are_addresses(member: APIClient, name: str) -> None:
    make.reservation()

    assert member.get(f"{RESERVATIONS}{name}/").status_code == 404


def test_a_running_booking_shows_its_workspace(team: Team, member: APIClient) -> None:
    reservation = make.reservation(by=team, at=make.window(0, 4), state=State.ACTIVE)
    session = make.session(of=reservation, state=SessionState.READY)

    assert member.get(address(reservation)).json()["workspace"] == {
        "state": "READY",
        "waiting_for": "",
        "last_error": "",
        "ready_at": None,
        "url": f"https://{session.namespace}.apps.example.com/",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["late", "early"]),
        ({"state": "CANCELED"}, ["early"]),
        ({"pool": "lab"}, ["late", "early"]),
        ({"pool": "nowhere"}, []),
        ({"team": "vision"}, ["late", "early"]),
        ({"team": "language"}, []),
    ],
)
def test_the_list_can_be_narrowed(
    team: Team, pool: Pool, member: APIClient, query: dict[str, str], found: list[str]
) -> None:
    make.reservation(by=make.team(slug="language"), of=pool)
    bookings = {
        "early": make.reservation(by=team, of=pool, state=State.CANCELED),
        "late": make.reservation(by=team, of=pool, at=make.window(2, 3)),
    }

    results = member.get(RESERVATIONS, query).json()["results"]

    assert [each["id"] for each in results] == [str(bookings[n].public_id) for n in found]


def test_a_state_that_is_none_is_refused(member: APIClient) -> None:
    response = member.get(RESERVATIONS, {"state": "PAUSED"})

    assert response.status_code == 400
    assert response.json()["details"]["problems"][0]["field"] == "state"


@pytest.mark.parametrize("limit", ["1", "2", "9" * 9])
def test_the_list_is_cut_into_pages(team: Team, member: APIClient, limit: str) -> None:
    pool = make.pool(devices={SLICE: 3})
    for _ in range(3):
        make.reservation(by=team, of=pool)

    seen: list[str] = []
    address = f"{RESERVATIONS}?limit={limit}"
    while address:
        page = member.get(address).json()
        assert 1 <= len(page["results"]) <= int(limit)
        seen += [each["id"] for each in page["results"]]
        address = page["next"]

    # All three start at the same instant: none is shown twice, none is left out.
    assert len(seen) == len(set(seen)) == 3


@pytest.mark.parametrize("cursor", ["x", "cD14", "cD05OTk5OTktMDEtMDE=", "bz0tMQ=="])
def test_a_cursor_that_somebody_made_up_is_not_found(member: APIClient, cursor: str) -> None:
    for address in (RESERVATIONS, "/api/v1/audit/"):
        assert member.get(address, {"cursor": cursor}).status_code in {200, 404}


@pytest.mark.parametrize("bookings", [1, 8])
def test_the_list_costs_the_same_however_long(
    team: Team, member: APIClient, bookings: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    pool = make.pool(devices={SLICE: 8})
    for _ in range(bookings):
        make.reservation(by=team, of=pool)

    with django_assert_num_queries(4):  # browser's session, person, page, flags
        member.get(RESERVATIONS)


# --- ending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["cancel/", "give-back/"])
@pytest.mark.parametrize(
    ("caller", "status", "code"),
    [
        ("member", 200, None),
        ("manager", 200, None),
        ("admin", 200, None),
        ("viewer", 403, "not_your_team"),
        ("finance", 403, "not_your_team"),
        ("outsider", 404, "not_found"),
        ("leaver", 404, "not_found"),
        ("anonymous", 401, "not_authenticated"),
    ],
)
def test_who_may_end_a_booking(
    team: Team, caller: str, status: int, code: str | None, action: str
) -> None:
    reservation = make.reservation(by=team, at=make.window(-1, 4), state=State.ACTIVE)

    response = client(caller, team=team).post(address(reservation, action))

    assert (response.status_code, response.json().get("code")) == (status, code)
    reservation.refresh_from_db()
    ended = State.CANCELED if action == "cancel/" else State.COMPLETED
    assert reservation.state == (ended if status == 200 else State.ACTIVE)


def test_an_ended_booking_says_so(team: Team, member: APIClient) -> None:
    reservation = make.reservation(by=team, at=make.window(-1, 4), state=State.ACTIVE)

    body = member.post(address(reservation, "give-back/")).json()

    assert (body["state"], body["released_at"]) == ("COMPLETED", "2026-03-01T12:00:00Z")
    assert "ada" in body["state_reason"]


@pytest.mark.parametrize(
    ("action", "state"),
    [
        *(("cancel/", state) for state in sorted(lifecycle.TERMINAL)),
        *(("give-back/", state) for state in sorted(lifecycle.TERMINAL)),
        ("give-back/", State.APPROVED),
    ],
)
def test_what_cannot_be_ended_that_way_stays_as_it_is(
    team: Team, member: APIClient, action: str, state: State
) -> None:
    reservation = make.reservation(by=team, state=state)

    response = member.post(address(reservation, action))

    assert (response.status_code, response.json()["code"]) == (409, "transition_not_allowed")
    reservation.refresh_from_db()
    assert reservation.state == state


def test_of_two_who_cancel_the_second_is_told_it_is_stale(
    team: Team, member: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservation = make.reservation(by=team)
    cancel = services.cancel

    def after_somebody_else(**arguments: Any) -> None:
        copy = Reservation.objects.select_related("team").get(pk=reservation.pk)
        cancel(reservation=copy, actor=reservation.requested_by, now=make.NOON)
        cancel(**arguments)

    monkeypatch.setattr(services, "cancel", after_somebody_else)

    response = member.post(address(reservation, "cancel/"))

    assert (response.status_code, response.json()["code"]) == (409, "stale")


def test_looking_never_ends_anything(team: Team, member: APIClient) -> None:
    reservation = make.reservation(by=team)

    for action in ("cancel/", "give-back/"):
        assert member.get(address(reservation, action)).status_code == 405

    reservation.refresh_from_db()
    assert reservation.state == State.APPROVED
