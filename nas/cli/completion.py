"""`nas completion`: what a shell needs to complete commands, options and run directories."""

import click
from click.shell_completion import get_completion_class

from nas.cli.printing import echo

_WHERE = {
    "bash": ("~/.bashrc", 'eval "$(nas completion bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(nas completion zsh)"'),
    "fish": ("~/.config/fish/completions/nas.fish", "nas completion fish | source"),
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_WHERE)))
def completion(shell: str) -> None:
    """Print the completion script of SHELL.

    Bash needs version 4.4 or newer. To have it in every new shell, add the line to the file:

    \b
    bash   ~/.bashrc                            eval "$(nas completion bash)"
    zsh    ~/.zshrc                             eval "$(nas completion zsh)"
    fish   ~/.config/fish/completions/nas.fish  nas completion fish | source
    """  # noqa: D301  click reads \b
    from nas.cli.main import cli

    kind = get_completion_class(shell)
    # click's own source() asks bash for its version, which fails where bash is not installed.
    script = kind(cli, {}, "nas", "_NAS_COMPLETE")
    echo(script.source_template % script.source_vars())
