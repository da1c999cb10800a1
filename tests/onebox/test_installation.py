"""The old Python, and when `.venv` is made and filled."""

import ast
import io
import subprocess
import sys
from pathlib import Path

import pytest

from onebox import (
    installation,
)
from onebox.errors import CannotStart
from onebox.state import ROOT
from onebox.terminal import Terminal


def test_the_entry_can_be_read_by_an_old_python() -> None:
    for file in ("__init__.py", "__main__.py"):
        ast.parse((ROOT / "onebox" / file).read_text(), feature_version=(3, 7))


def test_an_old_python_is_said_in_one_line(tmp_path: Path) -> None:
    pretend = tmp_path / "old.py"
    pretend.write_text(
        "import runpy, sys; sys.version_info = (3, 8, 18)\n"
        f"runpy.run_path({str(ROOT / 'onebox' / '__main__.py')!r}, run_name='__main__')\n"
    )

    answer = subprocess.run(
        [sys.executable, str(pretend)], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 1
    assert answer.stderr.startswith("cannot start: needs Python >= 3.11, this is 3.8 (")
    assert answer.stderr.count("\n") == 1


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend that an empty folder is the checkout."""
    (tmp_path / "requirements").mkdir()
    for name in ("onebox", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("django==5.2.19 \\\n")
    monkeypatch.setattr(installation, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(installation, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(installation, "STAMP", tmp_path / ".venv" / "installed.json")
    monkeypatch.setattr(installation, "REQUIREMENTS", tmp_path / "requirements")
    return tmp_path


def install(tree: Path, *sets: str) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tree / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.7\n")
    installation._write_stamp({name: installation._digest(name) for name in sets})  # noqa: SLF001


def test_nothing_is_installed_twice(tree: Path) -> None:
    install(tree, "onebox")

    assert installation.is_current("onebox")
    assert not installation.is_current("dev")


def test_a_development_installation_is_enough_to_run(tree: Path) -> None:
    install(tree, *installation.SETS)

    assert installation.is_current("onebox")
    assert installation.is_current("dev")


def test_new_pins_are_installed(tree: Path) -> None:
    install(tree, "onebox")
    (tree / "requirements" / "onebox.txt").write_text("django==5.2.20 \\\n")

    assert not installation.is_current("onebox")


def test_another_python_is_a_new_installation(tree: Path) -> None:
    install(tree, "onebox")
    (tree / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.12.1.final.0\n")

    assert not installation.is_current("onebox")


def test_an_environment_whose_python_is_gone_is_a_new_installation(tree: Path) -> None:
    install(tree, "onebox")
    (tree / ".venv" / "bin" / "python").unlink()
    (tree / ".venv" / "bin" / "python").symlink_to("/usr/bin/python-that-was-removed")

    assert not installation.is_current("onebox")


@pytest.mark.usefixtures("tree")
def test_a_python_without_venv_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(CannotStart, match=r"no venv module: .*apt-get install python3-venv"):
        installation.ensure("onebox", Terminal(io.StringIO()))


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("ERROR: [Errno 28] No space left on device\n", "no disk space left"),
        (
            "ERROR: Could not find a version (from versions: none)\nERROR: No matching\n",
            "no package index was reached: check the network, or set PIP_INDEX_URL",
        ),
        (
            "WARNING: slow\nERROR: THESE PACKAGES DO NOT MATCH\n\n",
            "ERROR: THESE PACKAGES DO NOT MATCH",
        ),
        ("", "no reason given"),
    ],
)
def test_a_failed_installation_says_why(output: str, why: str) -> None:
    assert installation.reason(output) == why


def test_uv_looks_where_pip_does() -> None:
    settings = (
        "global.index-url='https://mirror.example/simple'\n"
        "global.timeout='60'\n"
        "install.find-links='/one\\n/two'\n"
        ":env:.index-url='https://stronger.example/simple'\n"
    )

    assert installation.uv_variables(settings) == {
        "UV_DEFAULT_INDEX": "https://stronger.example/simple",
        "UV_FIND_LINKS": "/one,/two",
    }
