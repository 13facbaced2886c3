"""The free cash of a limited account: its cash, less the proceeds of short sales, less the cost of its open buys.

The proceeds of a short sale are reserved for buying it back, so a buy that only does that takes no further cash.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, Side, total
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.ledger import LedgerAccount
from liveorder.testing.venue.orders import VenueOrder
from liveorder.testing.venue.quotes import Quotes


class FreeCash:
    """Free cash is in the account's currency. Holdings in other currencies take none of it."""

    def __init__(self, book: Book, catalogue: VenueCatalogue, quotes: Quotes) -> None:
        self._book, self._catalogue, self._quotes = book, catalogue, quotes

    def of(self, account: LedgerAccount, now: datetime) -> Decimal:
        """The free cash. Negative if more is reserved than available."""
        instruments = {order.placed.instrument for order in self._buys(account)} | account.holdings.keys()
        taken = (
            self._kept_for_short(account, key) + self._reserved(account, key, now)
            for key in instruments
            if self._instrument(key).currency == account.terms.currency
        )
        return account.cash[account.terms.currency] - total(taken)

    def adds(self, account: LedgerAccount, instrument_key: str, quantity: Decimal) -> Decimal:
        """The units of a new buy beyond the short position that is not covered by open buys."""
        open_buys = total(order.remaining for order in self._buys(account) if order.placed.instrument == instrument_key)
        return max(quantity - max(_short(account, instrument_key) - open_buys, ZERO), ZERO)

    def _kept_for_short(self, account: LedgerAccount, key: str) -> Decimal:
        return (
            self._instrument(key).value_of(_short(account, key), account.holdings[key].average_price)
            if key in account.holdings
            else ZERO
        )

    def _reserved(self, account: LedgerAccount, key: str, now: datetime) -> Decimal:
        """The value of the open buys beyond the short position, in the worst case: the cheapest buys cover the short position."""
        short, reserved = _short(account, key), ZERO
        buys = [(self._price(order, now), order.remaining) for order in self._buys(account) if order.placed.instrument == key]
        for price, quantity in sorted(buys):
            reserved += self._instrument(key).value_of(max(quantity - short, ZERO), price)
            short = max(short - quantity, ZERO)
        return reserved

    def _price(self, order: VenueOrder, now: datetime) -> Decimal:
        """The limit, else the stop, else the last price."""
        quote = self._quotes.at(self._catalogue.listed(order.placed.instrument), now)
        return order.limit_price or order.placed.stop_price or (quote.amount if quote else ZERO)

    def _buys(self, account: LedgerAccount) -> list[VenueOrder]:
        return [order for order in self._book.live_of(account.terms.account_id) if order.placed.side is Side.BUY]

    def _instrument(self, key: str) -> Instrument:
        return self._catalogue.listed(key).instrument


def _short(account: LedgerAccount, instrument_key: str) -> Decimal:
    return max(-account.held(instrument_key), ZERO)
