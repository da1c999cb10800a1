"""The fleet's page: what administrators see of clusters, nodes and the reconciler."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory.models import Cluster, Node, Pool
from reservations.capacity import Window
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions.models import ClusterWatch, PassRecord, WorkspaceSession
from tests import make

pytestmark = pytest.mark.django_db
FLEET = reverse("portal:fleet")


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def watch(cluster: Cluster, *, seconds_ago: float) -> None:
    until = timezone.now() - timedelta(seconds=seconds_ago)
    ClusterWatch.objects.create(cluster=cluster, since=until - timedelta(hours=1), until=until)


def record(cluster: Cluster, **of: object) -> None:
    figures = {
        "passes": 200,
        "seconds": 50.0,
        "last_seconds": 0.31,
        "put_off": 3,
        "answers": {"list 200": 900, "apply 409": 2, "get 0": 1},
    }
    PassRecord.objects.create(cluster=cluster, **(figures | of))


def test_it_is_for_platform_administrators(browser: Client) -> None:
    assert browser.get(FLEET).status_code == HTTPStatus.FORBIDDEN
    assert FLEET.encode() not in browser.get(reverse("portal:home")).content


@pytest.mark.parametrize(
    ("seconds_ago", "error", "state"),
    [(5, "", "looking"), (5, "no route to host", "failing"), (500, "", "stalled")],
)
def test_it_says_whether_the_reconciler_looks(
    root: Client, pool: Pool, seconds_ago: float, error: str, state: str
) -> None:
    watch(pool.cluster, seconds_ago=seconds_ago)
    record(pool.cluster, last_error=error)

    page = root.get(FLEET)

    (card,) = page.context["clusters"]
    assert card.badge.state == state
    assert error in page.content.decode()
    facts = dict(card.facts)
    assert facts["The last pass took"] == "0.31 s"
    assert facts["On average"] == "0.25 s"
    assert facts["Requests"] == "903, 3 of them refused or lost"


def test_a_cluster_nobody_has_looked_at_yet_says_so(root: Client) -> None:
    Cluster.objects.filter(pk=make.cluster().pk).update(known_since=timezone.now())

    (card,) = root.get(FLEET).context["clusters"]

    assert card.badge.state == "starting"
    assert dict(card.facts)["Passes"] == "none yet"


def test_failures_are_counted_by_reason_and_starts_by_their_lag(root: Client, pool: Pool) -> None:
    for reason in ("the image x cannot be pulled", "the image y cannot be pulled", "the moon"):
        failed = make.reservation(of=pool, state=State.FAILED, at=_lately())
        Reservation.objects.filter(pk=failed.pk).update(
            state_reason=reason, state_changed_at=timezone.now()
        )
    started = make.reservation(of=pool, state=State.ACTIVE, at=_lately())
    ready_at = started.starts_at + timedelta(seconds=42)
    session = make.session(of=started)
    WorkspaceSession.objects.filter(pk=session.pk).update(ready_at=ready_at)

    context = root.get(FLEET).context

    assert [(each.reason, each.count, each.wide) for each in context["failures"]] == [
        ("An image could not be pulled", 2, 1000),
        ("Something else", 1, 500),
    ]
    assert context["lags"][0] == ("50 % of them within", "42 s")
    assert context["started"] == 1


def _lately() -> Window:
    now = timezone.now()
    return Window(now - timedelta(minutes=30), now + timedelta(hours=1))


def test_nodes_that_are_not_in_order_come_first_and_many_take_no_more_queries(
    root: Client, pool: Pool, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    made = [make.node(of=pool, devices={make.SLICE: 1}) for _ in range(60)]
    Node.objects.filter(pk=made[-1].pk).update(is_ready=False)
    watch(pool.cluster, seconds_ago=5)
    record(pool.cluster)

    with django_assert_max_num_queries(12):
        page = root.get(FLEET)

    (card,) = page.context["clusters"]
    assert card.nodes[0].number == made[-1].pk
    assert len(card.nodes) == 50
    assert card.left_out > 0


def test_an_empty_installation_is_told_what_to_do(root: Client) -> None:
    assert b"Add a cluster" in root.get(FLEET).content
