"""Completion of commands and options in the shell."""

import click
from click.shell_completion import get_completion_class

from gpuaas_cli.verb import Verb


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands and options.

    \b
    bash: eval "$(gpuaas completion bash)"          in ~/.bashrc
    zsh:  eval "$(gpuaas completion zsh)"           in ~/.zshrc
    fish: gpuaas completion fish | source           in ~/.config/fish/config.fish
    """  # noqa: D301 -- click's sign for lines that stay lines
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 -- click has these three
    root = ctx.find_root().command
    click.echo(kind(root, {}, "gpuaas", "_GPUAAS_COMPLETE").source())
