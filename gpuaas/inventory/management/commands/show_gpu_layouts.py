"""``manage.py show_gpu_layouts CLUSTER``: what its GPU Operator is told, or would be."""

from argparse import ArgumentParser

import yaml
from django.core.management.base import BaseCommand, CommandError

from gpuaas.inventory import gpu_operator, selectors


class Command(BaseCommand):
    help = "Show the GPU Operator's configuration that follows from a cluster's inventory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="the cluster's name")

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        cluster: str,
        **options: object,  # noqa: ARG002
    ) -> None:
        found = selectors.clusters().filter(name=cluster).first()
        if found is None:
            raise CommandError(f"no cluster named {cluster}")
        told = selectors.operators_view(found)
        shown = {
            gpu_operator.MIG_CONFIG_MAP: dict(told.mig_config),
            gpu_operator.PLUGIN_CONFIG_MAP: dict(told.plugin_config),
            "labels": {node: dict(labels) for node, labels in told.labels.items()},
            "left alone": dict(told.unknown),
        }
        yaml.add_representer(str, _as_written, Dumper=_Dumper)
        self.stdout.write(yaml.dump(shown, Dumper=_Dumper, sort_keys=False))


class _Dumper(yaml.SafeDumper):
    """Text of several lines is written as such: it is to be read, and copied."""


def _as_written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
