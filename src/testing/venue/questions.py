"""The venue's answers to questions. Asking changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.values import ZERO, TradingMode, total
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.infrastructure.brokers.simulated.wire import Message, plain
from liveorder.testing.venue.admission import Admission
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.ledger import LedgerAccount, VenueLedger
from liveorder.testing.venue.messages import snapshot, trade_report
from liveorder.testing.venue.orders import VenueOrder
from liveorder.testing.venue.quotes import Quotes
from liveorder.testing.venue.settings import Keys


class VenueQuestions:
    def __init__(
        self,
        book: Book,
        ledger: VenueLedger,
        catalogue: VenueCatalogue,
        quotes: Quotes,
        keys: Keys,
        admission: Admission,
        positions_lag_seconds: float = 0.0,
    ) -> None:
        self._book, self._ledger, self._catalogue, self._quotes, self._keys = book, ledger, catalogue, quotes, keys
        self._admission, self._positions_lag = admission, timedelta(seconds=positions_lag_seconds)

    def find(self, account: str, client_order_id: str | None, broker_order_id: str | None, now: datetime) -> Message:
        """``{"order": ...}``, None when there is none, or ``{"inconclusive": true}`` where only the key is given and keys
        cannot be asked for."""
        self._ledger.account(account)
        if broker_order_id is None and self._keys.support is KeySupport.NONE:
            return {"inconclusive": True}
        order = self._book.named(account, client_order_id, broker_order_id)
        seen = order is not None and self._is_listed(order, now)
        return {"order": self.shown(order, now) if order is not None and seen else None}

    def order(self, broker_order_id: str) -> VenueOrder | None:
        """The order as the venue keeps it, for callers that translate it themselves."""
        return self._book.orders.get(broker_order_id)

    def open_orders(self, account: str, now: datetime) -> Message:
        self._ledger.account(account)
        orders = [self.shown(order, now) for order in self._book.live_of(account) if self._is_listed(order, now)]
        if self._keys.support is KeySupport.NONE:
            orders = [{name: value for name, value in order.items() if name != "client_order_id"} for order in orders]
        return {"orders": orders}

    def _is_listed(self, order: VenueOrder, now: datetime) -> bool:
        return order.accepted_at + timedelta(seconds=self._keys.lookup_lag_seconds) <= now

    def executions_since(self, account: str, since: datetime) -> Message:
        """Fills, corrections and busts, oldest first, each as it was reported at its time."""
        self._ledger.account(account)
        return {"executions": [trade_report(order, trade) for order, trade in self._book.trades_since(account, since)]}

    def positions(self, account: str, now: datetime | None = None) -> Message:
        """One for each instrument and product, as they are, or, where the lag is to count, as they were `positions_lag_seconds`
        before `now`.
        """
        parts = self._held(account, now).parts.items()
        return {
            "positions": [
                {"instrument": self._catalogue.listed(key).instrument.to_dict()}
                | plain(quantity=holding.quantity, average_price=holding.average_price, product=product)
                for (key, product), holding in parts
                if holding.quantity
            ]
        }

    def _held(self, account: str, now: datetime | None) -> LedgerAccount:
        if now is None or not self._positions_lag:
            return self._ledger.account(account)
        return self._ledger.as_of(account, self._book.orders.values(), now - self._positions_lag)

    def account(self, account: str, now: datetime) -> Message:
        """Cash, equity and buying power are in the account's own currency; equity counts holdings in it at their last price.

        Buying power is the maximum cost of a buy. An account that is not limited reports none.
        """
        held = self._ledger.account(account)
        currency = held.terms.currency
        common = {"account": account, "mode": TradingMode.SIMULATION.value, "currency": currency, "at": now}
        cash = held.cash[currency]
        worth = cash + self._holdings_worth(held, now)
        free = self._admission.free_cash.of(held, now) if held.terms.is_limited else None
        return plain(**common, cash=cash, equity=worth, buying_power=free, other_cash=_others(held))

    def _holdings_worth(self, account: LedgerAccount, now: datetime) -> Decimal:
        worths = []
        for key, holding in account.holdings.items():
            listing = self._catalogue.listed(key)
            quote, instrument = self._quotes.at(listing, now), listing.instrument
            if instrument.currency == account.terms.currency:
                worths.append(instrument.value_of(holding.quantity, quote.amount if quote else holding.average_price))
        return total(worths) if worths else ZERO

    def quote(self, instrument_key: str, now: datetime) -> Message:
        quote = self._quotes.at(self._catalogue.listed(instrument_key), now)
        return plain(price=quote.amount, at=quote.at) if quote else {}

    def orders_by_key(self, client_order_id: str, now: datetime) -> list[Message]:
        """Every order ever accepted with this key, on any account, including rejected ones. More than one is an error."""
        return [self.shown(order, now) for order in self._book.by_key(client_order_id)]

    def orders(self, now: datetime, account: str | None = None) -> list[Message]:
        """Every order ever accepted, oldest first; of all accounts if none is named."""
        return [self.shown(order, now) for order in self._book.orders.values() if account in (None, order.placed.account)]

    def shown(self, order: VenueOrder, now: datetime) -> Message:
        return snapshot(order, self._catalogue.listed(order.placed.instrument).instrument, now)


def _others(account: LedgerAccount) -> dict[str, str]:
    """Cash in currencies other than the account's own."""
    return {currency: f"{cash:f}" for currency, cash in account.cash.items() if currency != account.terms.currency}
