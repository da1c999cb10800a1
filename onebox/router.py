"""`python -m onebox.router --kubeconfig FILE --port PORT`: stands in for the cluster's router.

The pods of the simulated cluster and of the fake kubelet run nothing, so nothing could answer
behind a session's link.  This does, and says what it is: a page while the session's workspace is
available, 503 while it is not, 404 where there is none.  It answers as ``localhost``, another
host than the portal's ``127.0.0.1``: the portal's cookies do not reach it, as in a deployment.
"""

import argparse
import html
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from onebox.processes import LOOPBACK
from reconciler import naming
from reconciler.cluster import Cluster, ClusterError, Ref

HOST: Final = "localhost"
_PATH: Final = re.compile(r"/(s-[0-9a-f]{16})/?")
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 34rem;
         padding: 0 1rem; color: #1f2937; background: #f9fafb; }}
  @media (prefers-color-scheme: dark) {{ body {{ color: #e5e7eb; background: #111827; }} }}
  code {{ font-size: .9em; }}
</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


def address(port: int) -> str:
    """Return the template of the workspaces' addresses."""
    return f"http://{HOST}:{port}/{{namespace}}/"


def answer(path: str, kube: Cluster) -> tuple[HTTPStatus, str, str]:
    """Return status, title and text of the page at ``path``."""
    match = _PATH.fullmatch(path)
    if match is None:
        return HTTPStatus.NOT_FOUND, "Nothing here", "Workspaces answer at /&lt;namespace&gt;/."
    try:
        deployment = kube.get(Ref("apps/v1", "Deployment", naming.WORKSPACE, match[1]))
    except ClusterError as error:
        return HTTPStatus.BAD_GATEWAY, "The cluster does not answer", html.escape(str(error))
    if deployment is None:
        text = "There is no such workspace: its session is over, or has not begun."
        return HTTPStatus.NOT_FOUND, "No workspace", text
    if deployment.get("status", {}).get("availableReplicas", 0) < 1:
        return HTTPStatus.SERVICE_UNAVAILABLE, "Starting", "The workspace is not ready yet."
    text = (
        f"This is the address of <code>{match[1]}</code>. Its pod is ready, but only played: on a "
        "cluster with real nodes, VS Code opens here."
    )
    return HTTPStatus.OK, "Your workspace is running", text


def serve(*, kubeconfig: Path, port: int) -> ThreadingHTTPServer:
    """Return the server, bound and not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, title, text = self._answer()
            body = _PAGE.format(title=title, text=text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self) -> tuple[HTTPStatus, str, str]:
            # Here, not above: it takes two seconds that no start should wait for.
            from reconciler.cluster import client  # noqa: PLC0415

            try:
                # Anew each time: the cluster may have been restarted with other credentials.
                kube = client.connect(kubeconfig)
            except ClusterError as error:
                return HTTPStatus.BAD_GATEWAY, "No cluster", html.escape(str(error))
            try:
                return answer(self.path, kube)
            finally:
                kube.close()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 -- the base class's
            """Keep quiet: a page polled by a browser is no news."""

    return ThreadingHTTPServer((LOOPBACK, port), Handler)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="onebox.router", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    with serve(kubeconfig=options.kubeconfig, port=options.port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
