"""Commands that stop and resume trading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.reporting.figures import plural
from liveorder.bootstrap import Settings, emergency_kill
from liveorder.domain.trading_halt import EVERYTHING, account_scope
from liveorder.interfaces.cli.asking import PATIENCE_SECONDS, ask
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import AccountName, AsJson, Config, Detail, Patience, Store, person, quiet_settings_for
from liveorder.interfaces.cli.screen import print_json, say


def kill(
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    detail: Detail = "killed from the command line",
    cancel_all: Annotated[bool, typer.Option("--cancel-all", help="Cancel protective orders too.")] = False,
    flatten: Annotated[bool, typer.Option("--flatten", help="Cancel every order and close every position at the market.")] = False,
    emergency: Annotated[bool, typer.Option("--emergency", help="Straight to the brokers, without the store.")] = False,
    timeout: Patience = 60.0,
) -> None:
    """Halt all trading, cancel entries, and report whether anything is left."""
    settings = quiet_settings_for(config, store)
    if emergency:
        report = _by_emergency(settings, detail, cancel_all)
    else:
        arguments = {"detail": detail, "cancel_all": cancel_all, "flatten": flatten}
        report = ask(settings, CommandKind.KILL, arguments, timeout)
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    raise typer.Exit(ExitCode.OK if report["is_flat"] else ExitCode.NOT_FLAT)


def _by_emergency(settings: Settings, detail: str, cancel_all: bool) -> dict[str, Any]:
    report = asdict(asyncio.run(emergency_kill(settings, detail, person(), cancel_all=cancel_all)))
    is_flat = not report["remaining"] and not report["not_cancelled"]
    return report | {"calls_in_flight": [], "not_closed": [], "closing": [], "is_flat": is_flat}


def _print_report(report: Mapping[str, Any]) -> None:
    say("FLAT" if report["is_flat"] else "NOT FLAT", "bold green" if report["is_flat"] else "bold red")
    if report["is_durable"] and (journal := report.get("journal")):
        say(f"the halt is durable in {journal}: a service that reads it sends nothing, also after a restart")
    elif report["is_durable"]:
        say("the halt is durable: nothing is sent, also after a restart")
    else:
        say("the halt is not durable yet: keep the service running, or kill again once the store can be written", "bold red")
    if report["cancelled"]:
        say(f"{plural(len(report['cancelled']), 'order')} cancelled")
    for closing in report.get("closing", ()):  # a service of an earlier version says none
        say(f"closed by {closing}")
    for heading in ("calls_in_flight", "not_cancelled", "not_closed", "remaining"):
        for item in report[heading]:
            say(f"{heading.replace('_', ' ')}: {_as_text(item)}", "yellow")
    say("trading is halted; `liveorder resume` lifts it", "dim")


def _as_text(item: Any) -> str:
    return f"{item['kind']} {item['request_id']}" if isinstance(item, Mapping) else str(item)


def resume(
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    account: AccountName = None,
    detail: Detail = "resumed from the command line",
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Lift the halt of everything, or of one account."""
    scope = EVERYTHING if account is None else account_scope(account)
    result = ask(quiet_settings_for(config, store), CommandKind.RESUME, {"scope": scope, "detail": detail}, timeout)
    if as_json:
        print_json(result)
    elif result["lifted"]:
        say(f"the halt of {'every account' if account is None else account} is lifted", "green")
    else:
        say("there is no such halt; `liveorder status` lists the halts that stand", "yellow")
    if not as_json and result["still_halted"]:
        say(
            f"still halted: {', '.join(result['still_halted'])}; lift each by `liveorder resume` or `resume --account ID`", "yellow"
        )


def auto_trading(
    switch: Annotated[str, typer.Argument(metavar="on|off")],
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    detail: Detail = "switched from the command line",
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Switch whether signals trade automatically. Overrides the setting until it is switched again."""
    if switch not in ("on", "off"):
        raise typer.BadParameter("say on or off")
    arguments = {"enabled": switch == "on", "detail": detail}
    result = ask(quiet_settings_for(config, store), CommandKind.AUTO_TRADING, arguments, timeout)
    if as_json:
        print_json(result)
    else:
        say(f"auto-trading is {'on' if result['auto_trading'] else 'off'}")
