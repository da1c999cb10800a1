"""How long `make run` takes on an empty machine, and the second time.

    python3 benchmarks/startup.py [--repository DIR] [--keep]

Everything is fresh: a clone of the repository's last commit, an empty home, and an environment of
PATH and what pip needs to find its packages.  Time runs from the command to the line that says the
portal is ready, which the portal's answer to a request has caused.  The package index is the one
thing not under our control: the installation's share is printed with the rest.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GOALS_SECONDS: Final = {"first": 60.0, "second": 6.0}
# Where packages come from and whom to trust: no machine can be without.
INHERITED: Final = re.compile(r"^(PIP_|UV_|SSL_CERT_|https?_proxy$|no_proxy$)", re.IGNORECASE)
_READY: Final = "Ctrl-C"
_STOP_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Start:
    """One measured start."""

    name: str
    seconds: float
    steps: tuple[str, ...]

    @property
    def goal_seconds(self) -> float:
        return GOALS_SECONDS[self.name]


def measure(name: str, tree: Path, home: Path) -> Start:
    """Run `make run` until it is ready, then stop it as Ctrl-C does."""
    began = time.monotonic()
    with subprocess.Popen(
        ["make", "run"],
        cwd=tree,
        env=_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that Ctrl-C reaches make and the runner, and not us
    ) as process:
        assert process.stdout  # noqa: S101 -- asked for above
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if _READY in line:
                break
        seconds = time.monotonic() - began
        if not any(_READY in line for line in lines):
            sys.exit("\n".join(["the product did not start:", *lines]))
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        process.wait(_STOP_SECONDS)
    return Start(name, seconds, tuple(line for line in lines if line.startswith("  ok")))


def _environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if INHERITED.match(name)}
    python = Path(sys.executable).resolve().parent  # the interpreter, not an environment of it
    return {**inherited, "HOME": str(home), "PATH": f"{python}:/usr/bin:/bin", "LANG": "C.UTF-8"}


def report(starts: list[Start]) -> bool:
    """Print the steps and the totals; tell whether every goal was met."""
    for start in starts:
        print(f"{start.name} start")
        print("\n".join(start.steps))
        print()
    print(f"{'start':<10}{'seconds':>9}{'goal':>9}{'seconds/goal':>15}")
    for start in starts:
        ratio = start.seconds / start.goal_seconds
        print(f"{start.name:<10}{start.seconds:>9.1f}{start.goal_seconds:>9.1f}{ratio:>15.2f}")
    return all(start.seconds <= start.goal_seconds for start in starts)


def main() -> int:
    """Measure both starts in a fresh clone; the exit status is 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repository", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--keep", action="store_true", help="keep the clone, and print where it is")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gpuaas-startup-"))
    folder.chmod(0o755)
    tree, home = folder / "gpuaas", folder / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(options.repository), str(tree)], check=True)
    try:
        met = report([measure(name, tree, home) for name in GOALS_SECONDS])
    finally:
        subprocess.run(["make", "reset"], cwd=tree, env=_environment(home), check=False)
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
