"""Interventions of the exchange's staff in orders and trades, on their own initiative."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.ledger import VenueLedger
from liveorder.testing.venue.lifecycle import Lifecycle
from liveorder.testing.venue.orders import OrderState, ReplacedTerms, TradeKind, VenueOrder


class Interventions:
    def __init__(self, book: Book, ledger: VenueLedger, lifecycle: Lifecycle) -> None:
        self._book, self._ledger, self._lifecycle = book, ledger, lifecycle

    def fill(self, order_id: str, quantity: Decimal, price: Decimal, now: datetime) -> str:
        """A manual trade, also on a closed order and beyond its quantity. Returns the execution id."""
        return self._lifecycle.fill(self._order(order_id), quantity, price, now)

    def bust(self, execution_id: str, now: datetime) -> None:
        """Bust a trade. A filled order is in the market again."""
        order, trade = self._book.traded(execution_id)
        number = self._book.next_trade_number()
        self._lifecycle.record(order, replace(trade, number=number, kind=TradeKind.BUST, at=now, corrects=None))

    def correct(self, execution_id: str, quantity: Decimal, price: Decimal, now: datetime) -> str:
        """Correct a trade. Returns the id of the execution that replaces it; the commission is unchanged."""
        order, trade = self._book.traded(execution_id)
        number = self._book.next_trade_number()
        correction = replace(
            trade, number=number, kind=TradeKind.CORRECTION, execution_id=f"X{number}", corrects=execution_id, at=now
        )
        self._lifecycle.record(order, replace(correction, quantity=quantity, price=price))
        return correction.execution_id

    def close(self, order_id: str, cause: str, reason: str, now: datetime) -> None:
        """End a live order without a request. `cause` is BY_BROKER, DONE_FOR_DAY or EXPIRED."""
        state = OrderState.EXPIRED if cause == "EXPIRED" else OrderState.CANCELLED
        self._lifecycle.close(self._live_order(order_id), state, cause, now, reason)

    def restate(self, order_id: str, terms: ReplacedTerms, reason: str, now: datetime) -> None:
        self._lifecycle.change(self._live_order(order_id), terms, "restated", now, reason=reason)

    def split(self, order_id: str, ratio: Decimal, now: datetime) -> None:
        """Split: `ratio` new units for each old one. The order's past trades are reported in new units from here on."""
        order = self._live_order(order_id)
        order.trades = [replace(each, quantity=each.quantity * ratio, price=each.price / ratio) for each in order.trades]
        order.filled_quantity *= ratio
        self._ledger.rebuild(self._book.orders.values())
        limit, stop = (None if price is None else price / ratio for price in (order.limit_price, order.stop_price))
        terms = ReplacedTerms(quantity=order.quantity * ratio, limit_price=limit, stop_price=stop)
        self._lifecycle.change(order, terms, "restated", now, split_ratio=ratio, reason="split")

    def _order(self, order_id: str) -> VenueOrder:
        order = self._book.orders.get(order_id)
        if order is None:
            raise VenueRefusal(RefusalCode.UNKNOWN_ORDER, f"no order {order_id}")
        return order

    def _live_order(self, order_id: str) -> VenueOrder:
        order = self._order(order_id)
        if not order.state.is_live:
            raise VenueRefusal(RefusalCode.TOO_LATE, f"order {order_id} is {order.state}")
        return order
