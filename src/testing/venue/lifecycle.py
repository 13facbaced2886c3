"""The life of an accepted order: it works, trades, changes and ends, and each step is reported."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from liveorder.domain.values import TimeInForce
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.testing.venue import matching
from liveorder.testing.venue.agenda import Agenda
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.ledger import VenueLedger
from liveorder.testing.venue.messages import report
from liveorder.testing.venue.orders import Due, OrderState, ReplacedTerms, Trade, VenueOrder
from liveorder.testing.venue.plans import Plans
from liveorder.testing.venue.quotes import Quotes
from liveorder.testing.venue.settings import VenueSettings
from liveorder.testing.venue.trading import VenueTrading


class Lifecycle:
    """Nothing here happens spontaneously: future acts are on the agenda, which the venue works through."""

    def __init__(
        self, book: Book, ledger: VenueLedger, catalogue: VenueCatalogue, quotes: Quotes, settings: VenueSettings, agenda: Agenda
    ) -> None:
        self._book, self._catalogue, self._quotes, self._settings = book, catalogue, quotes, settings
        self._trading = VenueTrading(book, ledger, catalogue, settings)
        self._agenda, self._plans = agenda, Plans(agenda, self._attend)
        self._watched: set[str] = set()
        self._acts = {
            Due.WORK: self._work,
            Due.FILL: self._fill,
            Due.REPLACE: self._replace,
            Due.CANCEL: self._cancel,
            Due.EXPIRE: self._expire,
        }

    def start(self, order: VenueOrder, now: datetime) -> None:
        """Accept the order."""
        self._book.add(order)
        self.report("accepted", order, now, quantity=order.quantity)
        self.plan(order, Due.WORK, now, self._settings.accept_delay_seconds)
        self._plan_expiry(order, now)

    def resume(self, order: VenueOrder, now: datetime) -> None:
        """Resume the order after a restart of the venue. Prices may have moved meanwhile."""
        self._plans.resume(order, now)
        self._agenda.put(now, partial(self.consider, order))
        self._watch(order.placed.instrument, now)

    def plan(self, order: VenueOrder, due: Due, now: datetime, delay_seconds: float) -> None:
        self._plans.put(order, due, now, delay_seconds)
        self._book.changed(order)

    def _plan_expiry(self, order: VenueOrder, now: datetime) -> None:
        if order.expires_at is not None:
            self._plans.put_at(order, Due.EXPIRE, max(order.expires_at, now))

    def _attend(self, order: VenueOrder, now: datetime) -> None:
        while (due := order.take_due(now)) is not None:
            self._acts[due](order, now)
            self._book.changed(order)

    # --- the market ---------------------------------------------------------------------------------------------------------

    def _watch(self, instrument_key: str, now: datetime) -> None:
        change = self._quotes.next_change(self._catalogue.listed(instrument_key), now)
        if change is not None and instrument_key not in self._watched:
            self._watched.add(instrument_key)
            self._agenda.put(change, partial(self._tick, instrument_key))

    def _tick(self, instrument_key: str, now: datetime) -> None:
        self._watched.discard(instrument_key)
        live = self._book.live(instrument_key)
        for order in live:
            self.consider(order, now)
        if live:
            self._watch(instrument_key, now)

    def consider(self, order: VenueOrder, now: datetime) -> None:
        """Check whether the order trades at the present price. If so, its next fill is scheduled."""
        if order.state is not OrderState.WORKING or Due.FILL in order.due:
            return
        price = self._price(order, now)
        if price is None:
            self._rest(order, now)
            return
        if matching.waits_for_stop(order):
            self._look_at_stop(order, price, now)
        if matching.waits_for_stop(order):
            return
        if not matching.can_trade(order, price):
            self._rest(order, now)
        elif self._settings.fills.automatic:
            self.plan(order, Due.FILL, now, self._settings.fills.delay_seconds)

    def _look_at_stop(self, order: VenueOrder, price: Decimal, now: datetime) -> None:
        if matching.follow(order, price, self._catalogue.listed(order.placed.instrument).instrument):
            self._book.changed(order)
        if matching.is_triggered(order, price):
            order.triggered = True
            self._book.changed(order)
            self.report("triggered", order, now)

    def _rest(self, order: VenueOrder, now: datetime) -> None:
        if order.placed.is_immediate:
            self.close(order, OrderState.EXPIRED, "EXPIRED", now, f"{order.placed.time_in_force}: nothing to trade with")
        elif not order.rested:
            order.rested = True
            self._book.changed(order)

    def _price(self, order: VenueOrder, now: datetime) -> Decimal | None:
        quote = self._quotes.at(self._catalogue.listed(order.placed.instrument), now)
        return quote.amount if quote else None

    # --- what was due -------------------------------------------------------------------------------------------------------

    def _work(self, order: VenueOrder, now: datetime) -> None:
        order.state = OrderState.WORKING
        self._watch(order.placed.instrument, now)
        self.consider(order, now)

    def _fill(self, order: VenueOrder, now: datetime) -> None:
        price = self._price(order, now)
        if price is None or not matching.can_trade(order, price):
            self._rest(order, now)
            return
        lot_size = self._catalogue.listed(order.placed.instrument).instrument.lot_size
        quantity = matching.next_fill(order, self._settings.fills, lot_size)
        if order.placed.time_in_force is TimeInForce.FOK and quantity < order.remaining:
            self.close(order, OrderState.EXPIRED, "EXPIRED", now, "FOK: cannot be filled whole")
            return
        self.fill(order, quantity, matching.trade_price(order, price), now)
        if order.state.is_live and order.placed.is_immediate:
            self.close(order, OrderState.EXPIRED, "EXPIRED", now, "IOC: the rest could not be filled at once")
        self.consider(order, now)

    def fill(self, order: VenueOrder, quantity: Decimal, price: Decimal, now: datetime) -> str:
        """Fill the order in any state: a closed order can be filled late. Returns the execution id."""
        trade = self._trading.fill(order, quantity, price, now)
        if order.placed.order_type.traits.takes_limit_from_fill and order.limit_price is None:
            order.limit_price, order.rested = price, True
        self.record(order, trade)
        return trade.execution_id

    def record(self, order: VenueOrder, trade: Trade) -> None:
        """Book a trade and update the order: to filled, or back into the market."""
        self._trading.book(order, trade)
        self._complete_or_reopen(order, trade.at)

    def _complete_or_reopen(self, order: VenueOrder, now: datetime) -> None:
        """An order is filled when nothing remains. It works again if something remains, from the next price change on."""
        if order.state.is_live and not order.remaining:
            self._refuse_what_was_pending(order, now)
            order.state = OrderState.FILLED
            self._plans.call_off(order)
        elif order.state is OrderState.FILLED and order.remaining:
            order.state = OrderState.WORKING
            self._plan_expiry(order, now)
            self._watch(order.placed.instrument, now)
        self._book.changed(order)

    def _refuse_what_was_pending(self, order: VenueOrder, now: datetime) -> None:
        if Due.CANCEL in order.due:
            self.report("cancel_rejected", order, now, reason="too late: filled")
        if Due.REPLACE in order.due:
            self.report("replace_rejected", order, now, reason="too late: filled")

    def _replace(self, order: VenueOrder, now: datetime) -> None:
        wanted, order.wanted = order.wanted or ReplacedTerms(), None
        order.replaced_after[len(order.replace_ids)] = len(order.trades)
        self.change(order, wanted, "replaced", now)

    def change(self, order: VenueOrder, terms: ReplacedTerms, kind: str, now: datetime, **more: Any) -> None:
        """Apply new terms. A quantity below the filled quantity becomes the filled quantity, and the order is done."""
        if terms.quantity is not None:
            order.quantity = max(terms.quantity, order.filled_quantity)
        order.limit_price = order.limit_price if terms.limit_price is None else terms.limit_price
        order.stop_price = order.stop_price if terms.stop_price is None else terms.stop_price
        order.rested = False
        quantity = None if terms.quantity is None else order.quantity
        changes = {"quantity": quantity, "limit_price": terms.limit_price, "stop_price": terms.stop_price}
        self.report(kind, order, now, **changes, **more)
        self._complete_or_reopen(order, now)
        self.consider(order, now)

    def _cancel(self, order: VenueOrder, now: datetime) -> None:
        self.close(order, OrderState.CANCELLED, "REQUESTED", now)

    def _expire(self, order: VenueOrder, now: datetime) -> None:
        self.close(order, OrderState.EXPIRED, "EXPIRED", now, f"{order.placed.time_in_force} ended")

    def close(self, order: VenueOrder, state: OrderState, cause: str, now: datetime, reason: str = "") -> None:
        order.state, order.cause, order.reason = state, cause, reason
        self._plans.call_off(order)
        self._book.changed(order)
        self.report("closed", order, now, cause=cause, reason=reason)

    def reject(self, order: VenueOrder, reason: str, now: datetime) -> None:
        """Accept and reject the order: it is kept as rejected."""
        order.state, order.reason = OrderState.REJECTED, reason
        self._book.add(order)
        self.report("rejected", order, now, reason=reason)

    def report(self, kind: str, order: VenueOrder, now: datetime, **fields: Any) -> None:
        self._book.queue(report(kind, order, now, **fields))
