"""Trades: making them, booking them to order and account, and reporting them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from liveorder.domain.values import ZERO, AssetClass, Side
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.ledger import VenueLedger
from liveorder.testing.venue.messages import charge_of, report, trade_report
from liveorder.testing.venue.orders import Trade, TradeKind, VenueOrder
from liveorder.testing.venue.settings import VenueSettings


class VenueTrading:
    def __init__(self, book: Book, ledger: VenueLedger, catalogue: VenueCatalogue, settings: VenueSettings) -> None:
        self._book, self._ledger, self._catalogue, self._settings = book, ledger, catalogue, settings

    def fill(self, order: VenueOrder, quantity: Decimal, price: Decimal, now: datetime) -> Trade:
        """The next fill of an order, not booked yet."""
        number = self._book.next_trade_number()
        instrument, charged = self._catalogue.listed(order.placed.instrument).instrument, self._settings.commission
        if charged.in_kind and order.placed.side is Side.BUY and instrument.asset_class is AssetClass.CRYPTO:
            kept = charged.coins_of(quantity)
            return Trade(number, TradeKind.FILL, f"X{number}", quantity, price, ZERO, now, in_kind=kept)
        commission = charged.of(instrument, quantity, price, is_first=not order.trades)
        currency = charged.currency
        return Trade(number, TradeKind.FILL, f"X{number}", quantity, price, commission, now, commission_currency=currency)

    def book(self, order: VenueOrder, trade: Trade) -> None:
        self._book.record(order, trade)
        if trade.kind is TradeKind.FILL:
            self._ledger.book(order, trade)
        else:
            self._ledger.rebuild(self._book.orders.values())
        self._report(order, trade)

    def _report(self, order: VenueOrder, trade: Trade) -> None:
        apart = self._settings.reports_commission_apart and trade.kind is not TradeKind.BUST
        self._book.queue(trade_report(order, trade, with_commission=not apart))
        if apart and not trade.in_kind:
            self._book.queue(report("commission", order, trade.at, execution_id=trade.execution_id, **charge_of(trade)))
