"""A real cluster's kubeconfig, made independent of the folder it came from."""

import os
from pathlib import Path
from typing import Any, Final

from onebox import state
from onebox.errors import CannotStart

_PATHS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def adopt(source: Path, target: Path) -> None:
    """Copy `source` to `target`, for us only, its relative paths made absolute."""
    import yaml  # noqa: PLC0415 -- a package: not there before the installation

    try:
        content = yaml.safe_load(source.read_text())
    except OSError as error:
        raise CannotStart(f"CLUSTER={source}: {os.strerror(error.errno or 0)}") from error
    except yaml.YAMLError as error:
        raise CannotStart(f"CLUSTER={source}: not a kubeconfig, it is no YAML") from error
    if not isinstance(content, dict) or not content.get("clusters"):
        raise CannotStart(f"CLUSTER={source}: not a kubeconfig, it names no cluster")
    folder = source.absolute().parent
    for kind in ("cluster", "user"):
        for entry in content.get(f"{kind}s") or []:
            _make_absolute(entry.get(kind) or {}, folder)
    state.write_private(target, yaml.safe_dump(content, sort_keys=False))


def _make_absolute(entry: dict[str, Any], folder: Path) -> None:
    for name in _PATHS:
        if entry.get(name):
            entry[name] = str(folder / entry[name])
