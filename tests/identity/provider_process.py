"""A second product, in a process and a database of its own: the identity provider of the tests.

It serves, and does what it is told on standard input: ``team ada vision manager``,
``leave ada vision``, ``deactivate ada``, ``email ada root@example.com yes``, ``fail 503``.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

FAIL_WITH = {"status": ""}


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def sometimes_failing(product: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if FAIL_WITH["status"]:
            start_response(f"{FAIL_WITH['status']} Down", [("Content-Type", "text/plain")])
            return [b"down"]
        return product(environ, start_response)

    return serve


def obey(words: list[str]) -> None:
    from django.utils import timezone  # noqa: PLC0415 -- Django is set up only now

    from gpuaas.accounts import services  # noqa: PLC0415
    from gpuaas.accounts.models import Membership, MembershipRole, Team, User  # noqa: PLC0415
    from gpuaas.accounts.services import standing  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    now = timezone.now()
    match words:
        case ["person", name]:
            make.user(username=name)
        case ["team", name, slug, role]:
            services.add_member(
                team=make.team(slug=slug),
                user=User.objects.get(username=name),
                role=MembershipRole(role),
                granted_by=None,
                now=now,
            )
        case ["leave", name, slug]:
            team = Team.objects.get(slug=slug)
            standing.end_membership(
                membership=Membership.objects.get(team=team, user__username=name), now=now
            )
        case ["deactivate", name]:
            standing.set_active(user=User.objects.get(username=name), is_active=False)
        case ["email", name, address, verified]:
            from allauth.account.models import EmailAddress  # noqa: PLC0415

            user = User.objects.get(username=name)
            EmailAddress.objects.update_or_create(
                user=user,
                defaults={"email": address, "primary": True, "verified": verified == "yes"},
            )
            User.objects.filter(pk=user.pk).update(email=address)
        case ["fail", status]:
            FAIL_WITH["status"] = "" if status == "no" else status
        case _:
            raise ValueError(words)


def main(port: int, redirect_uri: str, secret_file: str) -> None:
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    call_command("migrate", verbosity=0, interactive=False)
    call_command(
        "ensure_oidc_client",
        "portal-b",
        "--secret-file",
        secret_file,
        "--redirect-uri",
        redirect_uri,
        stdout=open(os.devnull, "w"),  # noqa: SIM115
    )
    server = make_server(
        "127.0.0.1",
        port,
        sometimes_failing(get_wsgi_application()),
        server_class=Server,
        handler_class=Quiet,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        obey(line.split())
        print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
