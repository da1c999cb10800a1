"""What the console script calls."""

import sys


def main() -> None:
    """Run the command line; say how to get its packages where they were not installed."""
    try:
        from gpuaas_cli import program  # noqa: PLC0415 -- without its packages it cannot be imported
    except ModuleNotFoundError as error:
        if error.name not in {"click", "httpx", "rich"}:
            raise
        sys.exit(f'gpuaas: {error.name} is missing: pip install "gpuaas[cli]"')
    program.program(prog_name="gpuaas")
