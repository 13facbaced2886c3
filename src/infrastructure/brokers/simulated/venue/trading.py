"""Trades: made, booked to the order and the account, and told."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from liveorder.infrastructure.brokers.simulated.venue.book import Book
from liveorder.infrastructure.brokers.simulated.venue.catalogue import Catalogue
from liveorder.infrastructure.brokers.simulated.venue.ledger import Ledger
from liveorder.infrastructure.brokers.simulated.venue.messages import report, trade_report
from liveorder.infrastructure.brokers.simulated.venue.orders import Trade, TradeKind, VenueOrder
from liveorder.infrastructure.brokers.simulated.venue.settings import VenueSettings


class Trading:
    def __init__(self, book: Book, ledger: Ledger, catalogue: Catalogue, settings: VenueSettings) -> None:
        self._book, self._ledger, self._catalogue, self._settings = book, ledger, catalogue, settings

    def fill(self, order: VenueOrder, quantity: Decimal, price: Decimal, now: datetime) -> Trade:
        """The next fill of an order, not booked yet."""
        number = self._book.next_trade_number()
        value = self._catalogue.listed(order.placed.instrument).instrument.value_of(quantity, price)
        commission = self._settings.commission.of(quantity, value, is_first=not order.trades)
        return Trade(number, TradeKind.FILL, f"X{number}", quantity, price, commission, now)

    def book(self, order: VenueOrder, trade: Trade) -> None:
        self._book.record(order, trade)
        if trade.kind is TradeKind.FILL:
            self._ledger.book(order, trade)
        else:
            self._ledger.rebuild(self._book.orders.values())
        self._tell(order, trade)

    def _tell(self, order: VenueOrder, trade: Trade) -> None:
        apart = self._settings.reports_commission_apart and trade.kind is not TradeKind.BUST
        self._book.tell(trade_report(order, trade, with_commission=not apart))
        if apart:
            fields = {"execution_id": trade.execution_id, "commission": trade.commission}
            self._book.tell(report("commission", order, trade.at, **fields))
