"""The exchange: accepts and matches orders and keeps accounts. It knows nothing about its callers, and its time is set from
outside.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.quotes import Price
from liveorder.domain.values import TimeInForce
from liveorder.infrastructure.brokers.simulated.catalogue import VenueCatalogue
from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.admission import Admission
from liveorder.testing.venue.agenda import Agenda
from liveorder.testing.venue.book import Book
from liveorder.testing.venue.chance import Chance
from liveorder.testing.venue.hours import DayEnds
from liveorder.testing.venue.interventions import Interventions
from liveorder.testing.venue.journal import Journal
from liveorder.testing.venue.ledger import VenueLedger
from liveorder.testing.venue.lifecycle import Lifecycle
from liveorder.testing.venue.orders import Due, NewOrder, ReplacedTerms, VenueOrder
from liveorder.testing.venue.questions import VenueQuestions
from liveorder.testing.venue.quotes import PostedPrices, Quotes
from liveorder.testing.venue.settings import VenueSettings


class Venue:
    """Synchronous, without threads. Requests raise `VenueRefusal`; their changes are in the journal when they return.

    The same settings, requests and times give the same orders, ids, trades and reports.
    """

    def __init__(self, settings: VenueSettings, catalogue: VenueCatalogue, quotes: Quotes, journal: Journal, now: datetime) -> None:
        self._settings, self._catalogue, self._journal = settings, catalogue, journal
        self._chance, self._agenda, self._day_ends = Chance(settings.seed), Agenda(), DayEnds()
        self._quotes = PostedPrices(quotes)
        self._book = Book(journal)
        self._now = self._book.latest_moment(now)
        self._ledger = VenueLedger(settings.accounts, catalogue)
        self._lifecycle = Lifecycle(self._book, self._ledger, catalogue, self._quotes, settings, self._agenda)
        self._admission = Admission(self._book, self._ledger, catalogue, self._quotes, settings)
        self.staff = Interventions(self._book, self._ledger, self._lifecycle)
        self.questions = VenueQuestions(
            self._book, self._ledger, catalogue, self._quotes, settings.keys, self._admission, settings.positions_lag_seconds
        )
        self._resume()

    def _resume(self) -> None:
        for name, text in self._journal.notes().items():
            if name.startswith("price:"):
                price, moment = text.split("@")
                self._quotes.post(name.removeprefix("price:"), Price(Decimal(price), datetime.fromisoformat(moment)))
        self._ledger.rebuild(self._book.orders.values())
        for order in self._book.orders.values():
            if order.state.is_live:
                self._lifecycle.resume(order, self._now)

    # --- time ---------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self._now

    def next_due(self) -> datetime | None:
        """When the next event is due without further requests."""
        return self._agenda.next_at()

    def advance(self, now: datetime) -> None:
        """Run everything that is due by `now`, in order. A `now` earlier than the last changes nothing."""
        while (at := self._agenda.next_at()) is not None and at <= now:
            self._now = max(self._now, at)
            self._agenda.run_one()
        self._now = max(self._now, now)
        self._book.commit()

    def take_reports(self) -> list[Message]:
        """The reports since the last call, oldest first; all of them are in the journal."""
        self._book.commit()
        return self._book.take_reports()

    def post_price(self, instrument_key: str, price: Decimal) -> None:
        """Set the instrument's price, regardless of the price source, until another is posted."""
        self._catalogue.listed(instrument_key)
        self._quotes.post(instrument_key, Price(price, self._now))
        self._journal.write_note(f"price:{instrument_key}", f"{price}@{self._now.isoformat()}")
        for order in self._book.live(instrument_key):
            self._lifecycle.consider(order, self._now)
        self.advance(self._now)

    def close(self) -> None:
        self._journal.close()

    # --- requests -----------------------------------------------------------------------------------------------------------

    def submit(self, placed: NewOrder) -> VenueOrder:
        """Submit an order, which may be filled, rejected or expired when this returns. A refused order leaves no trace."""
        self._refuse_known_key(placed)
        quantity = self._admission.admit(placed, self._now)
        order = VenueOrder(
            self._book.next_order_id(), placed, self._now, quantity, placed.limit_price, placed.stop_price, self._end_of(placed)
        )
        if self._chance.strikes(self._settings.rejection_probability, "rejection", order.order_id):
            self._lifecycle.reject(order, "rejected by the exchange at random", self._now)
        else:
            self._lifecycle.start(order, self._now)
        self.advance(self._now)
        return order

    def _refuse_known_key(self, placed: NewOrder) -> None:
        keys = self._settings.keys
        if keys.support is not KeySupport.UNIQUE or placed.client_order_id is None:
            return
        forgotten = self._now - timedelta(seconds=keys.memory_seconds)
        for order in self._book.by_key(placed.client_order_id):
            if order.placed.account == placed.account and order.accepted_at > forgotten:
                raise VenueRefusal(RefusalCode.DUPLICATE, f"client_order_id {placed.client_order_id} is taken by {order.order_id}")

    def _end_of(self, placed: NewOrder) -> datetime | None:
        if placed.time_in_force is TimeInForce.DAY:
            return self._day_ends.after(self._catalogue.listed(placed.instrument).instrument.calendar, self._now, placed.hours)
        return placed.expires_at

    def cancel(self, account: str, client_order_id: str | None, broker_order_id: str | None) -> VenueOrder:
        """Cancel an order. A second cancel changes nothing. A late one is refused with the order's state."""
        order = self._live_order(account, client_order_id, broker_order_id)
        if Due.CANCEL not in order.due:
            delay = self._settings.cancel_delay_seconds
            self._lifecycle.plan(order, Due.CANCEL, self._now, delay)
            if delay:
                self._lifecycle.report("cancel_pending", order, self._now)
        self.advance(self._now)
        return order

    def replace(self, account: str, client_order_id: str | None, broker_order_id: str | None, terms: ReplacedTerms) -> VenueOrder:
        """Replace an order. A known `replace_id` changes nothing. While one replace is pending, another is refused."""
        order = self._named(account, client_order_id, broker_order_id)
        if terms.replace_id is not None and terms.replace_id in order.replace_ids:
            return order
        self._live_order(account, client_order_id, broker_order_id)
        if Due.REPLACE in order.due:
            raise VenueRefusal(RefusalCode.INVALID_ORDER, "another replace is pending; wait for it")
        self._admission.admit_change(order, terms)
        self._begin_replace(order, terms)
        self.advance(self._now)
        return order

    def _begin_replace(self, order: VenueOrder, terms: ReplacedTerms) -> None:
        order.wanted = terms
        if terms.replace_id is not None:
            order.replace_ids.append(terms.replace_id)
        self._lifecycle.plan(order, Due.REPLACE, self._now, self._settings.replace_delay_seconds)
        if self._settings.replace_delay_seconds:
            self._lifecycle.report("replace_pending", order, self._now)

    def _named(self, account: str, client_order_id: str | None, broker_order_id: str | None) -> VenueOrder:
        self._ledger.account(account)
        order = self._book.named(account, client_order_id, broker_order_id)
        if order is None:
            raise VenueRefusal(RefusalCode.UNKNOWN_ORDER, f"no order {broker_order_id or client_order_id} of account {account}")
        return order

    def _live_order(self, account: str, client_order_id: str | None, broker_order_id: str | None) -> VenueOrder:
        order = self._named(account, client_order_id, broker_order_id)
        if not order.state.is_live:
            raise VenueRefusal(RefusalCode.TOO_LATE, f"order {order.order_id} is {order.state}")
        return order
