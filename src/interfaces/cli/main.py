"""The `liveorder` command."""

from __future__ import annotations

from typing import Annotated

import typer

from liveorder import __version__
from liveorder.interfaces.cli.commands import HELP, TabledCommands
from liveorder.interfaces.cli.exit_codes import as_text
from liveorder.interfaces.cli.screen import say

app = typer.Typer(
    cls=TabledCommands,
    name="liveorder",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=HELP,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"liveorder {__version__}")
        raise typer.Exit


@app.callback(epilog=f"Exit codes:\n\n{as_text()}")
def liveorder(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Order execution for live trading: at most one live order per signal, none ever lost."""
