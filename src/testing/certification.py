"""Compare what a real broker does with what its adapter declares, by questions and by tiny orders far from the market.

This is the safe part of the contract. Nothing it sends is meant to trade, and every order is cancelled at the end, also after a
failure.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from decimal import Decimal

from liveorder.application.ports.broker import SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.calendar import ALWAYS_OPEN, TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import InvalidInput
from liveorder.domain.execution_report import Execution, ExecutionCorrected
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass, OrderType, Side, TradingMode
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.testing.account_money import figures_reported
from liveorder.testing.finding import Finding, answered
from liveorder.testing.resting import resting_buy
from liveorder.testing.trial_orders import TrialOrders
from liveorder.testing.trials import TinyOrder, Trials

_OF_ONE_UNIT = (AssetClass.EQUITY, AssetClass.CRYPTO, AssetClass.FOREX)
_WITH_HOURS = (AssetClass.EQUITY, AssetClass.OPTION)


class Certification:
    """Certifies one account's broker. `mode` is what the settings say about its money. `findings` yields results as they are
    made.
    """

    def __init__(self, brokerage: Brokerage, account_id: str, mode: TradingMode, clock: Clock) -> None:
        self._brokerage, self._broker = brokerage, brokerage.broker
        self._account_id, self._mode, self._clock = account_id, mode, clock
        self._calendars: TradingCalendar = ExchangeCalendars()
        self._quote = Quote()
        """The valid prices of the last quote."""

    async def findings(self, query: InstrumentQuery, order: TinyOrder | None) -> AsyncGenerator[Finding, None]:
        """Findings about an instrument and the account. Without an order, nothing is sent.

        Raises `BrokerError` if it cannot connect. Raises `InvalidInput` for an invalid instrument or order, before anything is
        sent.
        """
        account = await self._broker.connect()
        yield Finding("account", self._account_id, f"{account.account_id}, {account.currency}")
        yield Finding("paper or live", self._mode.value, account.mode.value, account.mode is self._mode)
        for finding in await figures_reported(self._broker, self._clock):
            yield finding
        yield await answered("open orders", self._open_orders())
        yield await answered("executions of a day", self._executions())
        yield await answered("positions", self._positions())
        instrument = await self._resolved(query)
        yield await answered("prices", self._prices(instrument))
        yield await answered("instrument", self._grid(instrument))
        if order is None:
            return
        is_live = account.mode is TradingMode.LIVE
        if is_live and not order.may_be_live:
            remedy = "use the credentials of a paper account, or set it to LIVE and confirm"
            raise InvalidInput("TRADING_MODE", f"{self._account_id} is LIVE", remedy)
        orders, market = TrialOrders(self._broker, self._account_id, self._clock), self._market(instrument)
        first = self._request(instrument, market, order, orders.new_key())
        yield Finding("order", "", f"buy {first.quantity:f} {instrument.key} at {first.limit_price:f}")
        try:
            async for finding in Trials(self._broker, orders, self._clock, order, first, market, is_live=is_live).findings():
                yield finding
        finally:
            left = await orders.cancel_all()
        yield Finding("left at the end", "nothing", ", ".join(left) or "nothing", not left)

    @property
    def _declared(self) -> BrokerCapabilities:
        return self._broker.capabilities

    # --- the account -----------------------------------------------------------------------------------------------------------

    async def _open_orders(self) -> Finding:
        orders = await self._broker.open_orders()
        complete = "complete" if self._declared.open_orders_are_complete else "perhaps not complete"
        return Finding("open orders", complete, f"{len(orders)} listed")

    async def _executions(self) -> Finding:
        """Each execution needs a time within the day that was asked for."""
        since = self._clock.now() - timedelta(days=1)
        reports = await self._broker.executions_since(since)
        fills = [each for each in reports if isinstance(each, Execution | ExecutionCorrected)]
        without = [each for each in fills if not self._has_been(each.occurred_at, since)]
        measured = f"{len(fills)} reported" + (f", {len(without)} without a time of that day" if without else "")
        return Finding("executions of a day", "each with its time", measured, not without if fills else None)

    async def _positions(self) -> Finding:
        return Finding("positions", "", f"{len(await self._broker.positions())} reported")

    # --- the instrument --------------------------------------------------------------------------------------------------------

    async def _resolved(self, query: InstrumentQuery) -> Instrument:
        instrument = await self._brokerage.instruments.resolve(query)
        if instrument is None:
            raise InvalidInput("symbol", f"{query.symbol} is unknown, or several fit", "name its exchange too")
        return instrument

    async def _prices(self, instrument: Instrument) -> Finding:
        """Each known price has a time in the past, and the bid is not above the ask."""
        quote = await self._brokerage.market_data.latest(instrument)
        bid, ask, last = (quote.bid, quote.ask, quote.last) if quote is not None else (None, None, None)
        self._quote = Quote(*(each if each is not None and self._has_been(each.at) else None for each in (bid, ask, last)))
        named = {"bid": bid, "ask": ask, "last": last}
        wrong = [f"the {name}'s time is {each.at}" for name, each in named.items() if each and not self._has_been(each.at)]
        if bid is not None and ask is not None and bid.amount > ask.amount:
            wrong.append("the bid is above the ask")
        measured = ", ".join(f"no {name}" if each is None else f"{name} {self._with_age(each)}" for name, each in named.items())
        return Finding("prices", "each with its time", "; ".join([measured, *wrong]), not wrong if quote is not None else None)

    def _with_age(self, price: Price) -> str:
        age = f" of {price.age_seconds(self._clock.now()):.0f} s ago" if self._has_been(price.at) else ""
        return f"{price.amount:f}{age}"

    def _has_been(self, at: datetime | None, since: datetime | None = None) -> bool:
        """Whether this is a time between `since` and now, within the clocks' tolerance."""
        if at is None or at.tzinfo is None:
            return False
        skew = timedelta(seconds=self._declared.clock_skew_seconds)
        return (since is None or at >= since - skew) and at <= self._clock.now() + skew

    async def _grid(self, instrument: Instrument) -> Finding:
        """The instrument's increments, multiplier and hours, and anything wrong with them."""
        ticks = [
            f"tick {instrument.tick_size:f}",
            *(f"{rule.tick_size:f} from {rule.from_price:f}" for rule in instrument.tick_rules),
        ]
        measured = f"{', '.join(ticks)}; lot {instrument.lot_size:f}; multiplier {instrument.multiplier:f}; {instrument.calendar}"
        wrong = [*_oddities(instrument), *self._off_the_grid(instrument), *self._unknown_hours(instrument)]
        again = await self._brokerage.instruments.resolve(_named(instrument))
        if again != instrument:
            wrong.append("resolved by its own name it is " + ("unknown" if again is None else f"another: {again}"))
        return Finding("instrument", "one grid, known hours", "; ".join([measured, *wrong]), not wrong)

    def _off_the_grid(self, instrument: Instrument) -> list[str]:
        """Only offers have to be on the grid; trades may be between two ticks."""
        offers = {"bid": self._quote.bid, "ask": self._quote.ask}
        return [
            f"the {name} is between two ticks"
            for name, each in offers.items()
            if each and each.amount % instrument.tick_at(each.amount)
        ]

    def _unknown_hours(self, instrument: Instrument) -> list[str]:
        try:
            self._calendars.is_open(instrument.calendar, self._clock.now())
        except InvalidInput as error:
            return [str(error)]
        return []

    def _market(self, instrument: Instrument) -> Decimal:
        """The price that a buy would meet."""
        price = self._quote.met_by(Side.BUY, self._clock.now(), math.inf)
        if price is None:
            raise InvalidInput("symbol", f"there is no price of {instrument.key}", "name another, or try in market hours")
        return price.amount

    def _request(self, instrument: Instrument, market: Decimal, order: TinyOrder, key: str) -> SubmitRequest:
        limit = resting_buy(OrderType.LIMIT, instrument, market, order.away)["limit_price"]
        assert limit is not None
        value = instrument.value_of(instrument.lot_size, limit)
        if value > order.max_value:
            raise InvalidInput(
                "max_value", f"one lot of {instrument.key} is worth {value:f}", "name a cheaper symbol, or allow more"
            )
        return SubmitRequest(
            client_order_id=key,
            account_id=self._account_id,
            instrument=instrument,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=self._declared.usual_time_in_force(instrument.asset_class, OrderType.LIMIT),
            quantity=_least(instrument, limit, order.max_value),
            limit_price=limit,
            product=order.product,
        )


def _oddities(instrument: Instrument) -> list[str]:
    """Contradictions in the instrument's own fields."""
    odd, tick, begins = [], instrument.tick_size, Decimal(0)
    for rule in instrument.tick_rules:
        if rule.from_price <= begins or rule.from_price % tick:
            odd.append(f"ticks of {rule.tick_size:f} do not begin at {rule.from_price:f}")
        tick, begins = rule.tick_size, rule.from_price
    if instrument.asset_class in _OF_ONE_UNIT and instrument.contract_multiplier != 1:
        odd.append(f"one unit of {instrument.asset_class} counts as {instrument.contract_multiplier:f}")
    if instrument.asset_class in _WITH_HOURS and instrument.calendar == ALWAYS_OPEN:
        odd.append("it is never closed")
    return odd


def _named(instrument: Instrument) -> InstrumentQuery:
    return InstrumentQuery(
        instrument.symbol,
        instrument.exchange,
        instrument.asset_class,
        instrument.currency,
        instrument.expiry,
        instrument.strike,
        instrument.right,
    )


def _least(instrument: Instrument, limit: Decimal, max_value: Decimal) -> Decimal:
    """One unit if `max_value` allows it, else one lot. Brokers that trade fractions refuse orders of negligible value."""
    unit = max(Decimal(1), instrument.lot_size)
    return unit if instrument.value_of(unit, limit) <= max_value else instrument.lot_size
