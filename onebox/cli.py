"""The verbs of `python3 -m onebox`; standard library only until `.venv` is there."""

import argparse
import errno
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from onebox import installation, state, terminal
from onebox.errors import CannotStart
from onebox.state import ROOT

_NO_SETUP = "--no-setup"


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; an anticipated failure is one line and a status of 1."""
    options = _parser().parse_args(arguments)
    try:
        return _VERBS[options.verb](options)
    except CannotStart as error:
        reason = str(error)
    except KeyboardInterrupt:
        reason = "interrupted"
    except OSError as error:
        if error.errno == errno.ENOSPC:
            reason = f"no disk space left: {error.filename or state.current().folder}"
        elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            reason = f"{error.strerror}: {error.filename or state.current().folder}"
        else:
            raise
    sys.stdout.flush()
    print(f"cannot {options.verb}: {reason}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m onebox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    setup = verbs.add_parser("setup", help="make .venv and fill it with the pinned packages")
    setup.add_argument("--dev", action="store_true", help="also what checks and tests need")
    run = verbs.add_parser("run", help="start the whole product")
    run.add_argument(
        "--cluster",
        default=os.environ.get("CLUSTER") or "simulated",
        help="simulated (default), controlplane, or the path of a kubeconfig; also $CLUSTER",
    )
    run.add_argument(_NO_SETUP, action="store_true", help="use the running Python as it is")
    verbs.add_parser("reset", help="remove the state of this machine: database, queues, keys, logs")
    manage = verbs.add_parser("manage", help="manage.py in the environment of the running product")
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _setup(options: argparse.Namespace) -> int:
    installation.ensure("dev" if options.dev else "onebox", terminal.standard())
    return 0


def _run(options: argparse.Namespace) -> int:
    if not options.no_setup:
        installation.ensure("onebox", terminal.standard())
        _continue_in_venv(["run", "--cluster", options.cluster, _NO_SETUP])
    from onebox import runner  # noqa: PLC0415 -- needs the packages, which are there from here on

    runner.run(cluster_kind=options.cluster, terminal=terminal.standard())
    return 0


def _continue_in_venv(arguments: Sequence[str]) -> None:
    os.chdir(ROOT)  # `-m onebox` finds this package, whatever folder we were called from
    sys.stdout.flush()
    os.execv(installation.PYTHON, [str(installation.PYTHON), "-m", "onebox", *arguments])  # noqa: S606


def _reset(_options: argparse.Namespace) -> int:
    from onebox import postgres, valkey  # noqa: PLC0415 -- nothing of this is needed by `setup`

    folder = state.current()
    if folder.is_locked():
        raise CannotStart(f"running at {folder.address()}: stop it with Ctrl-C where it runs")
    if folder.folder.exists():
        postgres.forget(folder.postgres)
        valkey.forget(folder.valkey)
        shutil.rmtree(folder.folder)
    return 0


def _manage(options: argparse.Namespace) -> int:
    folder = state.current()
    if not folder.is_locked():
        raise CannotStart("the product is not running: start it with `make run`")
    told = {str(name): str(value) for name, value in state.read_json(folder.environment).items()}
    python = installation.PYTHON if installation.PYTHON.exists() else Path(sys.executable)
    os.chdir(ROOT)
    command = [str(python), "manage.py", *options.arguments]
    os.execve(python, command, {**os.environ, **told})  # noqa: S606 -- no shell is wanted


_VERBS = {"setup": _setup, "run": _run, "reset": _reset, "manage": _manage}
