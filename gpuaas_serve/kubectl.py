"""kubectl, which knows the namespace and whose rights count."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

# Where kubectl lies when it is not on the path.
KUBECTL: Final = "SERVE_KUBECTL"


class Refused(Exception):
    """The cluster did not do it; the message is what it said."""


def apply(path: Path) -> str:
    """Apply the manifests in a file and return what kubectl says of each."""
    return _run("apply", "-f", str(path))


def found(kinds: str, label: str) -> list[dict[str, Any]]:
    """Return the objects of ``kinds`` that carry ``label``, whatever its value."""
    found = json.loads(_run("get", kinds, "-l", label, "-o", "json"))
    return list(found["items"])


def delete(kinds: str, label: str) -> str:
    """Delete what carries ``label``, ``key=value``, and return what kubectl says."""
    return _run("delete", kinds, "-l", label, "--wait=false")


def _run(*arguments: str) -> str:
    command = os.environ.get(KUBECTL, "kubectl")
    try:
        done = subprocess.run(  # noqa: S603 -- kubectl, with arguments of ours
            [command, *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise Refused(f"{command} cannot be run: {error}") from error
    if done.returncode != 0:
        raise Refused(done.stderr.strip() or f"{command} failed")
    return done.stdout.strip()
