"""`python -m onebox.prepare KUBECONFIG`: tables, static files, the demo organisation, its nodes.

Every step may be repeated: what is there already is left alone.  Steps go to standard output,
what the commands have to say to standard error, which is a log.
"""

import os
import sys
from pathlib import Path
from typing import Final

import django
from django.core.management import call_command

from onebox import processes, terminal
from onebox.environment import WORKSPACES_VARIABLE
from onebox.errors import CannotStart
from onebox.state import CLUSTER_NAME

_CLUSTER_PATIENCE_SECONDS: Final = 600.0  # the real control plane is built on its first start


def main(kubeconfig: Path) -> None:
    """Prepare everything; the exit status is not 0 if something could not be."""
    lines = terminal.standard()
    with lines.step("tables"):
        django.setup()
        call_command("migrate", interactive=False, verbosity=1, stdout=sys.stderr)
    with lines.step("static files"):
        call_command("collectstatic", interactive=False, verbosity=0, stdout=sys.stderr)
    address = os.environ.get(WORKSPACES_VARIABLE)
    options = {"workspace_url": address} if address else {}
    with lines.step("demo organisation"):
        call_command("load_demo", stdout=sys.stderr, **options)
    with lines.step("cluster inventory") as step:
        step.detail = f"cluster {CLUSTER_NAME}"
        if not processes.wait_until(kubeconfig.exists, timeout_seconds=_CLUSTER_PATIENCE_SECONDS):
            raise CannotStart("the cluster did not become ready")
        call_command("sync_inventory", cluster=CLUSTER_NAME, create_pools=True, stdout=sys.stderr)
        call_command("load_demo", stdout=sys.stderr, **options)  # prices for the pools, now there


if __name__ == "__main__":
    main(Path(sys.argv[1]))
