"""The table of all commands, and the group that imports a command only when it is called.

Help lists the commands from this table alone, so it imports none of them. A test holds each sentence to the command's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from liveorder.interfaces.cli.failures import CommandGroup


class Verb(NamedTuple):
    """`place`: `module:function` in this package; a function, or a Typer of subcommands."""

    place: str
    sentence: str


HELP = {"help_option_names": ["-h", "--help"]}
REPORT = ""
"""The place of a command that a read model makes: `reports` finds it by its name, and those of installed packages too."""

COMMANDS: Mapping[str, Mapping[str, Verb]] = {
    "Trade": {
        "run": Verb("running:run", "Trade: recover unfinished orders, then turn signals into orders."),
        "submit": Verb("trading:submit", "Place one order. A known signal returns its existing order."),
        "validate": Verb("trading:validate", "Ask every risk rule about a signal; nothing is stored or sent."),
        "close": Verb("trading:close", "Close what strategies hold, at the market; each holding by one order, never beyond zero."),
        "cancel": Verb("trading:cancel", "Ask the broker to cancel an order. Fills that arrive first are still booked."),
        "replace": Verb("trading:replace", "Change quantity or prices of a working order."),
        "kill": Verb("stopping:kill", "Halt all trading, cancel entries, and report whether anything is left."),
        "resume": Verb("stopping:resume", "Lift the halt of everything, or of one account."),
        "auto-trading": Verb(
            "stopping:auto_trading",
            "Switch whether signals trade automatically. Overrides the setting until it is switched again.",
        ),
    },
    "Look": {
        "status": Verb("reading:status", "Show whether a service runs, whether trading is halted, and how many orders there are."),
        "order": Verb("reading:order", "Show one order with its whole history."),
        "orders": Verb(REPORT, "List orders, old to new."),
        "order-history": Verb(REPORT, "List every event of every order."),
        "fills": Verb(REPORT, "List executions that count, with what each earned."),
        "positions": Verb(REPORT, "List positions and what they earned."),
        "signals": Verb(REPORT, "List signals with what became of them, dead letters included."),
        "execution-confirmations": Verb(REPORT, "List what was sent to strategies about orders that traded or ended."),
        "daily-summary": Verb(REPORT, "List sessions, each strategy in each account summed up."),
        "account": Verb(
            "accounts:account", "Show equity, cash, margin and buying power as the broker reports them, each with its age."
        ),
        "doubts": Verb("doubts:doubts", "List requests of which nobody knows whether the broker received them."),
    },
    "Agree with the broker": {
        "reconcile": Verb(
            "agreeing:reconcile", "Ask the brokers for orders, executions and positions, and list what differs from ours."
        ),
        "recover": Verb("agreeing:recover", "Ask the brokers about every unfinished order now, as a start does."),
        "transfer": Verb("agreeing:transfer", "Move units from one strategy's position to another's; nothing is ordered."),
        "settle": Verb("trading:settle", "End a doubt, or an order that the broker no longer has, with evidence from the broker."),
        "adopt": Verb("agreeing:adopt", "Adopt an order or a position that is at the broker and not ours."),
    },
    "Look after it": {
        "init": Verb("upkeep:init", "Write a settings file with every setting, its default and its meaning."),
        "certify": Verb(
            "certifying:certify",
            "Ask a broker, and try tiny orders far from the market, cancelled at once: does it do what its adapter declares?",
        ),
        "doctor": Verb("upkeep:doctor", "Check settings, store, lease, exchange calendars, files and brokers."),
        "backup": Verb("upkeep:backup", "Copy the store while it is in use."),
        "replay": Verb("upkeep:replay", "Rebuild all lists and reports from the log."),
        "schema": Verb("upkeep:schema", "Print the JSON Schema of a signal."),
        "store": Verb("store:store", "Change settings that are kept in the store, while no service runs."),
        "kite": Verb("kite:kite", "Zerodha Kite: the daily login, and what today's trades cost by its calculator."),
    },
    "Simulate": {
        "demo": Verb("simulation:demo", "Run the shipped example. A second run finds every signal known and places nothing."),
        "venue": Verb("simulation:venue", "Run the simulated venue as a process of its own."),
    },
}
"""By the heading in the help, then by name."""

ALSO: Mapping[str, str] = {"summary": "daily-summary", "confirmations": "execution-confirmations"}
"""Second, shorter names. The help shows each command once."""


class TabledCommands(CommandGroup):
    """All commands of the table, of read models and of installed packages."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update(
            {
                name: TyperCommand(name, help=_in_help(name, verb), rich_help_panel=panel)
                for panel, verbs in COMMANDS.items()
                for name, verb in verbs.items()
            }
        )

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, imported. None if there is none of that name."""
        name = ALSO.get(cmd_name, cmd_name)
        place = next((verbs[name].place for verbs in COMMANDS.values() if name in verbs), REPORT)
        return _loaded(name, place) if place != REPORT else _report(name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Of the sentences in the table; nothing is imported."""
        listing = TyperGroup(
            name=self.name,
            commands=dict(self.commands),
            params=self.params,
            help=self.help,
            epilog=self.epilog,
            rich_markup_mode=self.rich_markup_mode,
        )
        listing.format_help(ctx, formatter)


def _in_help(name: str, verb: Verb) -> str:
    others = [f"`{other}`" for other, same in ALSO.items() if same == name]
    return f"{verb.sentence} Also: {', '.join(others)}." if others else verb.sentence


def _loaded(name: str, place: str) -> Any:
    module, function = place.split(":")
    found = getattr(import_module(f"liveorder.interfaces.cli.{module}"), function)
    return typer.main.get_group(found) if isinstance(found, typer.Typer) else command_of(name, found)


def _report(name: str) -> Any:
    from liveorder.interfaces.cli.reports import list_named

    found = list_named(name)
    return None if found is None else command_of(name, found)


def command_of(name: str, function: Callable[..., Any]) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=HELP)
    app.command(name)(function)
    return typer.main.get_command(app)
