"""``python -m simcluster --port 0 --state FILE --kubeconfig FILE``: run until told to stop."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from simcluster.cluster import REFERENCE
from simcluster.journal import NotAJournal
from simcluster.server import Options, Server


def main() -> None:
    """Read the command line and serve until SIGTERM or SIGINT."""
    options = _options()
    if (options.tls_cert is None) != (options.tls_key is None):
        sys.exit("--tls-cert and --tls-key go together")
    try:
        asyncio.run(_serve(options))
    except (NotAJournal, OSError) as error:
        sys.exit(f"simcluster: {error}")


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="simcluster", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="file to go on from and to keep everything in")
    parser.add_argument("--kubeconfig", type=Path, help="written once the server answers")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="objects to start with")
    parser.add_argument("--tls-cert", type=Path, help="a certificate other than our own")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument(
        "--plain-http",
        action="store_true",
        help="serve without TLS; kubectl then sends no credentials and is nobody",
    )
    return Options(**vars(parser.parse_args()))


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(options)
    await server.start()
    sys.stdout.write(f"simcluster: serving {server.url}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    main()
