"""Fees that a broker keeps out of what was bought: it tells them by nothing but what it holds.

1. A difference to the broker's position is such a fee only where it holds less than we do, by no more than may be due on what was
   bought lately (`FeesDue`). Everything else stays a difference, and blocks.
2. It is booked only by a figure that was asked for when all our fills were in it: later than the last by as long as the broker's
   answers may lag, with nothing in doubt, and with no fill reported since. Until then it is no difference, and is looked at again.
3. It is booked once: our position then is the broker's, so that there is nothing more to book at the next look.
4. Until then an order sells no more than the broker has.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.position_register import PositionRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.reporting.views.fields import plain
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.domain.errors import LeaseLost, StoreError
from liveorder.domain.evidence import shows_the_last_fill
from liveorder.domain.fees_in_kind import FeesDue, Stock
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted, PositionEvent, position_stream
from liveorder.domain.values import EXACT, ZERO, Side

SOON_SECONDS = 1.0
"""After a fill, beyond the lag of the broker's answers, its positions are asked for."""
LOOK_BACK = timedelta(minutes=10)
"""What is asked for once more before a fee is booked while orders are open: everything older was asked for just before."""


class FeesInKind:
    """Tells a fee from a difference, books it, and sizes what is sold before that."""

    def __init__(
        self,
        positions: PositionRegister,
        figures: PositionFigures,
        orders: OrderRegister,
        track: ApplyReports,
        risk: RiskBook,
        calendar: TradingCalendar,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._positions, self._figures, self._orders, self._track = positions, figures, orders, track
        self._risk, self._calendar, self._clock, self._log = risk, calendar, clock, log
        self._wakes: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._looking: set[str] = set()
        """Accounts whose broker is about to be asked, or is being asked, what it holds after a fill."""
        self._moved_at: dict[tuple[str, str], float] = {}
        """By account and instrument: when something was filled."""
        self._began_at = clock.monotonic()

    def note_fill(self, order: LiveOrder) -> None:
        """What was filled of the order changed, durably."""
        account_id, key = order.intent.account_id, order.intent.instrument.key
        self._moved_at[account_id, key] = self._clock.monotonic()
        if self._due(account_id, key) is not None:
            self._wakes[account_id].set()

    async def wait_for_fills(self, gateway: Gateway) -> None:
        """Until something was bought or sold of which a fee may be due, and the broker's answers show it."""
        wake = self._wakes[gateway.account_id]
        await wake.wait()
        self._looking.add(gateway.account_id)
        wake.clear()
        await self._clock.sleep(gateway.broker.capabilities.lookup_lag_seconds + SOON_SECONDS)

    def looked(self, account_id: str) -> None:
        """After `wait_for_fills`: what could be settled is."""
        self._looking.discard(account_id)

    @property
    def is_settling(self) -> bool:
        """Whether something was filled, or must be looked at again, of which a fee may be due."""
        return bool(self._looking) or any(wake.is_set() for wake in self._wakes.values())

    # --- a fee, or a difference ------------------------------------------------------------------------------------------------

    def explain(self, account_id: str, key: str, theirs: Decimal) -> bool:
        """Whether what the broker lacks is no more than the fee that may be due."""
        due = self._due(account_id, key)
        return due is not None and due.explains(self._missing(account_id, key, theirs), self._session(due))

    def largest(self, account_id: str, key: str) -> Decimal:
        """Units that the broker may still keep."""
        due = self._due(account_id, key)
        return ZERO if due is None else due.left(self._session(due))

    def _due(self, account_id: str, key: str) -> FeesDue | None:
        return self._risk.fees_due(account_id, key)

    def _session(self, due: FeesDue) -> date:
        return self._calendar.session_for(due.instrument, self._clock.now())

    def _missing(self, account_id: str, key: str, theirs: Decimal) -> Decimal:
        return EXACT.subtract(self._quantity(account_id, key), theirs)

    def _quantity(self, account_id: str, key: str) -> Decimal:
        position = self._risk.position(account_id, key)
        return ZERO if position is None else position.quantity

    # --- booking ---------------------------------------------------------------------------------------------------------------

    async def settle(self, gateway: Gateway, key: str, theirs: Decimal, asked_at: float) -> None:
        """Book what the broker lacks, if it is a fee by now. `asked_at`: when it was asked for what it holds."""
        due = self._due(gateway.account_id, key)
        if due is None or not await self._shows_every_fill(gateway, key, asked_at):
            return
        try:
            cause = Cause(correlation_id=str(position_stream(gateway.account_id, key)))
            await self._positions.record(gateway.account_id, key, lambda: self._taken(gateway, due, theirs), cause)
        except LeaseLost:
            raise
        except StoreError as error:
            text = f"A fee could not be booked, and is looked for again: {error}"
            self._log.write("WARNING", text, account_id=gateway.account_id)
            self._wakes[gateway.account_id].set()

    async def _shows_every_fill(self, gateway: Gateway, key: str, asked_at: float) -> bool:
        """Whether the figure is of after our last fill, and no fill that we do not know can be in it."""
        open_orders = [order for order in self._orders.unfinished(gateway.account_id) if order.intent.instrument.key == key]
        if any(order.is_in_doubt for order in open_orders):
            return False
        can, place = gateway.broker.capabilities, (gateway.account_id, key)
        is_whole = shows_the_last_fill(asked_at, self._moved_at.get(place, self._began_at), can)
        if is_whole and open_orders:
            is_whole = await self._track.catch_up(gateway, self._clock.now() - LOOK_BACK)
            is_whole = is_whole and shows_the_last_fill(asked_at, self._moved_at.get(place, self._began_at), can)
        if not is_whole:
            self._wakes[gateway.account_id].set()
        return is_whole

    def _taken(self, gateway: Gateway, due: FeesDue, theirs: Decimal) -> Sequence[PositionEvent]:
        """An event for each strategy's part; none where the difference is no fee any more."""
        account_id, key, now = gateway.account_id, due.instrument.key, self._clock.now()
        if not self.explain(account_id, key, theirs):
            return ()
        missing, session = self._missing(account_id, key, theirs), self._session(due)
        ours, most = plain(self._quantity(account_id, key)), plain(due.left(session))
        evidence = f"{gateway.broker.name} holds {plain(theirs):f} of {ours:f}, and may keep up to {most:f} as its fee"
        return [
            PositionAdjusted(
                account_id=account_id,
                strategy_name=share.strategy_name,
                instrument=due.instrument,
                reason=AdjustmentReason.FEE_IN_KIND,
                quantity=-plain(share.units),
                price=plain(share.price),
                effective_at=now,
                evidence=evidence,
            )
            for share in due.shares(missing, session)
        ]

    # --- what is sold meanwhile ------------------------------------------------------------------------------------------------

    async def sellable(self, gateway: Gateway, intent: OrderRequested) -> OrderRequested:
        """The order, or one for what the broker has where that is less by its fees alone: what was bought can be sold, whole."""
        account_id, key, wanted = gateway.account_id, intent.instrument.key, intent.terms.quantity
        if intent.terms.side is Side.BUY or wanted is None or self._due(account_id, key) is None:
            return intent
        stock = self._stock(intent)
        if stock.covers(wanted):
            return intent
        theirs = None
        if stock.largest_fee:
            await self._figures.confirm(gateway, intent.instrument)
            theirs = self._figures.latest(account_id, key)
        stock = self._stock(intent)
        of_own = None if theirs is None else EXACT.subtract(stock.held, self._own_part(intent, theirs))
        quantity = plain(stock.sellable(wanted, intent.instrument, of_own))
        if quantity == wanted:
            return intent
        text = f"SELL {wanted:f} {intent.instrument.symbol} becomes {quantity:f}: the rest was kept as the fee"
        self._log.write("RISK", text, account_id=account_id, signal_id=intent.signal_id)
        return intent.with_terms(quantity=quantity)

    def _stock(self, intent: OrderRequested) -> Stock:
        """What its strategy has, or the account where positions are that."""
        account_id, instrument, due = intent.account_id, intent.instrument, self._due(intent.account_id, intent.instrument.key)
        position = self._risk.position_of(account_id, intent.strategy_name, instrument)
        held, paid_in_kind = (ZERO, ZERO) if position is None else (position.quantity, position.paid_in_kind)
        selling = self._risk.standing(account_id, intent.strategy_name, instrument).own.sells
        largest = ZERO if due is None else due.left(self._session(due), self._risk.whose(intent.strategy_name))
        return Stock(held, selling, paid_in_kind, largest)

    def _own_part(self, intent: OrderRequested, theirs: Decimal) -> Decimal:
        """Units of what the broker lacks of the account's that may be the strategy's."""
        account_id, key = intent.account_id, intent.instrument.key
        missing, due = self._missing(account_id, key, theirs), self._due(account_id, key)
        whose = self._risk.whose(intent.strategy_name)
        return missing if due is None or whose is None else due.share_of(whose, missing, self._session(due))
