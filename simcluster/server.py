"""A cluster that listens: from the options of a start to its stop."""

import asyncio
import base64
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from simcluster import certificates
from simcluster.cluster import REFERENCE, Cluster
from simcluster.controllers import Timing
from simcluster.http.app import App

STOP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to start."""

    host: str = "127.0.0.1"
    port: int = 0
    state: Path | None = None
    kubeconfig: Path | None = None
    reference: Path = REFERENCE
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_http: bool = False
    timing: Timing = field(default_factory=Timing)


class Server:
    """A running cluster, inside an event loop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.cluster = Cluster(
            state=options.state, reference=options.reference, timing=options.timing
        )
        self.app = App(self.cluster)
        self._runner = web.AppRunner(
            self.app.build(), access_log=None, shutdown_timeout=STOP_SECONDS
        )
        self._controllers: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen, start the controllers, and write the kubeconfig once requests are answered."""
        options = self._options
        self.cluster.start()
        await self._runner.setup()
        certificate, key = self._certificate()
        tls = certificates.server_context(certificate, key) if certificate else None
        site = web.TCPSite(self._runner, options.host, options.port, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://{options.host}:{port}"
        self._controllers = asyncio.create_task(self.cluster.run())
        if options.kubeconfig is not None:
            fresh = options.kubeconfig.with_name(options.kubeconfig.name + ".new")
            fresh.touch(mode=0o600)
            fresh.write_text(self.kubeconfig(), encoding="utf-8")
            fresh.replace(options.kubeconfig)

    async def stop(self) -> None:
        """Stop answering, stop the controllers, and leave the state file complete."""
        if self._controllers is not None:
            self._controllers.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._controllers
        transports = [connection.transport for connection in self._connections()]
        await self._runner.cleanup()
        # A client that keeps its connection open would not say goodbye, as TLS asks it to.
        for transport in transports:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)
        self.cluster.close()

    def _connections(self) -> list[RequestHandler]:
        return self._runner.server.connections if self._runner.server is not None else []

    def kubeconfig(self, token: str = "") -> str:
        """Return a kubeconfig for this server: the administrator's, or that of a token."""
        cluster: dict[str, str] = {"server": self.url}
        if certificate := self._certificate()[0]:
            data = base64.b64encode(certificate.encode()).decode()
            cluster["certificate-authority-data"] = data
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "simcluster", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token or self.cluster.secrets["admin"]}}],
            "contexts": [
                {"name": "simcluster", "context": {"cluster": "simcluster", "user": "user"}}
            ],
            "current-context": "simcluster",
        }
        return json.dumps(config, indent=2) + "\n"

    def _certificate(self) -> tuple[str, str]:
        """Return the certificate and key to serve with; empty for plain HTTP."""
        options, secrets = self._options, self.cluster.secrets
        if options.plain_http:
            return "", ""
        if options.tls_cert is not None and options.tls_key is not None:
            return options.tls_cert.read_text("ascii"), options.tls_key.read_text("ascii")
        return secrets["certificate"], secrets["certificate_key"]
