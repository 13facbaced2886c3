"""Everything about one order on one page: its terms, its state, its fills, and its whole history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from liveorder.application.reporting.figures import NOTHING, moment, money, number, part, price, status
from liveorder.application.reporting.projections.orders import asked, notable_flags, order_type, why
from liveorder.application.reporting.views import HistoryView, OrderView
from liveorder.domain.instrument import coin_of
from liveorder.domain.position_adjustment import PositionAdjusted
from liveorder.domain.values import TradingHours
from liveorder.interfaces.cli.listings import fill_columns
from liveorder.interfaces.cli.screen import screen, shown
from liveorder.interfaces.cli.tables import styled, table

WIDE_ENOUGH_FOR_TWO = 120
"""Screen width from which the particulars are printed in two columns."""


def print_order(order: OrderView, history: Sequence[HistoryView] = (), kept: Sequence[PositionAdjusted] = ()) -> None:
    """Print the page, without the history if none is given. `kept`: fees in kind that no fill reports."""
    console = screen()
    console.print(_headline(order))
    if reason := why(order):
        console.print(shown(reason, "yellow"))
    console.print(_particulars(order, console.width))
    console.print()
    if order.fills:
        columns = fill_columns(coin_of(order.symbol, order.asset_class))
        console.print(table("Fills", columns, order.fills, console.width))
        console.print()
    if kept:
        _print_kept(console, order, kept)
    if history:
        _print_history(console, history)


def _headline(order: OrderView) -> Text:
    wanted = f"{number(order.quantity)} "
    if order.quantity is None:
        wanted = "" if order.notional is None else f"{number(order.notional)} {order.currency} of "
    line = shown(f"{order.side.value} {wanted}{order.symbol} {order_type(order)}  ", "bold")
    return line.append_text(styled(status(order.status.value))).append_text(
        shown("".join(f"  [{flag}]" for flag in notable_flags(order)), "yellow")
    )


def _particulars(order: OrderView, width: int) -> Table:
    pairs = [*_identity(order), *_terms(order), *_times(order)]
    grid = Table.grid(padding=(0, 2, 0, 0))
    if width < WIDE_ENOUGH_FOR_TWO:
        for name, value in pairs:
            grid.add_row(shown(name, "dim"), shown(value))
        return grid
    half = (len(pairs) + 1) // 2
    for left, right in zip_longest(pairs[:half], pairs[half:], fillvalue=("", "")):
        grid.add_row(shown(left[0], "dim"), shown(left[1]), shown(right[0], "dim"), shown(right[1]))
    return grid


def _identity(order: OrderView) -> Iterator[tuple[str, str]]:
    yield "order id", str(order.order_id)
    yield "client order id", order.client_order_id
    yield "broker order id", order.broker_order_id or NOTHING
    yield "signal id", order.signal_id
    yield "account", f"{order.account_id} at {order.broker}"
    yield "strategy", order.strategy_name
    yield "instrument", f"{order.instrument} ({order.asset_class.value}, {order.currency})"


def _terms(order: OrderView) -> Iterator[tuple[str, str]]:
    average = "" if order.average_price is None else f" at {price(order.average_price)}"
    yield "filled", part(order.filled_quantity, order.quantity) + average
    yield "commission", f"{money(order.commission)} {order.currency}"
    for currency, paid in order.other_commissions.items():
        if currency == coin_of(order.symbol, order.asset_class):
            yield "fee in kind", f"{number(paid)} {currency}, taken out of what was traded"
        else:
            yield f"commission in {currency}", number(paid)
    until = "" if order.expires_at is None else f" until {moment(order.expires_at)}"
    hours = ", extended hours" if order.hours is TradingHours.EXTENDED else ""
    yield "time in force", order.time_in_force.value + until + hours
    placed = " (placed elsewhere)" if order.protection is not None else " (not placed)"
    optional = {
        "position effect": order.position_effect,
        "asked for": asked(order),
        "product": order.product,
        "stop loss": order.stop_loss and price(order.stop_loss) + placed,
        "take profit": order.take_profit and price(order.take_profit) + placed,
        "oco group": order.oco_group,
        "parent order": order.parent_order_id,
        "symbol name": order.symbol_name,
        "tags": ", ".join(order.tags),
        "reviews": ", ".join(order.reviews),
        "anomalies": ", ".join(order.anomalies),
    }
    yield from ((name, str(value)) for name, value in optional.items() if value)


def _times(order: OrderView) -> Iterator[tuple[str, str]]:
    yield "requested", moment(order.requested_at)
    yield "submitted", f"{moment(order.submitted_at)} (attempts: {order.attempts})"
    yield "closed", moment(order.closed_at)
    yield "last update", moment(order.last_update_at)


def _print_kept(console: Console, order: OrderView, kept: Sequence[PositionAdjusted]) -> None:
    """Fees in kind. The broker does not report which buy each belongs to."""
    title = f"Kept by the broker as its fee, of this and other buys of {order.strategy_name}"
    console.print(shown(title, "bold"))
    for fee in kept:
        units, instrument = -fee.quantity, fee.instrument
        worth = f"{money(instrument.value_of(units, fee.price))} {instrument.currency}"
        console.print(shown(f"{moment(fee.effective_at)}  {number(units)} {instrument.coin or instrument.symbol}, worth {worth}"))
    console.print()


def _print_history(console: Console, history: Sequence[HistoryView]) -> None:
    console.print(shown("History (times in UTC)", "bold"))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for item in history:
        by = "" if item.actor == "engine" else f"  ({item.actor})"
        grid.add_row(shown(moment(item.recorded_at), "dim"), shown(item.sentence).append_text(shown(by, "dim")))
    console.print(grid)
