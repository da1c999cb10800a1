"""The environment every process of the product is given; the portal reads nothing else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onebox.processes import LOOPBACK
from onebox.state import STATE_VARIABLE, State

DATABASE_VARIABLE: Final = "DATABASE_URL"
BROKER_VARIABLE: Final = "CELERY_BROKER_URL"
WORKSPACES_VARIABLE: Final = "GPUAAS_DEMO_WORKSPACE_URL"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts answer; all are known before the first process of the product starts."""

    portal: str
    database: str
    broker: str
    workspaces: str  # a template; empty where the cluster has a router of its own


def build(state: State, addresses: Addresses) -> dict[str, str]:
    """Return what the product is told; names that are not here it reads from our environment."""
    return {
        "DJANGO_SETTINGS_MODULE": "gpuaas.settings.dev",
        DATABASE_VARIABLE: addresses.database,
        BROKER_VARIABLE: addresses.broker,
        "GPUAAS_KUBECONFIG_DIR": str(state.kubeconfig.parent),
        "GPUAAS_SECRET_KEY": state.secret_key(),
        "GPUAAS_ALLOWED_HOSTS": f"{LOOPBACK},localhost",
        "GPUAAS_BASE_URL": addresses.portal,
        WORKSPACES_VARIABLE: addresses.workspaces,
        "GPUAAS_IDP_PRIVATE_KEY_FILE": str(state.signing_key()),
        "GPUAAS_STATIC_ROOT": str(state.static),
        STATE_VARIABLE: str(state.folder),
    }


def for_children(told: Mapping[str, str]) -> dict[str, str]:
    """Return a child's whole environment: ours over the one we were started with."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **told}
