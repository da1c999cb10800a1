"""The commands, put together."""

import click

from gpuaas_cli import VERSION
from gpuaas_cli.commands import account, booking, changing, looking, shell, workspace

EPILOG = (
    "Exit codes: 0 done, 1 refused, 2 usage, 3 not logged in, 4 server unreachable. "
    "GPUAAS_URL and GPUAAS_TOKEN stand in for a login."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(VERSION, prog_name="gpuaas")
def program() -> None:
    """Book GPU capacity on a calendar, and open the workspace it becomes."""


for command in (
    account.login,
    account.logout,
    account.whoami,
    account.teams,
    looking.free,
    booking.book,
    looking.list_,
    looking.show,
    looking.history,
    changing.extend,
    changing.shorten,
    changing.move,
    changing.release,
    changing.cancel,
    changing.approve,
    changing.reject,
    changing.take,
    changing.pass_,
    workspace.open_,
    workspace.kubeconfig,
    shell.completion,
):
    program.add_command(command)
