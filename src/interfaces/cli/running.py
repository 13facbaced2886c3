"""`run`: trade signals until a signal ends the process or everything is at rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from liveorder.application.ports.signal_source import SignalSource
from liveorder.bootstrap import Settings, file_source, listening, open_service, source_by_url, supervised
from liveorder.domain.errors import InvalidInput, LeaseLost
from liveorder.domain.trading_halt import HaltReason, TradingHalted
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.failures import Failed
from liveorder.interfaces.cli.interruption import Interruption
from liveorder.interfaces.cli.options import AsJson, Config, Store, a_path, a_place_of_signals, is_url, settings_for
from liveorder.interfaces.cli.run_page import RunOutcome, outcome_of, print_outcome
from liveorder.interfaces.cli.screen import print_json, screen, shown
from liveorder.interfaces.tuning import tune_process

STANDARD_INPUT = "-"

Source: TypeAlias = Callable[..., SignalSource]
"""Makes a source once there is a store that keeps its bookmark."""


def run(
    signals: Annotated[
        str | None,
        typer.Option(
            "--signals",
            parser=a_place_of_signals,
            metavar="PATH|-|URL",
            help="JSON Lines file, - for standard input, or the URL of a source.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Keep reading as the file grows; the first run starts at its end."),
    ] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="With --follow: the first run starts at the file's beginning.")
    ] = False,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End once the signals have ended and every order is closed or at rest.")
    ] = False,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow",
            help="Decide everything on live data, send nothing. Needs its own --store: its decisions are final.",
        ),
    ] = False,
    broker: Annotated[str | None, typer.Option("--broker", help="Only the accounts at this broker.")] = None,
    mock: Annotated[
        bool, typer.Option("--use-mock-broker", help="Trade at the simulated venue, regardless of the settings.")
    ] = False,
    quotes: Annotated[
        Path | None, typer.Option("--quotes", parser=a_path, metavar="PATH", help="CSV of prices for the simulated venue.")
    ] = None,
    standby: Annotated[bool, typer.Option("--standby", help="Wait until the store is free, then take over.")] = False,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Trade: recover unfinished orders, then turn signals into orders."""
    simulation = {"quotes": quotes} if quotes is not None else None
    settings = settings_for(config, store, broker=broker, use_mock_broker=mock or None, simulation=simulation)
    if quotes is not None and "simulation.quotes" in settings.unread:
        raise InvalidInput("quotes", f"ignored here: {settings.why_unread}", "leave it out")
    sources = sources_for(settings, signals, follow=follow, from_beginning=from_beginning, until_idle=until_idle)
    _say_how_it_ends(settings, signals, follow=follow, until_idle=until_idle)
    outcome = trade(settings, sources, until_idle=until_idle, is_shadow=shadow, wait_for_lease=standby)
    if as_json:
        print_json(outcome.to_dict())
    else:
        print_outcome(outcome, in_full=until_idle)
    raise typer.Exit(ended_by(outcome, until_idle=until_idle))


def _say_how_it_ends(settings: Settings, signals: str | None, *, follow: bool, until_idle: bool) -> None:
    """What a run does that does not end by itself, before it begins."""
    if until_idle or follow:
        return
    if signals is not None:
        text = "when these signals have ended, it goes on following its orders, until Ctrl-C; --until-idle ends it then"
    elif not settings.sources and not settings.http.takes_signals:
        text = (
            "no source of signals: it follows open orders and carries out commands such as `liveorder submit`, until Ctrl-C; "
            "--signals FILE --follow, or [[sources]] in the settings, bring signals"
        )
    else:
        return
    screen(errors=True).print(shown(text))


def sources_for(settings: Settings, signals: str | None, *, follow: bool, from_beginning: bool, until_idle: bool) -> list[Source]:
    """The sources. Raises `InvalidInput` for contradicting options."""
    if follow and (signals in (None, STANDARD_INPUT) or is_url(signals or "")):
        raise InvalidInput("follow", "only a file can be followed", "give --signals PATH")
    if follow and until_idle:
        raise InvalidInput("until-idle", "a followed file never ends", "leave out --follow or --until-idle")
    if from_beginning and not follow:
        raise InvalidInput("from-beginning", "it applies to a followed file only", "add --follow, or leave it out")
    if signals is None:
        return []
    if signals == STANDARD_INPUT or is_url(signals):
        return [source_by_url(settings, signals, "--signals")]
    return [file_source(settings, Path(signals), follow=follow, from_beginning=from_beginning)]


def trade(settings: Settings, sources: Sequence[Source], *, until_idle: bool, **opening: Any) -> RunOutcome:
    """Run a service to its end. Raises `LeaseLost` if the store was lost, `Failed` if the run was interrupted."""
    tune_process()
    try:
        outcome = asyncio.run(_trade(settings, sources, until_idle, opening))
    except asyncio.CancelledError:
        raise Failed(ExitCode.INTERRUPTED, "interrupted; the next start continues what was begun") from None
    if outcome.lost_lease:
        raise LeaseLost(
            "another process owns the store now, or it was replaced by another (see the log); this process sent nothing more"
        )
    return outcome


async def _trade(settings: Settings, sources: Sequence[Source], until_idle: bool, opening: dict[str, Any]) -> RunOutcome:
    http = listening(settings, is_asked_to=not until_idle)
    with Interruption() as interruption:
        _announce(settings)
        async with supervised() as supervision, open_service(settings, sources=sources, **opening) as service, http(service):
            interruption.is_orderly = True
            _warn_of_halts(service.engine.halts.standing())
            supervision.ready(service.engine)
            summary = await service.run(until_idle=until_idle, stop=interruption.stop)
            supervision.stopping()
            await service.settle_views()
            outcome = await outcome_of(service.views, summary, settings)
            return outcome.model_copy(update={"was_interrupted": interruption.stop.is_set()})


def _announce(settings: Settings) -> None:
    accounts = ", ".join(account.id for account in settings.trading_accounts)
    text = f"{settings.mode.value}: {accounts}; store {settings.masked()['store']}; Ctrl-C shuts down cleanly"
    screen(errors=True).print(shown(text, "bold"), soft_wrap=True)


def _warn_of_halts(halts: Sequence[TradingHalted]) -> None:
    """A halted service accepts signals and refuses them, so the person who starts it must know."""
    for halt in halts:
        remedy = "" if halt.reason is HaltReason.CONNECTION_LOST else "; `liveorder resume` lifts it"
        screen(errors=True).print(shown(f"{halt.sentence()}{remedy}", "bold red"), soft_wrap=True)


def ended_by(outcome: RunOutcome, *, until_idle: bool) -> ExitCode:
    """A service is ended by Ctrl-C, and a run until all is at rest is interrupted by it."""
    if until_idle and outcome.was_interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OUTCOME_UNKNOWN if outcome.in_doubt else ExitCode.OK
