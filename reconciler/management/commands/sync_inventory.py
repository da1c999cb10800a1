"""``manage.py sync_inventory --cluster NAME``: its GPU nodes and devices, by their labels."""

from argparse import ArgumentParser
from contextlib import closing

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.inventory import labels, selectors, services
from reconciler.cluster import ClusterError
from reconciler.connections import connect


class Command(BaseCommand):
    help = "Read nodes and devices from a cluster's node labels into the inventory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cluster", required=True, help="the cluster's name")
        parser.add_argument("--dry-run", action="store_true", help="show the difference only")
        parser.add_argument(
            "--create-pools",
            action="store_true",
            help="put nodes that are in no pool into the cluster's default pool",
        )

    def handle(
        self,
        *args: object,  # noqa: ARG002
        cluster: str,
        dry_run: bool,
        create_pools: bool,
        **options: object,  # noqa: ARG002
    ) -> None:
        found = selectors.enabled_clusters().filter(name=cluster).first()
        if found is None:
            raise CommandError(f"no enabled cluster named {cluster}")
        if found.gpu_operator_namespace and not dry_run:
            # What it shows follows from the inventory: read back, the two would confirm each other.
            raise CommandError(
                f"{cluster} is configured from the inventory: change that with import_inventory;"
                " --dry-run shows where the two differ"
            )
        try:
            with closing(connect(found)) as kube:
                nodes = [labels.facts_of(node) for node in kube.find("v1", "Node")]
        except (ClusterError, labels.UnreadableNode) as error:
            raise CommandError(str(error)) from error
        report = services.import_nodes(
            cluster=found,
            nodes=[node for node in nodes if node.devices],
            actor=None,
            now=timezone.now(),
            dry_run=dry_run,
        )
        for change in report.changes or ("nothing differs",):
            self.stdout.write(change)
        if create_pools and not dry_run:
            services.ensure_default_pool(cluster=found)
