"""Each system check has something to say exactly when something is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError, connections
from pytest_django import Settings

from gpuaas import checks
from gpuaas.inventory.models import Cluster, Device, DeviceState, Exposure, Node, Pool
from reservations import lifecycle
from tests import make

ROOT = Path(__file__).parents[2]


@pytest.mark.django_db
class TestE001:
    """A pool's bookings against its hardware."""

    @pytest.fixture(autouse=True)
    def it_is_noon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gpuaas.checks.timezone.now", lambda: make.NOON)

    def test_a_full_pool_is_no_problem(self) -> None:
        make.reservation(units=4)

        assert checks.pools_have_what_is_booked(databases=["default"]) == []

    def test_a_device_retired_under_its_booking(self) -> None:
        pool = make.pool(slug="lab")
        make.reservation(of=pool, units=4)
        Device.objects.filter(resource_name=make.SLICE, ordinal=3).update(state=DeviceState.RETIRED)

        (found,) = checks.pools_have_what_is_booked(databases=["default"])

        assert found.id == "gpuaas.E001"
        assert "Lab" in found.msg
        assert "exceed the hardware by 1 devices" in found.msg

    def test_a_node_that_went_away_under_its_booking(self) -> None:
        pool = make.pool()
        make.reservation(of=pool)
        Node.objects.update(is_schedulable=False)

        (found,) = checks.pools_have_what_is_booked(databases=["default"])

        assert "1 devices, 4000 cpu_millicores, 16384 memory_mib, 600 storage_gib" in found.msg

    @pytest.mark.parametrize("state", sorted(lifecycle.TERMINAL))
    def test_finished_bookings_do_not_count(self, state: lifecycle.State) -> None:
        pool = make.pool()
        make.reservation(of=pool, state=state)
        Node.objects.update(is_schedulable=False)

        assert checks.pools_have_what_is_booked(databases=["default"]) == []

    def test_it_asks_no_database_it_was_not_given(self) -> None:
        pool = make.pool()
        make.reservation(of=pool)
        Node.objects.update(is_schedulable=False)

        assert checks.pools_have_what_is_booked(databases=None) == []


@pytest.mark.django_db
class TestW004:
    """Devices that several teams can meet on."""

    def ask(self) -> list[str]:
        return [str(each.msg) for each in checks.devices_are_their_teams_alone(["default"])]

    def test_replicas_of_several_devices_go_to_whoever_asks(self) -> None:
        node = make.node()

        (found,) = self.ask()

        assert found == (
            f"{node.name}: 4 devices of nvidia.com/mig-1g.24gb are handed out 2 times each,"
            " without regard to teams."
        )

    def test_a_word_for_it_is_repeated(self) -> None:
        Pool.objects.filter(pk=make.pool().pk).update(is_shared=True, shared_because="demos only")

        (found,) = self.ask()

        assert found.endswith("without regard to teams; shared on purpose: demos only")

    def test_one_device_of_a_type_or_one_replica_of_each_is_no_problem(self) -> None:
        make.pool(devices={make.GPU: 1})
        make.pool(devices={"nvidia.com/mig-2g.48gb": 2})

        assert self.ask() == []

    @pytest.mark.parametrize(
        "cluster", [{"gpu_backend": "dra"}, {"gpu_operator_namespace": "gpu-operator"}]
    )
    def test_a_cluster_that_keeps_teams_apart_is_no_problem(self, cluster: dict[str, str]) -> None:
        make.pool()
        Cluster.objects.update(**cluster)

        assert self.ask() == []

    def test_it_asks_no_database_it_was_not_given(self) -> None:
        make.pool()

        assert checks.devices_are_their_teams_alone([]) == []

    def test_before_the_first_migration_there_is_nothing_to_check(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> None:
            raise DatabaseError

        monkeypatch.setattr("gpuaas.checks.inventory.mixed_devices", broken)

        assert self.ask() == []


@pytest.mark.django_db
class TestW003:
    """A node's devices against what its cluster reports."""

    def found(self, *, databases: list[str] | None = None) -> list[str]:
        messages = checks.nodes_offer_what_the_inventory_has(databases=databases or ["default"])
        assert {message.id for message in messages} <= {"gpuaas.W003"}
        return [message.msg for message in messages]

    def test_a_node_nobody_asked_is_no_problem(self) -> None:
        make.node()

        assert self.found() == []

    def test_a_device_that_fell_off_is_named(self) -> None:
        node = make.node()
        Node.objects.update(reported_devices={make.GPU: 1, make.SLICE: 3})

        (said,) = self.found()

        assert said.startswith(f"{node.name}: {make.SLICE}: the inventory has 4")
        assert said.endswith("the cluster reports 3.")

    def test_what_is_out_of_service_is_not_missed(self) -> None:
        make.node()
        Node.objects.update(reported_devices={make.SLICE: 4, "nvidia.com/other": 9})
        Device.objects.filter(resource_name=make.GPU).update(state=DeviceState.FAILED)

        assert self.found() == []

    def test_it_asks_no_database_it_was_not_given(self) -> None:
        make.node()
        Node.objects.update(reported_devices={})

        assert checks.nodes_offer_what_the_inventory_has(databases=None) == []


def test_w003_is_silent_before_the_first_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_table() -> None:
        raise DatabaseError

    monkeypatch.setattr("gpuaas.checks.inventory.missing_devices", no_such_table)

    assert checks.nodes_offer_what_the_inventory_has(databases=["default"]) == []


def test_e001_is_silent_before_the_first_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_table() -> None:
        raise DatabaseError

    monkeypatch.setattr("gpuaas.checks.inventory.pools", no_such_table)

    assert checks.pools_have_what_is_booked(databases=["default"]) == []


def test_e002_wants_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.database_is_postgresql() == []

    monkeypatch.setitem(connections.settings["default"], "ENGINE", "django.db.backends.sqlite3")

    assert [found.id for found in checks.database_is_postgresql()] == ["gpuaas.E002"]


def test_e003_wants_the_named_folder(settings: Settings, tmp_path: Path) -> None:
    for good in ("", str(tmp_path)):
        settings.KUBECONFIG_DIR = good
        assert checks.kubeconfigs_are_readable() == []

    settings.KUBECONFIG_DIR = str(tmp_path / "missing")

    assert [found.id for found in checks.kubeconfigs_are_readable()] == ["gpuaas.E003"]


@pytest.mark.parametrize(("seconds", "ids"), [(5, []), (4, ["gpuaas.E004"]), (0, ["gpuaas.E004"])])
def test_e004_wants_time_between_cycles(settings: Settings, seconds: int, ids: list[str]) -> None:
    settings.RECONCILE_INTERVAL_SECONDS = seconds

    assert [found.id for found in checks.reconcile_interval_is_long_enough()] == ids


@pytest.mark.parametrize("name", ["gpuaas", "a", "lab_2.eu-west", "a" * 63])
def test_e005_accepts_label_values(settings: Settings, name: str) -> None:
    settings.INSTALLATION = name

    assert checks.installation_is_a_label_value() == []


@pytest.mark.parametrize("name", ["", "-lab", "lab.", "two words", "a" * 64, "lab\n", "größe"])
def test_e005_refuses_others(settings: Settings, name: str) -> None:
    settings.INSTALLATION = name

    assert [found.id for found in checks.installation_is_a_label_value()] == ["gpuaas.E005"]


@pytest.mark.django_db
def test_e006_wants_a_login_for_exposed_workspaces(settings: Settings) -> None:
    cluster = make.cluster()
    assert checks.exposed_workspaces_have_a_login(databases=["default"]) == []

    cluster.exposure = Exposure.ROUTE
    cluster.workspace_url_template = "https://{namespace}.apps.example.com/"
    cluster.save()
    found = checks.exposed_workspaces_have_a_login(databases=["default"])
    assert [each.id for each in found] == ["gpuaas.E006", "gpuaas.E006"]
    assert "https://*.apps.example.com" in str(found[1].hint)
    assert checks.exposed_workspaces_have_a_login() == []

    settings.IDP_OIDC_PRIVATE_KEY = "a key"
    settings.IDP_CLIENT_ORIGINS = ["https://*.apps.example.com"]
    assert checks.exposed_workspaces_have_a_login(databases=["default"]) == []


def test_w001_wants_https(settings: Settings) -> None:
    settings.BASE_URL = "https://gpu.example.com"
    assert checks.base_url_is_https() == []

    settings.BASE_URL = "http://gpu.example.com"

    assert [found.id for found in checks.base_url_is_https()] == ["gpuaas.W001"]


@pytest.mark.parametrize(
    ("broker", "ids"),
    [
        ("redis://:secret@redis:6379/0", []),
        ("rediss://:secret@redis:6379/0", []),
        ("memory://secret", ["gpuaas.W002"]),
        ("filesystem://secret", ["gpuaas.W002"]),
        ("", ["gpuaas.W002"]),
    ],
)
def test_w002_wants_a_broker_that_processes_share(
    settings: Settings, broker: str, ids: list[str]
) -> None:
    settings.CELERY_BROKER_URL = broker

    found = checks.broker_is_shared()

    assert [each.id for each in found] == ids
    assert "secret" not in str(found)


PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "gpuaas.settings.prod",
    "GPUAAS_SECRET_KEY": "Zk3-9x_qTf81Lw!vRb2@Yh6#uNc7$Jp4%Md5^Gs0&Ka*Ev(Xo)Ti",
    "GPUAAS_ALLOWED_HOSTS": "gpu.example.com",
    "GPUAAS_BASE_URL": "https://gpu.example.com",
    "DATABASE_URL": "postgresql://gpuaas@127.0.0.1:1/gpuaas",
    "CELERY_BROKER_URL": "redis://redis:6379/0",
}


def check_deployment(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_proper_deployment_passes_every_check() -> None:
    result = check_deployment(PRODUCTION)

    assert result.returncode == 0, result.stderr


def test_a_careless_deployment_is_told() -> None:
    careless = {
        "GPUAAS_BASE_URL": "http://gpu.example.com",
        "CELERY_BROKER_URL": "memory://",
        "GPUAAS_SECRET_KEY": "short",
        "GPUAAS_RECONCILE_INTERVAL_SECONDS": "1",
    }

    result = check_deployment(PRODUCTION | careless)

    assert result.returncode != 0
    for expected in ("gpuaas.W001", "gpuaas.W002", "gpuaas.E004", "security.W009"):
        assert expected in result.stderr


@pytest.mark.parametrize(
    "name", ["GPUAAS_SECRET_KEY", "GPUAAS_BASE_URL", "DATABASE_URL", "CELERY_BROKER_URL"]
)
def test_a_deployment_without_its_settings_does_not_start(name: str) -> None:
    result = check_deployment({k: v for k, v in PRODUCTION.items() if k != name})

    assert result.returncode != 0
    assert f"{name} is not set" in result.stderr
