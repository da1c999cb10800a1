"""The pages of the hardware: everybody looks, administrators change."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gpuaas.accounts.models import OrganisationRole
from gpuaas.inventory import selectors
from gpuaas.inventory.models import Closure, Device, DeviceState, Node, Pool
from reservations.capacity import Window
from tests import make

FILE = """version: 1
cluster: lab
nodes:
- {name: gpu-9, cpu_millicores: 1000, memory_mib: 1024, storage_gib: 10}
"""
LOOKING, CHANGING = ["hardware", "node"], ["close", "import"]


@pytest.fixture
def hardware(db: None) -> Pool:
    return make.pool(slug="lab", of=make.cluster(name="lab"))


@pytest.fixture
def admin(hardware: Pool) -> Client:
    client = Client()
    client.force_login(make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN))
    return client


def page(name: str) -> str:
    return reverse(f"portal:{name}", args=[Node.objects.earliest("pk").pk] * (name == "node"))


def said(client: Client, address: str, data: dict[str, object]) -> str:
    return client.post(address, data, follow=True).content.decode()


def closure(pool: Pool) -> Closure:
    now = timezone.now()
    return make.closure(of=pool, at=Window(now + timedelta(days=1), now + timedelta(days=2)))


def inputs(pool: str = "pool:lab", **more: str) -> dict[str, object]:
    starts_at = timezone.now() + timedelta(days=1)
    return {
        "target": pool,
        "kind": "maintenance",
        "reason": "new fans",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=2)).isoformat(),
        **more,
    }


# --- who ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOKING)
def test_a_member_looks_and_gets_no_buttons(browser: Client, hardware: Pool, name: str) -> None:
    closure(hardware)

    answer = browser.get(page(name))

    assert answer.status_code == HTTPStatus.OK
    assert b"<form method" not in answer.content.partition(b"<main")[2]


@pytest.mark.parametrize("name", CHANGING)
def test_for_a_member_the_ways_to_change_are_closed(
    browser: Client, hardware: Pool, name: str
) -> None:
    assert browser.get(page(name)).status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("name", ["node", "device_state", "close", "open_again", "import"])
def test_a_member_changes_nothing(browser: Client, hardware: Pool, name: str) -> None:
    rows = {
        "node": Node.objects.earliest("pk").pk,
        "device_state": Device.objects.earliest("pk").pk,
        "open_again": closure(hardware).pk,
    }
    address = reverse(f"portal:{name}", args=[rows[name]] if name in rows else [])

    answer = browser.post(address, {"state": "failed", "is_schedulable": "no", "reason": "x"})

    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert not Device.objects.filter(state=DeviceState.FAILED).exists()
    assert not Closure.objects.exclude(canceled_at=None).exists()


@pytest.mark.parametrize("name", LOOKING + CHANGING)
def test_nobody_looks_without_logging_in(client: Client, hardware: Pool, name: str) -> None:
    assert client.get(page(name)).status_code == HTTPStatus.FOUND


@pytest.mark.parametrize("name", LOOKING + CHANGING)
def test_no_page_has_inline_script_or_style(admin: Client, name: str) -> None:
    content = admin.get(page(name)).content

    assert b"style=" not in content
    assert b"<script>" not in content


# --- what is shown -----------------------------------------------------------------------------


def test_what_the_cluster_lacks_is_shown(admin: Client) -> None:
    Node.objects.update(reported_devices={make.GPU: 1, make.SLICE: 3}, is_ready=False)

    for name in LOOKING:
        content = admin.get(page(name)).content.decode()
        assert "cluster reports 3" in content
        assert "Not ready" in content


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"is_schedulable": False}, "Closed by its cluster"),
        ({"is_schedulable": False, "is_withdrawn": True}, "Out of service"),
    ],
)
def test_why_a_node_is_not_booked(admin: Client, columns: dict[str, bool], word: str) -> None:
    Node.objects.update(**columns)

    assert word in admin.get(page("hardware")).content.decode()


def test_an_empty_inventory_says_so(browser: Client) -> None:
    assert b"No nodes yet" in browser.get(reverse("portal:hardware")).content


@pytest.mark.parametrize(("name", "most"), [("hardware", 11), ("node", 9)])
def test_a_page_costs_the_same_however_much_there_is(
    admin: Client,
    hardware: Pool,
    name: str,
    most: int,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(10):
        make.node(of=hardware, devices={make.SLICE: 20})

    with django_assert_max_num_queries(most):
        admin.get(page(name))


# --- changing ----------------------------------------------------------------------------------


def test_a_device_is_taken_out_and_says_why(admin: Client) -> None:
    device = Device.objects.earliest("pk")
    address = reverse("portal:device_state", args=[device.pk])

    assert "ECC errors" in said(admin, address, {"state": "failed", "reason": "ECC errors"})
    assert "Nothing was changed" in said(admin, address, {"state": "retired", "reason": ""})
    assert Device.objects.get(pk=device.pk).state == DeviceState.FAILED


def test_a_node_is_taken_out_and_put_back(admin: Client) -> None:
    address = page("node")

    assert "Put it back" in said(admin, address, {"is_schedulable": "no", "reason": "fans"})
    assert not Node.objects.get().is_schedulable
    assert "Take it out" in said(admin, address, {"is_schedulable": "yes", "reason": ""})
    assert Node.objects.get().is_schedulable


def test_a_closure_is_planned_and_cancelled(admin: Client) -> None:
    assert "new fans" in said(admin, page("close"), inputs())

    said(admin, reverse("portal:open_again", args=[Closure.objects.get().pk]), {})

    assert Closure.objects.get().canceled_at is not None
    assert b"new fans" not in admin.get(page("hardware")).content


def test_a_refused_closure_keeps_what_was_typed(admin: Client) -> None:
    node = Node.objects.get()
    bad = inputs(pool=f"node:{node.pk}", starts_at="2020-01-01T00:00", ends_at="2019-01-01T00:00")

    answer = admin.post(page("close"), bad)

    content = answer.content.decode()
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert content.count("error-starts_at") == content.count("error-ends_at") == 1
    assert f'value="node:{node.pk}" selected' in content
    assert "new fans" in content


def test_an_import_shows_the_difference_and_waits_for_a_word(admin: Client) -> None:
    upload = SimpleUploadedFile("inventory.yaml", FILE.encode())

    shown = admin.post(page("import"), {"file": upload}).content.decode()
    assert "+ node gpu-9" in shown
    assert not Node.objects.filter(name="gpu-9").exists()

    admin.post(page("import"), {"yaml": FILE, "apply": "yes"})
    assert Node.objects.filter(name="gpu-9").exists()


def test_a_bad_file_is_told_and_kept(admin: Client) -> None:
    answer = admin.post(page("import"), {"yaml": FILE.replace("1024", "-1"), "apply": "yes"})

    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert b"line 4: nodes[0].memory_mib" in answer.content
    assert b"memory_mib: -1" in answer.content


def test_an_import_that_contradicts_changes_nothing(admin: Client) -> None:
    bad = FILE.replace("10}", "10, pool: nowhere}")

    assert b"no pool" in admin.post(page("import"), {"yaml": bad}).content


def test_the_same_again_differs_in_nothing(admin: Client, hardware: Pool) -> None:
    exported = selectors.as_file(hardware.cluster)

    assert b"Nothing differs" in admin.post(page("import"), {"yaml": exported}).content


# --- whose a booked device is ------------------------------------------------------------------


def test_an_administrator_shares_a_pools_devices_and_everybody_reads_it(
    admin: Client, hardware: Pool
) -> None:
    somebody, team = Client(), make.team()
    somebody.force_login(make.user(teams=(team,)))
    pages = [
        reverse("portal:pool", args=["lab"]),
        reverse("portal:home"),
        reverse("portal:book"),
    ]
    assert all("Exclusive slice" in somebody.get(each).content.decode() for each in pages)

    address = reverse("portal:pool_sharing", args=["lab"])
    text = said(admin, address, {"is_shared": "yes", "reason": "prototypes"})

    assert "The devices of Lab are shared." in text
    assert all("Shared with other teams" in somebody.get(each).content.decode() for each in pages)
    assert "prototypes" in somebody.get(pages[0]).content.decode()

    assert "are not shared any more" in said(admin, address, {"is_shared": "no"})
    assert "Shared with other teams" not in somebody.get(pages[0]).content.decode()


def test_sharing_without_a_reason_changes_nothing(admin: Client, hardware: Pool) -> None:
    address = reverse("portal:pool_sharing", args=["lab"])

    text = said(admin, address, {"is_shared": "yes"})
    said(admin, address, {"is_shared": "perhaps"})

    hardware.refresh_from_db()
    assert "Nothing was changed: say why teams are to share devices" in text
    assert not hardware.is_shared


def test_a_page_names_the_device_where_it_is_known_which(hardware: Pool) -> None:
    Device.objects.filter(resource_name=make.GPU).update(gpu_index=1, uuid="GPU-1234")
    team = make.team()
    person, client = make.user(teams=(team,)), Client()
    client.force_login(person)

    def shown(resource_name: str) -> str:
        booked = make.reservation(
            of=hardware, by=team, requested_by=person, resource_name=resource_name
        )
        address = reverse("portal:reservation", args=[booked.public_id])
        return client.get(address).content.decode()

    whole, cut = shown(make.GPU), shown(make.SLICE)

    node = Node.objects.get().name
    assert f"96 GB, all of a GPU&#x27;s compute, GPU 1, {node}" in whole
    assert "GPU-1234" in whole
    assert "Your GPU alone, time-shared inside your session" in whole
    assert "Up to 4 of your own containers take turns on it" in whole
    assert f"24 GB, 25 % of a GPU&#x27;s compute, {node}" in cut
    assert "Exclusive slice" in cut
    assert f"Which one of {node} a container gets, is decided when it starts." in cut
