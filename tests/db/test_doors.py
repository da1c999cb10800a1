"""`sessions.services.doors` and quotas: what is kept of a session besides its life."""

import dataclasses

import pytest
from allauth.idp.oidc.models import Client
from django.core.exceptions import ValidationError
from pytest_django import Settings

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory.models import Cluster, Exposure
from gpuaas.portal.doors import DoorsAdapter
from reservations.lifecycle import State
from sessions import selectors, services, spec
from sessions.models import SessionQuota, WorkspaceSession
from sessions.services import doors
from tests import make

pytestmark = pytest.mark.django_db
NOW = make.at(1)


@pytest.fixture
def session() -> WorkspaceSession:
    reservation = make.reservation(at=make.window(0, 4), state=State.APPROVED)
    Cluster.objects.update(
        exposure=Exposure.ROUTE, workspace_url_template="https://{namespace}.apps.example.com/"
    )
    reservation.refresh_from_db()
    return services.open_session(reservation=reservation, now=NOW)


def door_of(session: WorkspaceSession) -> spec.Door:
    door = selectors.door_of(session, session.reservation.pool.cluster)
    assert door is not None
    return door


def test_a_door_is_known_to_the_portal_by_a_hash_of_its_secret(session: WorkspaceSession) -> None:
    door = door_of(session)

    services.hang_door(session=session, door=door, now=NOW)

    client = Client.objects.get(pk=door.client_id)
    assert client.check_secret(door.client_secret)
    assert door.client_secret not in client.secret
    assert client.get_redirect_uris() == [door.redirect_url]
    assert session.door_seed.startswith("gAAAA"), "what secrets are made from lies sealed"


def test_a_door_that_is_known_is_not_written_again(session: WorkspaceSession) -> None:
    door = door_of(session)
    for _ in range(2):
        services.hang_door(session=session, door=door, now=NOW)

    assert AuditEvent.objects.filter(action__startswith="oidc_client").count() == 1

    elsewhere = dataclasses.replace(door, url="https://elsewhere.example.com")
    services.hang_door(session=session, door=elsewhere, now=NOW)
    assert Client.objects.get().get_redirect_uris() == [elsewhere.redirect_url]


def test_a_door_goes_with_the_session(session: WorkspaceSession) -> None:
    services.hang_door(session=session, door=door_of(session), now=NOW)

    services.close(session=session, now=make.at(5))

    assert not Client.objects.exists()
    session.refresh_from_db()
    assert session.door_digest == ""
    assert AuditEvent.objects.filter(action="oidc_client.removed").count() == 1


def test_there_is_nothing_to_take_down_without_a_door() -> None:
    session = make.session()

    doors.take_down(session=session, now=NOW)
    assert selectors.door_of(session, session.reservation.pool.cluster) is None
    assert not AuditEvent.objects.filter(action="oidc_client.removed").exists()


def test_one_doors_secrets_say_nothing_of_anothers(session: WorkspaceSession) -> None:
    door, seed = door_of(session), session.door_seed

    assert door_of(session) == door, "the same whenever they are asked for"
    session.door_seed = WorkspaceSession(door_seed="").door_seed
    lost = door_of(session)
    assert {lost.client_secret, lost.cookie_secret}.isdisjoint(
        {door.client_secret, door.cookie_secret}
    )
    assert door.client_secret != door.cookie_secret
    assert seed


def test_the_secrets_outlive_a_new_secret_key(
    session: WorkspaceSession, settings: Settings
) -> None:
    door = door_of(session)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another one, as long as it has to be"  # noqa: S105

    assert door_of(session) == door


def test_what_runs_keeps_its_door_when_the_cluster_is_configured_anew(
    session: WorkspaceSession,
) -> None:
    cluster = session.reservation.pool.cluster
    cluster.exposure = Exposure.NONE

    assert selectors.door_of(session, cluster) is not None
    assert selectors.exposures_in(cluster) == {"route"}


def test_the_portal_tells_a_door_nothing_but_whether_it_opens(session: WorkspaceSession) -> None:
    owner = session.reservation.requested_by
    make.membership(of=session.reservation.team, whose=owner)
    services.hang_door(session=session, door=door_of(session), now=NOW)
    client = Client.objects.get()

    def groups(person: object) -> object:
        claims = DoorsAdapter().get_claims("id_token", person, client, ["openid", "groups"])  # type: ignore[arg-type]
        return claims["groups"]

    assert groups(owner) == [client.id]
    assert groups(make.user(teams=(session.reservation.team,))) == []


def test_other_clients_are_told_the_teams() -> None:
    person = make.user(teams=(make.team(slug="vision"),))
    claims = DoorsAdapter().get_claims(
        "id_token", person, Client(id="another-product"), ["openid", "groups"]
    )

    assert claims["groups"] == ["vision", "vision:member"]


@pytest.mark.parametrize("client", ["workspace-", "workspace-1", "vision", ""])
def test_a_client_of_another_kind_is_no_door(client: str) -> None:
    assert spec.session_of_client(client) is None


@pytest.mark.parametrize(
    ("template", "exposure", "gateway", "complaint"),
    [
        ("https://apps.example.com/{namespace}/", Exposure.ROUTE, "", "need a host each"),
        ("https://{namespace}.example.com/a/", Exposure.ROUTE, "", "need a host each"),
        ("https://{namespace}.example.com/", Exposure.GATEWAY, "", "which Gateway"),
    ],
)
def test_an_exposed_workspace_needs_a_host_of_its_own(
    template: str, exposure: Exposure, gateway: str, complaint: str
) -> None:
    cluster = make.cluster()
    cluster.workspace_url_template, cluster.exposure = template, exposure
    cluster.gateway = gateway

    with pytest.raises(ValidationError, match=complaint):
        cluster.full_clean()


def test_a_quota_is_kept_when_it_changes() -> None:
    session = make.session()
    hard, used = {"pods": "100"}, {"pods": "1"}

    assert services.record_quota(session=session, hard=hard, used=used, now=NOW)
    session.refresh_from_db()
    assert not services.record_quota(session=session, hard=hard, used=used, now=make.at(2))
    session.refresh_from_db()
    assert services.record_quota(session=session, hard=hard, used={"pods": "2"}, now=make.at(3))

    kept = SessionQuota.objects.get()
    assert (kept.hard, kept.used, kept.changed_at) == (hard, {"pods": "2"}, make.at(3))
    shown = selectors.quota_of(session)
    assert shown == {"hard": hard, "used": {"pods": "2"}, "changed_at": make.at(3)}
