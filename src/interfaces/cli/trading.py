"""Commands about single orders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Annotated
from uuid import uuid4

import typer

from liveorder.application.engine.operator_commands import CommandKind
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.application.reporting.views import OrderView, VerdictView
from liveorder.bootstrap import Settings
from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import Signal
from liveorder.domain.values import OrderType, PositionEffect, Side, TimeInForce
from liveorder.interfaces.cli.asking import PATIENCE_SECONDS, ask, ask_about, code_for, show_order
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import (
    AccountName,
    AnyId,
    AsJson,
    Config,
    Evidence,
    Patience,
    Store,
    a_number,
    quiet_settings_for,
)
from liveorder.interfaces.cli.screen import print_json, say
from liveorder.interfaces.cli.tables import print_table
from liveorder.interfaces.cli.verdict_page import code_for_verdict, print_verdict

Quantity = Annotated[str | None, typer.Option("--quantity", metavar="NUMBER", help="Units.")]
Limit = Annotated[str | None, typer.Option("--limit-price", metavar="NUMBER")]
Stop = Annotated[str | None, typer.Option("--stop-price", metavar="NUMBER")]

Act = Callable[[Settings, Signal, bool, float], None]
"""An action on a signal, called with settings, signal, as JSON, time-out in seconds."""


def with_a_signal(act: Act, *, only_judged: bool = False) -> Callable[..., None]:
    """Make a command that takes a signal, as JSON or as options named like its fields. `only_judged`: it needs no id."""

    def command(
        context: typer.Context,
        signal: Annotated[str | None, typer.Argument(help="A signal as JSON, or - for standard input.")] = None,
        symbol: Annotated[str | None, typer.Option("--symbol", help="What to trade.")] = None,
        side: Annotated[Side | None, typer.Option("--side", case_sensitive=False)] = None,
        quantity: Quantity = None,
        position_effect: Annotated[
            PositionEffect | None, typer.Option("--effect", case_sensitive=False, help="CLOSE never goes beyond zero.")
        ] = None,
        percent: Annotated[
            str | None, typer.Option("--percent", metavar="NUMBER", help="Of what is held, or of the equity.")
        ] = None,
        target_quantity: Annotated[str | None, typer.Option("--target", metavar="NUMBER", help="Signed units to hold.")] = None,
        order_type: Annotated[
            OrderType | None, typer.Option("--type", case_sensitive=False, help="Default: as the prices say.")
        ] = None,
        limit_price: Limit = None,
        stop_price: Stop = None,
        time_in_force: Annotated[TimeInForce | None, typer.Option("--time-in-force", case_sensitive=False)] = None,
        account_id: Annotated[str | None, typer.Option("--account", help="Default: from settings.")] = None,
        strategy_name: Annotated[str | None, typer.Option("--strategy")] = None,
        signal_id: Annotated[str | None, typer.Option("--signal-id", help="One id, one order. Default: a new id.")] = None,
        config: Config = None,
        store: Store = None,
        as_json: AsJson = False,
        timeout: Patience = PATIENCE_SECONDS,
    ) -> None:
        given = {name: value for name, value in context.params.items() if name in Signal.model_fields and value is not None}
        act(quiet_settings_for(config, store), a_signal(signal, given, only_judged=only_judged), as_json, timeout)

    command.__doc__ = act.__doc__
    return command


def submit(settings: Settings, signal: Signal, as_json: bool, timeout: float) -> None:
    """Place one order. A known signal returns its existing order."""
    result = ask(settings, CommandKind.SUBMIT, {"signal": signal.to_json()}, timeout)
    raise typer.Exit(code_for(show_order(result, as_json=as_json)))


def validate(settings: Settings, signal: Signal, as_json: bool, timeout: float) -> None:
    """Ask every risk rule about a signal; nothing is stored or sent."""
    verdict = VerdictView.model_validate(ask(settings, CommandKind.VALIDATE, {"signal": signal.to_json()}, timeout))
    print_verdict(verdict, as_json=as_json)
    raise typer.Exit(code_for_verdict(verdict))


def close(
    symbol: Annotated[str | None, typer.Argument(metavar="SYMBOL", help="Of which symbol.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever is held.")] = False,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Only what this strategy holds.")] = None,
    account: AccountName = None,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Close what strategies hold, at the market; each holding by one order, never beyond zero."""
    if everything is (symbol is not None):
        raise InvalidInput("SYMBOL", "what to close is not said once", "give either SYMBOL or --all")
    wanted = {"symbol": symbol, "strategy_name": strategy, "account_id": account}
    result = ask(quiet_settings_for(config, store), CommandKind.CLOSE, wanted, timeout)
    orders = [OrderView.model_validate(order) for order in result["orders"]]
    if as_json:
        print_json(result)
    else:
        print_table("Closing orders", ORDERS.columns, orders, "")
        for order in orders:
            if order.error_message:
                say(f"{order.symbol} of {order.strategy_name}: {order.error_message}", "yellow")
        for failure in result["failures"]:
            say(f"not closed: {failure}", "yellow")
    raise typer.Exit(max((ExitCode.REFUSED if result["failures"] else ExitCode.OK, *map(code_for, orders))))


def cancel(
    any_id: AnyId,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Ask the broker to cancel an order. Fills that arrive first are still booked."""
    result = ask_about(quiet_settings_for(config, store), CommandKind.CANCEL, any_id, timeout)
    show_order(result, as_json=as_json)


def replace(
    any_id: AnyId,
    quantity: Quantity = None,
    limit_price: Limit = None,
    stop_price: Stop = None,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Change quantity or prices of a working order."""
    given = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
    terms = {name: str(a_number(name, text)) for name, text in given.items() if text is not None}
    if not terms:
        raise InvalidInput("quantity", "nothing to change is given", "give --quantity, --limit-price or --stop-price")
    result = ask_about(quiet_settings_for(config, store), CommandKind.REPLACE, any_id, timeout, **terms)
    show_order(result, as_json=as_json)


def settle(
    any_id: AnyId,
    evidence: Evidence,
    found: Annotated[
        str | None, typer.Option("--found", metavar="BROKER_ORDER_ID", help="It is at the broker under this id.")
    ] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="The broker never received it, or no longer has it; it is not sent again.")
    ] = False,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """End a doubt, or an order that the broker no longer has, with evidence from the broker."""
    if absent is (found is not None):
        raise InvalidInput("found", "an order is either found or absent", "give one of --found BROKER_ORDER_ID and --absent")
    kind = CommandKind.SETTLE_ABSENT if absent else CommandKind.SETTLE_FOUND
    seen = {} if found is None else {"broker_order_id": found}
    result = ask_about(quiet_settings_for(config, store), kind, any_id, timeout, evidence=evidence, **seen)
    show_order(result, as_json=as_json)


def a_signal(text: str | None, options: Mapping[str, object], *, only_judged: bool = False) -> Signal:
    """A signal from JSON, or from options with a new id; if it is `only_judged`, JSON without an id gets one too.

    Raises `InvalidInput` and `UnusableSignal`.
    """
    if text is None:
        return Signal(**{"signal_id": f"manual-{uuid4()}", "order_type": _type_by_prices(options), **options})
    if options:
        raise InvalidInput("SIGNAL", "given together with options", "use either the JSON or the options")
    return Signal.parse(sys.stdin.buffer.read() if text == "-" else text, unnamed=f"judged-{uuid4()}" if only_judged else None)


def _type_by_prices(options: Mapping[str, object]) -> OrderType:
    if "limit_price" in options:
        return OrderType.STOP_LIMIT if "stop_price" in options else OrderType.LIMIT
    return OrderType.STOP if "stop_price" in options else OrderType.MARKET
