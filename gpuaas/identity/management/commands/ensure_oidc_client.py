"""``manage.py ensure_oidc_client``: let another product log its people in with this one."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gpuaas.identity import clients

SHORTEST_SECRET = 20


class Command(BaseCommand):
    help = "Make, or change, a client of this installation as an OpenID provider."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_id")
        parser.add_argument("--name", default="", help="what people read; else the id")
        parser.add_argument("--secret-file", type=Path, required=True)
        parser.add_argument(
            "--redirect-uri", action="append", required=True, help="may be given several times"
        )

    def handle(
        self,
        *args: object,  # noqa: ARG002 -- Django's signature
        client_id: str,
        name: str,
        secret_file: Path,
        redirect_uri: list[str],
        **options: object,  # noqa: ARG002 -- Django's signature
    ) -> None:
        if not settings.IDP_OIDC_PRIVATE_KEY:
            raise CommandError("this installation is no provider: set GPUAAS_IDP_PRIVATE_KEY_FILE")
        try:
            secret = secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CommandError(f"the secret cannot be read: {error}") from error
        if len(secret) < SHORTEST_SECRET:
            raise CommandError(f"the secret has to have {SHORTEST_SECRET} characters at least")
        is_new = clients.ensure_client(
            client_id=client_id,
            name=name or client_id,
            secret=secret,
            redirect_uris=redirect_uri,
            now=timezone.now(),
        )
        self.stdout.write(f"{client_id}: {'made' if is_new else 'changed'}")
