"""Commands about single orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.application.reporting.views import OrderView, VerdictView
from liveorder.bootstrap import Settings
from liveorder.domain.errors import InvalidInput
from liveorder.domain.signal import Signal
from liveorder.interfaces.cli.asking import (
    PATIENCE_SECONDS,
    answer_to,
    ask,
    ask_about,
    code_for,
    result_of,
    show_order,
    warn_of_nobody,
)
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.lists import described_by
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
from liveorder.interfaces.cli.signal_options import OPTIONS, a_signal
from liveorder.interfaces.cli.tables import print_table
from liveorder.interfaces.cli.verdict_page import code_for_verdict, print_verdict

Quantity = Annotated[str | None, typer.Option("--quantity", metavar="NUMBER", help="Units.")]
Limit = Annotated[str | None, typer.Option("--limit-price", metavar="NUMBER")]
Stop = Annotated[str | None, typer.Option("--stop-price", metavar="NUMBER")]

Act = Callable[[Settings, Signal, bool, float], None]
"""An action on a signal, called with settings, signal, as JSON, time-out in seconds."""


def with_a_signal(act: Act, *, only_judged: bool = False) -> Callable[..., None]:
    """Make a command that takes a signal, as JSON or as options, one for each of its fields. `only_judged`: it needs no id."""

    def command(signal: str | None, config: Config, store: Store, as_json: bool, timeout: float, **options: Any) -> None:
        given = {name: value for name, value in options.items() if value not in (None, [])}
        act(quiet_settings_for(config, store), a_signal(signal, given, only_judged=only_judged), as_json, timeout)

    own = {"config": (Config, None), "store": (Store, None), "as_json": (AsJson, False), "timeout": (Patience, PATIENCE_SECONDS)}
    json = Annotated[str | None, typer.Argument(metavar="[SIGNAL]", help="A signal as JSON, or - for standard input.")]
    return described_by(command, {"signal": (json, None)} | OPTIONS | own, act.__doc__ or "")


def _submit(settings: Settings, signal: Signal, as_json: bool, timeout: float) -> None:
    """Place one order. A known signal returns its existing order."""
    answer = answer_to(settings, CommandKind.SUBMIT, {"signal": signal.to_json()}, timeout)
    order = show_order(result_of(answer), as_json=as_json)
    warn_of_nobody(settings, answer, [order])
    raise typer.Exit(code_for(order))


def _validate(settings: Settings, signal: Signal, as_json: bool, timeout: float) -> None:
    """Ask every risk rule about a signal; nothing is stored or sent."""
    verdict = VerdictView.model_validate(ask(settings, CommandKind.VALIDATE, {"signal": signal.to_json()}, timeout))
    print_verdict(verdict, as_json=as_json)
    raise typer.Exit(code_for_verdict(verdict))


submit = with_a_signal(_submit)
validate = with_a_signal(_validate, only_judged=True)


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
    settings = quiet_settings_for(config, store)
    answer = answer_to(settings, CommandKind.CLOSE, wanted, timeout)
    result = result_of(answer)
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
    warn_of_nobody(settings, answer, orders)
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
