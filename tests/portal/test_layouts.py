"""The page on which administrators plan layouts, and where everybody sees them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gpuaas.accounts.models import OrganisationRole
from gpuaas.core import locks
from gpuaas.inventory import layouts
from gpuaas.inventory.models import Cluster, Device, Node, PlannedLayout, Pool
from gpuaas.portal.cards import hardware as cards
from reservations import services
from reservations.capacity import Window
from tests import make
from tests.make import GPU, SLICE

PAGE = "portal:plan_layout"


@pytest.fixture
def pool(db: None) -> Pool:
    pool = make.pool(slug="lab", of=make.cluster(name="lab"))
    Cluster.objects.update(gpu_operator_namespace="gpu-operator")
    Device.objects.filter(resource_name=SLICE).update(gpu_index=0, replicas=1)
    Device.objects.filter(resource_name=GPU).update(gpu_index=1, replicas=1)
    return pool


@pytest.fixture
def admin(pool: Pool) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def inputs(**more: str) -> dict[str, str]:
    starts_at = timezone.now() + timedelta(days=1)
    return {
        "gpu": f"{Node.objects.get().pk}/0",
        "cut": f"{GPU}=1",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=10)).isoformat(),
        "reason": "a large model",
        **more,
    }


def test_it_is_planned_seen_by_all_and_taken_back(
    admin: Client, browser: Client, pool: Pool
) -> None:
    assert "GPU 0, now 4 slices of 1g.24gb" in admin.get(reverse(PAGE)).content.decode()

    said = admin.post(reverse(PAGE), inputs(), follow=True).content.decode()

    assert "can be booked from now on" in said
    assert "GPU 0 as one whole GPU" in browser.get(reverse("portal:hardware")).content.decode()
    day = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"
    table = browser.get(
        reverse("portal:timeline"), {"as": "table", "day": day, "view": "fortnight"}
    )
    text = table.content.decode()
    assert "Its GPU is cut otherwise then" in text
    assert "Whole GPU of GPU 0, as planned" in text
    assert "GPU 1, 96 GB, all of a GPU&#x27;s compute, Exclusive GPU" in text
    data = browser.get(reverse("portal:timeline_data", args=["lab"])).json()
    assert "absent" in {bar["kind"] for bar in data["bars"]}
    [node] = [row for row in data["rows"] if row["kind"] == "node"]
    assert {row["gets"] for row in node["children"]} == {
        "96 GB · 100 % · exclusive",
        "24 GB · 25 % · exclusive",
    }
    free = [bar["label"] for bar in data["bars"] if bar["rows"] == [f"free/{GPU}"]]
    assert free[0] == "1 of 1 free"
    assert "2 of 2 free" in free

    layout = PlannedLayout.objects.get()
    address = reverse("portal:cancel_layout", args=[layout.pk])
    assert "Cancelled." in admin.post(address, follow=True).content.decode()
    assert "Nothing was changed" in admin.post(address, follow=True).content.decode()


def test_what_is_in_the_way_stands_beside_the_field(admin: Client, pool: Pool) -> None:
    now = timezone.now()
    at = Window(now + timedelta(hours=30), now + timedelta(hours=32))
    booked = make.reservation(of=pool, at=at)

    answer = admin.post(reverse(PAGE), inputs())

    assert answer.status_code == 422
    text = answer.content.decode()
    assert str(booked.public_id) in text
    assert "it would fit from" in text


@pytest.mark.parametrize("changes", [{"gpu": "x"}, {"cut": "x"}, {"cut": f"{SLICE}=4"}])
def test_what_cannot_be_is_refused(admin: Client, pool: Pool, changes: dict[str, str]) -> None:
    assert admin.post(reverse(PAGE), inputs(**changes)).status_code == 422
    assert not PlannedLayout.objects.exists()


def test_a_busy_pool_is_said(admin: Client, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(**_: object) -> None:
        raise locks.LockBusy("try again")

    monkeypatch.setattr(services, "plan_layout", busy)

    assert b"try again" in admin.post(reverse(PAGE), inputs()).content


def test_where_no_gpu_can_be_cut_it_says_what_that_takes(admin: Client, pool: Pool) -> None:
    Cluster.objects.update(gpu_operator_namespace="")

    assert b"No GPU can be cut from here" in admin.get(reverse(PAGE)).content


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        (layouts.State.PLANNED, "secondary"),
        (layouts.State.CUTTING, "warning"),
        (layouts.State.STANDS, "success"),
        (layouts.State.ROLLING_BACK, "danger"),
        (layouts.State.FAILED, "danger"),
    ],
)
def test_the_colour_of_a_state(pool: Pool, state: layouts.State, tone: str) -> None:
    layout = make.layout(of=pool.nodes.get(), at=make.window(1, 5), state=state)

    assert cards.layout_card(layout).badge.tone == tone
