"""``manage.py reseal_secrets``: after a change of the secret key, so that the old one can go."""

import sys

from django.core.management.base import BaseCommand

from gpuaas.identity import services as identity
from sessions import services as sessions


class Command(BaseCommand):
    help = "Seal everything that lies sealed in the database under today's GPUAAS_SECRET_KEY."

    def handle(self, *args: object, **options: object) -> None:  # noqa: ARG002 -- Django's signature
        counts = [identity.reseal_secrets(), sessions.reseal_doors()]
        done, broken = (sum(each) for each in zip(*counts, strict=True))
        self.stdout.write(f"{done} secrets are sealed under today's key")
        if broken:
            self.stderr.write(f"{broken} open with none of today's keys; they are as they were")
            sys.exit(1)
