"""Tables of the read models, and the texts below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import NOTHING, moment, money, number, price, result, short
from liveorder.application.reporting.projections import ORDERS, POSITIONS, SIGNALS
from liveorder.application.reporting.projections.positions import ACCOUNT_COLUMNS
from liveorder.application.reporting.projections.read_model import ReadModel, V
from liveorder.application.reporting.views import AccountPositionView, FillView, OrderView, PositionView, SignalView
from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.interfaces.cli.results import Result
from liveorder.interfaces.cli.tables import print_pairs, print_table

RESULTS: tuple[Column[Result], ...] = (
    Column("Account", lambda row: row.account_id, tells=True),
    Column("Strategy", lambda row: row.strategy_name, tells=True),
    Column("Realized", lambda row: result(row.realized_pnl), justify="right"),
    Column("Fees", lambda row: money(row.commission), rank=1, justify="right"),
    Column("Net", lambda row: result(row.realized_pnl_net), justify="right"),
    Column("", lambda row: row.currency),
)


def print_list(model: ReadModel[Any, V], rows: Sequence[V], title: str = "") -> None:
    print_table(title or model.title, model.table_columns, rows, f"No {model.title.lower()}.")


def fill_columns(coin: str | None) -> tuple[Column[FillView], ...]:
    """The columns of fills. `coin`: the traded coin, if a fee may be taken out of it."""
    return (
        Column("Execution", lambda fill: fill.execution_id, rank=3, is_id=True),
        Column("Time (UTC)", lambda fill: moment(fill.filled_at)),
        Column("Quantity", lambda fill: number(fill.quantity), justify="right"),
        Column("Price", lambda fill: price(fill.price), justify="right"),
        Column("Commission", lambda fill: _commission_of_fill(fill, coin), rank=1, justify="right"),
        Column("", lambda fill: "inferred" if fill.is_inferred else "", rank=2),
    )


def _commission_of_fill(fill: FillView, coin: str | None) -> str:
    if fill.commission is None:
        return NOTHING
    if fill.commission_currency is None:
        return money(fill.commission)
    in_kind = " in kind" if fill.commission_currency == coin else ""
    return f"{number(fill.commission)} {fill.commission_currency}{in_kind}"


def print_orders(orders: Sequence[OrderView], title: str = "") -> None:
    print_list(ORDERS, orders, title)


def print_positions(positions: Sequence[PositionView]) -> None:
    print_list(POSITIONS, positions)


def print_account_positions(positions: Sequence[AccountPositionView]) -> None:
    print_table("Positions by account", ACCOUNT_COLUMNS, positions, "No positions.")


def print_signals(signals: Sequence[SignalView]) -> None:
    """Print signals. Dead letters are also listed with their reasons."""
    print_list(SIGNALS, signals)
    print_dead_letters([signal for signal in signals if signal.execution_status == DEAD_LETTER])


def print_dead_letters(signals: Sequence[SignalView]) -> None:
    pairs = [(short(signal.signal_id or signal.place or ""), _why_dead(signal)) for signal in signals]
    print_pairs("Dead letters: became no order", pairs)


def _why_dead(signal: SignalView) -> str:
    """Where it stood and why, and the command that sends it as it is, where that can help. What is stored cannot be corrected."""
    where = f"{signal.place}: " if signal.signal_id is not None else ""
    if not _is_usable(signal):
        return f"{where}{signal.reason}"
    return f"{where}{signal.reason} (`liveorder signals --retry {signal.dead_letter_id}` sends it as it is, once that has changed)"


def _is_usable(signal: SignalView) -> bool:
    """Whether it is a signal, and none that became an order with other content."""
    if signal.order_id is not None or signal.line is None:
        return False
    try:
        return signal.fingerprint in (None, Signal.parse(signal.line).fingerprint)
    except UnusableSignal:
        return False


def print_results(results: Sequence[Result]) -> None:
    print_table("Profit and loss (realized)", RESULTS, results, "No result yet: nothing was traded.")
