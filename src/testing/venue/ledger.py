"""Positions and cash: a fold over the trades, which can be computed again at any time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, Product, Side
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.testing.venue.orders import Trade, VenueOrder
from liveorder.testing.venue.settings import VenueAccount


@dataclass(slots=True)
class VenueHolding:
    """A holding. `quantity` is signed. `average_price` is changed by opening trades only."""

    quantity: Decimal = ZERO
    average_price: Decimal = ZERO

    def book(self, quantity: Decimal, price: Decimal) -> None:
        after = self.quantity + quantity
        if self.quantity * quantity >= 0:
            self.average_price = (self.quantity * self.average_price + quantity * price) / after
        elif self.quantity * after < 0:
            self.average_price = price
        self.quantity = after


@dataclass(slots=True)
class LedgerAccount:
    terms: VenueAccount
    cash: dict[str, Decimal] = field(default_factory=dict)
    """Keyed by currency."""
    holdings: dict[str, VenueHolding] = field(default_factory=dict)
    """Keyed by instrument key, over all products. Flat holdings stay, with quantity zero."""
    parts: dict[tuple[str, Product | None], VenueHolding] = field(default_factory=dict)
    """By instrument key and product: each is a position of its own."""

    @classmethod
    def opened(cls, terms: VenueAccount) -> LedgerAccount:
        """The account before its first trade."""
        holdings = {key: VenueHolding(position.quantity, position.price) for key, position in terms.positions.items()}
        account = cls(terms, {terms.currency: terms.cash}, holdings)
        for key, position in terms.positions.items():
            account.parts[key, None] = VenueHolding(position.quantity, position.price)
        return account

    def book(self, instrument: Instrument, side: Side, trade: Trade, product: Product | None) -> None:
        quantity = side.signed(trade.quantity)
        self._pay(instrument.currency, instrument.value_of(quantity, trade.price))
        currency, coins = trade.commission_currency or instrument.currency, trade.in_kind
        if currency == instrument.coin:
            coins += trade.commission
        else:
            self._pay(currency, trade.commission)
        whole = self.holdings.setdefault(instrument.key, VenueHolding())
        for holding in (whole, self.parts.setdefault((instrument.key, product), VenueHolding())):
            holding.book(quantity, trade.price)
            if coins:
                holding.book(-coins, trade.price)

    def _pay(self, currency: str, amount: Decimal) -> None:
        self.cash[currency] = self.cash.get(currency, ZERO) - amount

    def held(self, instrument_key: str) -> Decimal:
        holding = self.holdings.get(instrument_key)
        return holding.quantity if holding else ZERO

    def held_under(self, instrument_key: str, product: Product | None) -> Decimal:
        part = self.parts.get((instrument_key, product))
        return part.quantity if part else ZERO


class VenueLedger:
    """The accounts of a venue."""

    def __init__(self, terms: Iterable[VenueAccount], catalogue: VenueCatalogue) -> None:
        self._terms, self._catalogue = tuple(terms), catalogue
        self._accounts: dict[str, LedgerAccount] = {}
        self.rebuild([])

    def account(self, account_id: str) -> LedgerAccount:
        """The account. Raises `VenueRefusal` if it was never opened here."""
        account = self._accounts.get(account_id)
        if account is None:
            raise VenueRefusal(
                RefusalCode.UNKNOWN_ACCOUNT, f"no account {account_id!r} here; the venue's settings list its accounts"
            )
        return account

    def book(self, order: VenueOrder, trade: Trade) -> None:
        instrument = self._catalogue.listed(order.placed.instrument).instrument
        self.account(order.placed.account).book(instrument, order.placed.side, trade, order.placed.product)

    def rebuild(self, orders: Iterable[VenueOrder]) -> None:
        """Compute all accounts from the effective trades. This is how corrections and busts reach positions and cash."""
        self._accounts = {terms.account_id: LedgerAccount.opened(terms) for terms in self._terms}
        for order, trade in _in_their_order(orders):
            self.book(order, trade)

    def as_of(self, account_id: str, orders: Iterable[VenueOrder], at: datetime) -> LedgerAccount:
        """The account with the trades up to a moment, those of them that are effective now."""
        account = LedgerAccount.opened(self.account(account_id).terms)
        for order, trade in _in_their_order(orders):
            if order.placed.account == account_id and trade.at <= at:
                instrument = self._catalogue.listed(order.placed.instrument).instrument
                account.book(instrument, order.placed.side, trade, order.placed.product)
        return account


def _in_their_order(orders: Iterable[VenueOrder]) -> Iterator[tuple[VenueOrder, Trade]]:
    """The effective trades, the first one first."""
    lines = [(trade.number, order, trade) for order in orders for trade in order.effective_trades()]
    for _, order, trade in sorted(lines, key=lambda line: line[0]):
        yield order, trade
