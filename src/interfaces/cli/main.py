"""The `liveorder` command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from liveorder import __version__
from liveorder.interfaces.cli import agreeing, certifying, kite, reading, running, simulation, stopping, store, trading, upkeep
from liveorder.interfaces.cli.exit_codes import as_text
from liveorder.interfaces.cli.failures import CommandGroup
from liveorder.interfaces.cli.screen import say

app = typer.Typer(
    cls=CommandGroup,
    name="liveorder",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
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


_GROUPS: dict[str, dict[str, Callable[..., Any]]] = {
    "Trade": {
        "run": running.run,
        "submit": trading.with_a_signal(trading.submit),
        "validate": trading.with_a_signal(trading.validate, only_judged=True),
        "close": trading.close,
        "cancel": trading.cancel,
        "replace": trading.replace,
        "kill": stopping.kill,
        "resume": stopping.resume,
        "auto-trading": stopping.auto_trading,
    },
    "Look": {
        "status": reading.status,
        "order": reading.order,
        **reading.LISTS,
        "account": reading.account,
        "doubts": reading.doubts,
    },
    "Agree with the broker": {
        "reconcile": agreeing.reconcile,
        "recover": agreeing.recover,
        "transfer": agreeing.transfer,
        "settle": trading.settle,
    },
    "Look after it": {
        "init": upkeep.init,
        "certify": certifying.certify,
        "doctor": upkeep.doctor,
        "backup": upkeep.backup,
        "replay": upkeep.replay,
        "schema": upkeep.schema,
    },
    "Simulate": {"demo": simulation.demo, "venue": simulation.venue},
}

for _panel, _commands in _GROUPS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)
app.add_typer(agreeing.adopt, name="adopt", rich_help_panel="Agree with the broker")
app.add_typer(store.store, name="store", rich_help_panel="Look after it")
app.add_typer(kite.kite, name="kite", rich_help_panel="Look after it")
