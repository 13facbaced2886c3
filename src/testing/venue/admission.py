"""The venue's checks before it accepts an order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from liveorder.domain.values import ZERO, Side, TimeInForce, total
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue, VenueListing
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.free_cash import FreeCash
from liveorder.testing.venue.ledger import LedgerAccount, VenueLedger
from liveorder.testing.venue.matching import in_lots
from liveorder.testing.venue.orders import NewOrder, ReplacedTerms, VenueOrder
from liveorder.testing.venue.quotes import Quotes
from liveorder.testing.venue.settings import VenueSettings


class Admission:
    """Every method returns normally or raises `VenueRefusal`."""

    def __init__(self, book: Book, ledger: VenueLedger, catalogue: VenueCatalogue, quotes: Quotes, settings: VenueSettings) -> None:
        self._book, self._ledger, self._catalogue, self._quotes, self._settings = book, ledger, catalogue, quotes, settings
        self.free_cash = FreeCash(book, catalogue, quotes)

    def admit(self, placed: NewOrder, now: datetime) -> Decimal:
        """Check the order and return its quantity. For a cash order: what its money buys at the limit or the last price, in
        lots.
        """
        account = self._ledger.account(placed.account)
        listing = self._catalogue.listed(placed.instrument)
        _check_terms(placed, now)
        _check_grid(listing, placed.quantity, placed.limit_price, placed.stop_price)
        price = self._price(placed, listing, now)
        quantity = placed.quantity or _bought(placed, listing, price)
        if placed.side is Side.BUY and account.terms.is_limited and price is not None:
            self._check_cash(account, listing, quantity, price, now)
        if placed.side is Side.SELL and not account.terms.allows_short:
            self._check_held(account, placed, quantity)
        if not account.terms.crosses_zero:
            _check_zero(account.held_under(placed.instrument, placed.product), placed.side, quantity)
        return quantity

    def admit_change(self, order: VenueOrder, terms: ReplacedTerms) -> None:
        listing = self._catalogue.listed(order.placed.instrument)
        _check_grid(listing, terms.quantity, terms.limit_price, terms.stop_price)
        if terms.limit_price is not None and not order.placed.order_type.traits.needs_limit_price:
            _refuse(f"a {order.placed.order_type} order has no limit_price to change; leave it out")
        if terms.stop_price is not None and not order.placed.order_type.traits.needs_stop_price:
            _refuse(f"a {order.placed.order_type} order has no stop_price to change; leave it out")

    def _price(self, placed: NewOrder, listing: VenueListing, now: datetime) -> Decimal | None:
        """The limit, else the stop, else the last price."""
        for price in (placed.limit_price, placed.stop_price):
            if price is not None:
                return price
        quote = self._quotes.at(listing, now)
        return quote.amount if quote else None

    def _check_cash(self, account: LedgerAccount, listing: VenueListing, quantity: Decimal, price: Decimal, now: datetime) -> None:
        """Check the cost of what the buy adds to the position against the cash that open buys have not reserved."""
        adds = self.free_cash.adds(account, listing.instrument.key, quantity)
        if not adds or listing.instrument.currency != account.terms.currency:
            return
        cost, charged = listing.instrument.value_of(adds, price), self._settings.commission
        if charged.currency in (None, account.terms.currency):
            cost += charged.of(listing.instrument, adds, price, is_first=True)
        free = self.free_cash.of(account, now)
        if cost > free:
            raise VenueRefusal(RefusalCode.INSUFFICIENT_BALANCE, f"costs {cost} {account.terms.currency}, {free} is free")

    def _check_held(self, account: LedgerAccount, placed: NewOrder, quantity: Decimal) -> None:
        selling = total(
            order.remaining
            for order in self._book.live_of(placed.account)
            if order.placed.side is Side.SELL and order.placed.instrument == placed.instrument
        )
        held = account.held(placed.instrument)
        if quantity > held - selling:
            message = f"sells {quantity} of {held} held, {selling} being sold already"
            raise VenueRefusal(RefusalCode.INSUFFICIENT_BALANCE, message)


def _check_zero(held: Decimal, side: Side, quantity: Decimal) -> None:
    if side.signed(held) < 0 and quantity > abs(held):
        raise VenueRefusal(RefusalCode.INSUFFICIENT_BALANCE, f"{quantity} is more than the {abs(held)} held: close it first")


def _refuse(message: str) -> None:
    raise VenueRefusal(RefusalCode.INVALID_ORDER, message)


def _check_terms(placed: NewOrder, now: datetime) -> None:
    kind, traits = placed.order_type, placed.order_type.traits
    if (placed.quantity is None) == (placed.notional is None):
        _refuse("an order is for a quantity or for a notional; give exactly one")
    if traits.needs_limit_price != (placed.limit_price is not None):
        _refuse(f"limit_price: a {kind} order {'needs one' if traits.needs_limit_price else 'has none'}")
    if traits.needs_stop_price != (placed.stop_price is not None):
        _refuse(f"stop_price: a {kind} order {'needs one' if traits.needs_stop_price else 'has none'}")
    is_trail_given = [placed.trail_amount, placed.trail_percent].count(None) == 1
    if traits.trails != is_trail_given or None not in (placed.trail_amount, placed.trail_percent):
        _refuse("trail_amount or trail_percent, one of them, belongs to an order that trails and to no other")
    if traits.needs_limit_offset != (placed.limit_offset is not None):
        _refuse("limit_offset belongs to a TRAILING_STOP_LIMIT order and to no other")
    if placed.is_immediate and not traits.may_be_immediate:
        _refuse(f"a {kind} order cannot be {placed.time_in_force}; use DAY, GTC or GTD")
    if placed.time_in_force.is_for_an_auction:
        _refuse(f"time_in_force: there are no auctions here for {placed.time_in_force}; use DAY")
    if (placed.time_in_force is TimeInForce.GTD) != (placed.expires_at is not None):
        _refuse("expires_at belongs to a GTD order and to no other")
    if placed.expires_at is not None and placed.expires_at <= now:
        _refuse(f"expires_at: {placed.expires_at.isoformat()} has passed")


def _check_grid(listing: VenueListing, quantity: Decimal | None, *prices: Decimal | None) -> None:
    instrument = listing.instrument
    if quantity is not None and quantity % instrument.lot_size:
        _refuse(f"quantity: {quantity} is not in lots of {instrument.lot_size}")
    for price in prices:
        if price is not None and price % instrument.tick_at(price):
            _refuse(f"price: {price} is not in ticks of {instrument.tick_at(price)}")


def _bought(placed: NewOrder, listing: VenueListing, price: Decimal | None) -> Decimal:
    if price is None or price <= 0:
        raise VenueRefusal(RefusalCode.INVALID_ORDER, "notional: there is no price to turn it into a quantity; give a quantity")
    quantity = in_lots((placed.notional or ZERO) / (price * listing.instrument.multiplier), listing.instrument.lot_size)
    if quantity == 0:
        _refuse(f"notional: {placed.notional} buys less than one lot of {listing.instrument.lot_size} at {price}")
    return quantity
