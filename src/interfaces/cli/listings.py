"""The lists that people read: orders, positions, results, signals, doubts. What each column says of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from liveorder.application.reporting.views import FillView, OrderView, PositionView, SignalView
from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.domain.lifecycle import OrderStatus
from liveorder.interfaces.cli.figures import NOTHING, fees, moment, money, number, part, price, result
from liveorder.interfaces.cli.results import Result
from liveorder.interfaces.cli.screen import shown
from liveorder.interfaces.cli.tables import Column, print_pairs, print_table

SHORT = 16
"""Characters of a derived id that are enough to tell it."""

STATUS_STYLES: Mapping[str, str] = {
    OrderStatus.PENDING: "yellow",
    OrderStatus.SUBMITTED: "cyan",
    OrderStatus.PARTIAL: "blue",
    OrderStatus.FILLED: "green",
    OrderStatus.REJECTED: "red",
    OrderStatus.CANCELLED: "magenta",
    DEAD_LETTER: "red",
}


def status(name: str) -> Text:
    return shown(name, STATUS_STYLES.get(name, ""))


def order_type(order: OrderView) -> str:
    """With its prices: ``LIMIT 228.50``."""
    given = (order.stop_price, order.limit_price, order.trail_amount)
    parts = [price(value).replace(",", "") for value in given if value is not None]
    if order.trail_percent is not None:
        parts.append(f"{number(order.trail_percent)}%")
    if order.limit_offset is not None:
        parts.append(f"limit {price(order.limit_offset)} off")
    return " ".join([order.order_type.value.replace("TRAILING_STOP", "TRAILING"), *parts])


def why(order: OrderView) -> str:
    """Reason and message, for an order that did not go as it was asked."""
    return "; ".join(text for text in (order.reason, order.error_message) if text)


def notable_flags(order: OrderView) -> list[str]:
    """All but the one that every live order has."""
    return [flag for flag in order.flags if flag != "acknowledged"]


def short(identity: str | None) -> str:
    """A long id shortened in a way that shows that it was."""
    return NOTHING if identity is None else identity if len(identity) <= 20 else f"{identity[:SHORT]}…"


def _signal_part(signal: SignalView) -> str:
    return NOTHING if signal.quantity is None else part(signal.filled_quantity, signal.quantity)


def _without_year(at: datetime | None) -> str:
    return moment(at)[5:] or NOTHING


def _fees_of_order(order: OrderView) -> str:
    return fees(order.commission, order.other_commissions) if order.commission or order.other_commissions else NOTHING


def _commission_of_fill(fill: FillView, coin: str | None) -> str:
    if fill.commission is None:
        return NOTHING
    if fill.commission_currency is None:
        return money(fill.commission)
    in_kind = " in kind" if fill.commission_currency == coin else ""
    return f"{number(fill.commission)} {fill.commission_currency}{in_kind}"


ORDERS: tuple[Column[OrderView], ...] = (
    Column("Order", lambda order: order.client_order_id),
    Column("Requested", lambda order: _without_year(order.requested_at), rank=3),
    Column("Symbol", lambda order: order.symbol),
    Column("Side", lambda order: order.side.value),
    Column("Type", order_type, rank=2),
    Column("Filled", lambda order: part(order.filled_quantity, order.quantity), justify="right"),
    Column("Average", lambda order: price(order.average_price), rank=1, justify="right"),
    Column("Fees", _fees_of_order, rank=6, justify="right"),
    Column("Status", lambda order: status(order.status.value)),
    Column("Signal", lambda order: short(order.signal_id), rank=4),
    Column("Strategy", lambda order: order.strategy_name, rank=5),
    Column("Account", lambda order: order.account_id, rank=4),
    Column("Broker id", lambda order: order.broker_order_id or NOTHING, rank=7),
    Column("Flags", lambda order: ", ".join(notable_flags(order)), rank=8),
)

POSITIONS: tuple[Column[PositionView], ...] = (
    Column("Symbol", lambda held: held.symbol),
    Column("Side", lambda held: held.side.value),
    Column("Quantity", lambda held: number(held.quantity), justify="right"),
    Column("Average", lambda held: price(held.average_price), justify="right"),
    Column("Realized", lambda held: result(held.realized_pnl), justify="right"),
    Column("Fees", lambda held: fees(held.commission, held.other_commissions), rank=2, justify="right"),
    Column("Net", lambda held: result(held.realized_pnl_net), rank=1, justify="right"),
    Column("", lambda held: held.currency),
    Column("Account", lambda held: held.account_id, rank=3),
    Column("Strategy", lambda held: held.strategy_name, rank=4),
    Column("Since (UTC)", lambda held: moment(held.opened_at), rank=5),
)

RESULTS: tuple[Column[Result], ...] = (
    Column("Account", lambda row: row.account_id),
    Column("Strategy", lambda row: row.strategy_name),
    Column("Realized", lambda row: result(row.realized_pnl), justify="right"),
    Column("Fees", lambda row: money(row.commission), justify="right"),
    Column("Net", lambda row: result(row.realized_pnl_net), justify="right"),
    Column("", lambda row: row.currency),
)

SIGNALS: tuple[Column[SignalView], ...] = (
    Column("Signal", lambda signal: short(signal.signal_id)),
    Column("Received", lambda signal: _without_year(signal.received_at), rank=2),
    Column("Symbol", lambda signal: signal.symbol or NOTHING),
    Column("Side", lambda signal: signal.side.value if signal.side else NOTHING),
    Column("Score", lambda signal: number(signal.score), rank=3, justify="right"),
    Column("Filled", _signal_part, rank=1, justify="right"),
    Column("Execution", lambda signal: status(signal.execution_status)),
    Column("Order", lambda signal: signal.client_order_id or str(signal.order_id or NOTHING), rank=4),
    Column("Reason", lambda signal: signal.reason or "", rank=5),
)


def fill_columns(coin: str | None) -> tuple[Column[FillView], ...]:
    """`coin`: what is traded, where a fee may be taken out of it."""
    return (
        Column("Execution", lambda fill: fill.execution_id),
        Column("Time (UTC)", lambda fill: moment(fill.filled_at)),
        Column("Quantity", lambda fill: number(fill.quantity), justify="right"),
        Column("Price", lambda fill: price(fill.price), justify="right"),
        Column("Commission", lambda fill: _commission_of_fill(fill, coin), rank=1, justify="right"),
        Column("", lambda fill: "inferred" if fill.is_inferred else "", rank=2),
    )


def print_orders(orders: Sequence[OrderView], title: str = "Orders") -> None:
    print_table(title, ORDERS, orders, "No orders.")


def print_positions(positions: Sequence[PositionView]) -> None:
    print_table("Positions", POSITIONS, positions, "No positions.")


def print_signals(signals: Sequence[SignalView]) -> None:
    """Of dead letters also why they are."""
    print_table("Signals", SIGNALS, signals, "No signals.")
    print_dead_letters([signal for signal in signals if signal.execution_status == DEAD_LETTER])


def print_dead_letters(signals: Sequence[SignalView]) -> None:
    pairs = [(short(signal.signal_id or f"at byte {signal.offset}"), _why_dead(signal)) for signal in signals]
    print_pairs("Dead letters: became no order", pairs)


def _why_dead(signal: SignalView) -> str:
    reason = signal.reason or ""
    if signal.fingerprint is None:  # it was no signal at all
        return reason
    return f"{reason} (`liveorder signals --retry {signal.dead_letter_id}` sends it once that is put right)"


def print_results(results: Sequence[Result]) -> None:
    print_table("Profit and loss (realized)", RESULTS, results, "No result yet: nothing was traded.")
