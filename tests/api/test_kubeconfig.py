"""``/api/v1/reservations/<id>/kubeconfig/``: for the owner, without a secret."""

import base64
from typing import Any

import pytest
import yaml
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Cluster
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions import services
from sessions.models import ClusterToken, SessionState
from tests import make
from tests.api.clients import client_of

pytestmark = pytest.mark.django_db
CA = "-----BEGIN CERTIFICATE-----\nTWFkZSB1cA==\n-----END CERTIFICATE-----\n"


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def ada(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def booking(team: Team, ada: User) -> Reservation:
    return make.reservation(by=team, requested_by=ada, at=make.window(-1, 4), state=State.ACTIVE)


def offer(booking: Reservation, **fields: str) -> None:
    fields = {"api_url": "https://api.lab.example.com:6443", **fields}
    Cluster.objects.filter(pk=booking.pool.cluster_id).update(**fields)


def ask(person: User, booking: Reservation) -> Any:
    return client_of(person).get(f"/api/v1/reservations/{booking.public_id}/kubeconfig/")


def test_with_an_issuer_kubectl_asks_the_person_to_log_in(
    ada: User, booking: Reservation, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    session = make.session(of=booking, state=SessionState.READY)
    issuer = "https://login.example.com/realms/all"
    offer(booking, api_ca_pem=CA, oidc_issuer_url=issuer, oidc_client_id="kubernetes")

    browser = client_of(ada)
    with django_assert_max_num_queries(4):
        body = browser.get(f"/api/v1/reservations/{booking.public_id}/kubeconfig/").json()

    found = yaml.safe_load(body["yaml"])
    (cluster,), (context,), (user,) = found["clusters"], found["contexts"], found["users"]
    assert body["namespace"] == found["current-context"] == session.namespace
    assert issuer in body["login"]
    assert cluster["cluster"]["server"] == "https://api.lab.example.com:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode() == CA
    assert context["context"] == {
        "cluster": cluster["name"],
        "namespace": session.namespace,
        "user": user["name"],
    }
    assert user["user"]["exec"]["args"][-2:] == [
        f"--oidc-issuer-url={issuer}",
        "--oidc-client-id=kubernetes",
    ]
    assert set(user["user"]) == {"exec"}  # no token, no key


def test_without_an_issuer_one_logs_in_with_the_clusters_own_program(
    ada: User, booking: Reservation
) -> None:
    make.session(of=booking, state=SessionState.READY)
    offer(booking)

    body = ask(ada, booking).json()

    assert "oc login https://api.lab.example.com:6443" in body["login"]
    assert [each["user"] for each in yaml.safe_load(body["yaml"])["users"]] == [{}]


@pytest.mark.parametrize(
    ("session", "state", "says"),
    [
        (None, State.APPROVED, "comes up at 2026-03-01 11:00 UTC"),
        (SessionState.PROVISIONING, State.ACTIVE, "not up yet"),
        (SessionState.STOPPING, State.ACTIVE, "being removed"),
        (SessionState.ENDED, State.COMPLETED, "is gone"),
    ],
)
def test_there_is_none_before_and_after(
    ada: User, booking: Reservation, session: SessionState | None, state: State, says: str
) -> None:
    offer(booking)
    Reservation.objects.filter(pk=booking.pk).update(state=state.value)
    if session:
        make.session(of=booking, state=session)

    response = ask(ada, booking)

    assert (response.status_code, response.json()["code"]) == (409, "workspace_not_ready")
    assert says in response.json()["message"]


def test_a_cluster_without_an_address_says_so(ada: User, booking: Reservation) -> None:
    make.session(of=booking, state=SessionState.READY)

    response = ask(ada, booking)

    assert (response.status_code, response.json()["code"]) == (409, "cluster_not_offered")


def test_team_mates_are_not_let_in(team: Team, booking: Reservation) -> None:
    make.session(of=booking, state=SessionState.READY)
    offer(booking)

    response = ask(make.user(teams=[team]), booking)

    assert (response.status_code, response.json()["code"]) == (403, "not_your_workspace")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"api_url": "http://api.example.com"}, "api_url"),
        ({"oidc_issuer_url": "javascript:alert(1)", "oidc_client_id": "k"}, "oidc_issuer_url"),
        ({"oidc_client_id": "k"}, "__all__"),
        ({"api_ca_pem": CA + "-----BEGIN PRIVATE KEY-----\nAA==\n"}, "api_ca_pem"),
    ],
)
def test_what_an_administrator_cannot_enter(fields: dict[str, str], wrong: str) -> None:
    cluster = make.cluster()
    for name, value in fields.items():
        setattr(cluster, name, value)

    with pytest.raises(ValidationError) as refused:
        cluster.full_clean()

    assert set(refused.value.message_dict) == {wrong}


def test_a_token_is_asked_for_waited_for_and_taken_once(ada: User, booking: Reservation) -> None:
    session = make.session(of=booking, state=SessionState.READY)
    offer(booking)
    client, url = client_of(ada), f"/api/v1/reservations/{booking.public_id}/kubeconfig/token/"

    assert client.get(url).json()["state"] == "NONE"
    asked = client.post(url, {}, "json")
    assert (asked.status_code, asked.json()["state"]) == (202, "ASKED")
    early = client.post(f"{url}take/", {}, "json")
    assert (early.status_code, early.json()["code"]) == (409, "no_token_to_take")
    services.record_token(
        token=ClusterToken.objects.get(),
        text="made-up",
        expires_at=booking.ends_at,
        now=make.NOON,
    )
    assert client.get(url).json()["state"] == "READY"
    assert "made-up" not in client.get(url).content.decode()

    key = {"HTTP_IDEMPOTENCY_KEY": "taken-once"}
    taken = client.post(f"{url}take/", {}, "json", **key)  # type: ignore[arg-type]
    again = client.post(f"{url}take/", {}, "json", **key)  # type: ignore[arg-type]

    (user,) = yaml.safe_load(taken.json()["yaml"])["users"]
    assert user["user"] == {"token": "made-up"}
    assert taken.json()["namespace"] == session.namespace
    assert again.status_code == 409
    assert "made-up" not in again.content.decode()
    assert client.get(url).json()["state"] == "TAKEN"
