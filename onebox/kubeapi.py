"""Kubeconfigs with a client certificate inside, and single requests by the standard library."""

import base64
import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

REQUEST_SECONDS: Final = 10
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server could not be asked, or said no; `status` is 0 if it was not reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Where an API server is and how to show who we are."""

    server: str
    tls: ssl.SSLContext


def write_kubeconfig(
    path: Path, *, server: str, authority: Path, certificate: Path, key: Path
) -> None:
    """Write a kubeconfig that needs no other file: whole or not at all, and for the owner only."""

    def encoded(source: Path) -> str:
        return base64.b64encode(source.read_bytes()).decode()

    name = "gpuaas"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": encoded(authority)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": encoded(certificate),
                    "client-key-data": encoded(key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(config, file)
    unfinished.replace(path)


def read_kubeconfig(path: Path) -> Access:
    """Open what `write_kubeconfig` wrote."""
    config = yaml.safe_load(path.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    tls = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pair:  # OpenSSL reads a key from a file or not at all
        pair.write(base64.b64decode(user["client-certificate-data"]))
        pair.write(base64.b64decode(user["client-key-data"]))
        pair.flush()
        tls.load_cert_chain(pair.name)
    return Access(server=cluster["server"], tls=tls)


def request(
    access: Access,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    content_type: str = "application/json",
) -> Json:
    """Ask once; raise `ApiError` for any answer but success."""
    call = urllib.request.Request(  # noqa: S310 -- the address is from a kubeconfig we wrote
        access.server + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": content_type, "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(call, timeout=REQUEST_SECONDS, context=access.tls) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise ApiError(error.code, message_in(error.read().decode())) from None
    except OSError as error:
        raise ApiError(0, f"{access.server} cannot be reached: {error}") from error
    return dict(json.loads(text)) if text.startswith(b"{") else {}


def message_in(text: str) -> str:
    """Return the message of a Status object, or the text itself if it is none."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()
