"""``pip install "gpuaas[cli]"`` gives a program `gpuaas`, and nothing of the server."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gpuaas_cli import VERSION

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("PYTHONPATH", None)
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_version_is_the_distributions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION


def test_it_is_installed_from_its_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"  # building leaves things behind
    shutil.copytree(ROOT / "gpuaas_cli", source / "gpuaas_cli")
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    built = run(UV, "build", "--wheel", "--out-dir", tmp_path, source, cwd=tmp_path)
    if built.returncode:
        pytest.skip(f"no wheel without a package index: {built.stderr.strip()[-300:]}")
    (wheel,) = tmp_path.glob("*.whl")
    venv = tmp_path / "venv"
    assert run(UV, "venv", "-q", "-p", sys.executable, venv, cwd=tmp_path).returncode == 0
    python = venv / "bin" / "python"

    alone = run(UV, "pip", "install", "-q", "-p", python, wheel, cwd=tmp_path)
    missing = run(venv / "bin" / "gpuaas", "--version", cwd=tmp_path)
    extra = run(UV, "pip", "install", "-q", "-p", python, f"{wheel}[cli]", cwd=tmp_path)

    assert (alone.returncode, extra.returncode) == (0, 0), extra.stderr
    assert (missing.returncode, missing.stderr) == (
        1,
        'gpuaas: click is missing: pip install "gpuaas[cli]"\n',
    )
    assert run(venv / "bin" / "gpuaas", "--version", cwd=tmp_path).stdout == (
        f"gpuaas, version {VERSION}\n"
    )
    help_text = run(venv / "bin" / "gpuaas", "--help", cwd=tmp_path).stdout
    assert re.search(r"^  book ", help_text, re.MULTILINE)
    installed = run(python, "-c", "import gpuaas", cwd=tmp_path)
    assert "No module named 'gpuaas'" in installed.stderr
