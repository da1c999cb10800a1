"""The virtual environment: made and filled when the pinned requirements ask for it.

Runs under the system's Python, so it uses the standard library only.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from onebox import state
from onebox.errors import CannotStart
from onebox.state import ROOT
from onebox.terminal import Terminal

VENV: Final = ROOT / ".venv"
PYTHON: Final = VENV / "bin" / "python"
STAMP: Final = VENV / "installed.json"
REQUIREMENTS: Final = ROOT / "requirements"
# Each set contains the ones after it: who has `dev` has what `make run` needs.
SETS: Final = ("dev", "onebox")

_PIP_OPTIONS: Final = ("--disable-pip-version-check", "--no-input", "--quiet")
# uv reads neither pip's files nor its variables; these are the ones that say where packages are.
_UV_VARIABLES: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}
# pip names no cause when it is quiet: an index that has no version at all was not reached.
_NO_INDEX_SIGNS: Final = ("(from versions: none)", "error sending request", "NewConnectionError")
_PIP_SETTING: Final = re.compile(r"^[\w:.-]*\.(?P<name>[\w-]+)='(?P<value>.*)'$", re.MULTILINE)


def ensure(requirement_set: str, terminal: Terminal) -> None:
    """Make `.venv` hold what `requirements/<requirement_set>.txt` pins; instant when it does."""
    if is_current(requirement_set):
        return
    state.require_free_space(ROOT, needed_bytes=state.FIRST_START_BYTES)
    folder = state.current()
    folder.make_folders()
    with (folder.folder / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # wait for an installation that is under way
        if is_current(requirement_set):
            return
        _make_venv(terminal)
        _install(requirement_set, terminal, log=folder.log("install"))
        covered = SETS[SETS.index(requirement_set) :]
        _write_stamp({name: _digest(name) for name in covered})


def is_current(requirement_set: str) -> bool:
    """Tell whether the environment works and was filled from today's pins."""
    stamp = state.read_json(STAMP)
    return (
        PYTHON.exists()
        and stamp.get("python") == _venv_version()
        and stamp.get(requirement_set) == _digest(requirement_set)
    )


def _digest(requirement_set: str) -> str:
    return hashlib.sha256((REQUIREMENTS / f"{requirement_set}.txt").read_bytes()).hexdigest()


def _write_stamp(digests: Mapping[str, str]) -> None:
    draft = STAMP.with_suffix(".draft")
    draft.write_text(json.dumps({"python": _venv_version(), **digests}))
    draft.replace(STAMP)


def _venv_version() -> str:
    """Return the version of the environment's Python, "" if there is none or it cannot be read."""
    try:
        text = (VENV / "pyvenv.cfg").read_text()
    except OSError:
        return ""
    found = re.search(r"^version(?:_info)?\s*=\s*([\d.]+)", text, re.MULTILINE)
    return found[1] if found else ""


def _make_venv(terminal: Terminal) -> None:
    version = tuple(int(part) for part in _venv_version().split(".")[:2] if part)
    if PYTHON.exists() and version >= (3, 11) and (_pip_is_there() or shutil.which("uv")):
        return
    if importlib.util.find_spec("ensurepip") is None:
        raise CannotStart(
            "this Python has no venv module: install it (Debian and Ubuntu: apt-get install"
            " python3-venv), or name another Python with PYTHON=..."
        )
    with terminal.step("virtual environment") as step:
        step.detail = f"Python {sys.version_info.major}.{sys.version_info.minor}, .venv"
        try:
            venv.create(VENV, with_pip=True, clear=VENV.exists(), symlinks=True)
        except subprocess.CalledProcessError as error:
            detail = reason(_text(error.output))
            raise CannotStart(f"the virtual environment could not be made: {detail}") from error


def _pip_is_there() -> bool:
    return any((VENV / "lib").glob("python*/site-packages/pip/__main__.py"))


def _install(requirement_set: str, terminal: Terminal, *, log: Path) -> None:
    requirements = REQUIREMENTS / f"{requirement_set}.txt"
    log.unlink(missing_ok=True)  # what an earlier attempt said is no reason for this one
    with terminal.step("packages") as step:
        uv = _uv(log)
        if uv and _runs([*uv, "--require-hashes", "-r", str(requirements)], log=log, env=_uv_env()):
            step.detail = f"{_count(requirements)} pinned, with uv"
            return
        if _pip(["--require-hashes", "-r", str(requirements)], log=log):
            step.detail = f"{_count(requirements)} pinned, with pip"
            return
        why = reason(log.read_text(errors="replace"))
        raise CannotStart(f"packages could not be installed: {why}; the rest is in {log}")


def _uv(log: Path) -> list[str] | None:
    """Return uv's command: the system's, or the environment's own, or None if neither can be."""
    options = ["pip", "install", "--quiet", "--python", str(PYTHON)]
    if found := shutil.which("uv"):
        return [found, *options]
    pinned = REQUIREMENTS / "installer.txt"
    if _pip(["--only-binary", ":all:", "--require-hashes", "-r", str(pinned)], log=log):
        return [str(VENV / "bin" / "uv"), *options]
    return None


def _pip(arguments: Sequence[str], *, log: Path) -> bool:
    command = [str(PYTHON), "-m", "pip", "install", *_PIP_OPTIONS, *arguments]
    return _runs(command, log=log, env=dict(os.environ))


def _runs(command: Sequence[str], *, log: Path, env: Mapping[str, str]) -> bool:
    with log.open("ab") as output:
        return (
            subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, env=env, check=False
            ).returncode
            == 0
        )


def _uv_env() -> dict[str, str]:
    """Return an environment in which uv looks for packages where pip does."""
    settings = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    env = {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        # As pip does: any index may have the file, the hash says whether it is the right one.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    return env | uv_variables(settings) | dict(os.environ)


def uv_variables(pip_settings: str) -> dict[str, str]:
    """Translate the output of `pip config list`; of two values the later one is the stronger."""
    variables = {
        _UV_VARIABLES[found["name"]]: found["value"].replace("\\n", " ").strip()
        for found in _PIP_SETTING.finditer(pip_settings)
        if found["name"] in _UV_VARIABLES
    }
    if links := variables.get("UV_FIND_LINKS"):
        variables["UV_FIND_LINKS"] = ",".join(links.split())
    return variables


def _count(requirements: Path) -> int:
    return len(re.findall(r"^[\w.-]+(?:\[.*\])?==", requirements.read_text(), re.MULTILINE))


def reason(output: str) -> str:
    """Return why an installer failed, in one line, from all it had to say."""
    if "No space left on device" in output:
        return "no disk space left"
    if any(sign in output for sign in _NO_INDEX_SIGNS):
        return "no package index was reached: check the network, or set PIP_INDEX_URL"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["no reason given"])[-1]


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
