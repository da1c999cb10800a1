"""A cluster's inventory from a file: the command, the difference, and the way back."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gpuaas.audit.models import AuditEvent
from gpuaas.inventory import selectors, services
from gpuaas.inventory.files import FileRefused
from gpuaas.inventory.models import Device, DeviceState, Node
from tests import make

pytestmark = pytest.mark.django_db
FILE = b"""version: 1
cluster: lab
nodes:
- name: gpu-1
  cpu_millicores: 1000
  memory_mib: 1024
  storage_gib: 10
  devices:
  - {resource_name: nvidia.com/mig-1g.10gb, product: NVIDIA-H100-80GB-HBM3, count: 3}
"""


def run(content: bytes, tmp_path: Path, *, dry_run: bool = False) -> list[str]:
    path, out = tmp_path / "inventory.yaml", io.StringIO()
    path.write_bytes(content)
    call_command("import_inventory", str(path), dry_run=dry_run, stdout=out)
    return out.getvalue().splitlines()


def test_a_dry_run_shows_the_difference_that_the_import_makes(tmp_path: Path) -> None:
    make.cluster(name="lab")

    difference = run(FILE, tmp_path, dry_run=True)

    assert difference[0] == "+ node gpu-1"
    assert not Node.objects.exists()
    assert run(FILE, tmp_path) == difference
    assert run(FILE, tmp_path) == ["nothing differs"]
    assert Device.objects.count() == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nodes: 5", "nodes: a list is expected"),
        (FILE.replace(b"lab", b"west"), "there is no cluster 'west'; known are: lab"),
        (FILE.replace(b"storage_gib: 10", b"storage_gib: 10\n  pool: x"), "no pool 'x'"),
        (FILE + b"- {name: gpu-2}\n", "nodes.1..cpu_millicores: is missing"),
    ],
)
def test_a_bad_file_says_what_is_wrong_and_changes_nothing(
    tmp_path: Path, content: bytes, said: str
) -> None:
    make.cluster(name="lab")

    with pytest.raises(CommandError, match=said):
        run(content, tmp_path)

    assert not Node.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_inventory", "/nowhere.yaml")


def test_what_is_exported_imports_without_a_difference(tmp_path: Path) -> None:
    pool = make.pool(of=make.cluster(name="lab"), nodes=2)
    withdrawn = make.node(of=pool)
    Node.objects.filter(pk=withdrawn.pk).update(is_schedulable=False, is_withdrawn=True)
    make.node(of=pool, is_schedulable=False)
    Device.objects.filter(ordinal=1).update(state=DeviceState.RETIRED, retired_by_import=True)
    Device.objects.filter(ordinal=2).update(state=DeviceState.FAILED)
    Device.objects.filter(pk=Device.objects.earliest("pk").pk).update(uuid="MIG-1", gpu_index=0)

    exported = selectors.as_file(pool.cluster).encode()

    assert run(exported, tmp_path) == ["nothing differs"]


def test_only_administrators_import() -> None:
    with pytest.raises(services.PlatformAdminsOnly):
        services.import_file(content=FILE, actor=make.user(), now=make.NOON)


def test_a_cluster_that_is_not_there_is_the_files_mistake() -> None:
    with pytest.raises(FileRefused):
        services.import_file(content=FILE, actor=None, now=make.NOON)
