"""What one strategy, or one symbol, has of an account: the figures by which a table of limits is measured (ADR 59).

Added up for each order that has such a table, over what the account holds and has open.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from liveorder.application.risk.book.account import AccountBook
from liveorder.application.risk.book.rows import strategy_of
from liveorder.domain.instrument import Instrument
from liveorder.domain.limit_tables import LimitTable
from liveorder.domain.risk import Exposure, RiskView, share_of
from liveorder.domain.values import ZERO, total


def seen_by(
    table: LimitTable, account: AccountBook, view: RiskView, instrument: Instrument, judged: UUID | None = None
) -> RiskView:
    """`view` of the account, for an order in `instrument`, with the table's figures in place of the account's.

    `judged`: the order; see `AccountBook.uncounted`.
    """
    uncounted = {each.order_id for each in account.uncounted(judged)}
    exposures, currencies = _held(table, account)
    open_orders = unattempted = 0
    for order in account.open.values():
        parts = [units for name, units in order.parts if table.covers(name, order.instrument_key)]
        if parts and order.order_id not in uncounted:
            open_orders += 1
            unattempted += order.order_id in account.unattempted
            units, before = total(parts), exposures.get(order.instrument_key, Exposure())
            value = order.value if units == order.quantity else share_of(order.value, units, order.quantity)
            exposures[order.instrument_key] = before.plus(order.side, units, value)
    own = exposures.pop(instrument.key, Exposure())
    others = [exposure.sums for key, exposure in exposures.items() if currencies[key] == view.currency]
    trades, result = _session(table, account, view)
    return view._replace(
        exposure=own,
        trades_today=trades + unattempted,
        open_orders=open_orders,
        other_positions=sum(exposure.is_taken for exposure in exposures.values()),
        other_position_value=total(value for value, _ in others),
        other_exposure=total(gross for _, gross in others),
        realized_net_today=result,
    )


def _held(table: LimitTable, account: AccountBook) -> tuple[dict[str, Exposure], dict[str, str]]:
    """What is held of each instrument, without open orders, and the currency of each."""
    exposures: dict[str, Exposure] = {}
    currencies: dict[str, str] = {}
    for holding in account.instruments():
        currencies[holding.key] = holding.currency
        held = [position for key, position in holding.parts().items() if table.covers(strategy_of(key), holding.key)]
        if any(position.quantity for position in held):
            exposures[holding.key] = account.valued(holding.key, held)
    return exposures, currencies


def _session(table: LimitTable, account: AccountBook, view: RiskView) -> tuple[int, Decimal]:
    """Trades, and what was earned in the view's currency."""
    days = [tally.day(view.session_date) for whose, tally in account.tallies.items() if table.covers(*whose)]
    return sum(day.trades for day in days), total(day.realized_net.get(view.currency, ZERO) for day in days)
