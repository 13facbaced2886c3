"""From a signal to an intent: how much of the instrument, at prices on its grid, for how long and in which hours.

Quantities round toward zero to the lot, prices passively to the tick. What has to be asked for (the instrument, its price, what
is held, the account's equity) is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from liveorder.domain.amount import Basis
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.position_effect import amount_of
from liveorder.domain.quotes import Price, Priced
from liveorder.domain.risk import OpenExposure, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal, SignalHours, UnusableSignal
from liveorder.domain.standing import Standing
from liveorder.domain.values import EXACT, OrderRole, Product, Side, TimeInForce, TradingHours, TradingMode


class Origin(Struct, frozen=True):
    """Where an intent comes from, and to which account it goes, beside its signal."""

    order_id: UUID
    client_order_id: str
    namespace: str
    session_id: str
    account_id: str
    broker: str
    published_at: datetime | None = None
    is_shadow: bool = False


class SizingTerms(Struct, frozen=True):
    """What the account and its broker have for what a signal leaves open."""

    can: BrokerCapabilities
    limits: RiskLimits
    """Of orders in the instrument's currency."""
    product: Product | None = None
    day_limit_seconds: float | None = None
    """How long a limit order for the day may stand."""
    may_cancel: bool = True
    """Whether orders that are in the way can be cancelled first."""
    has_waited: bool = False
    """Whether it is sized again, after it has waited."""
    is_second_leg: bool = False
    """Whether it opens what a reversal is to open, after its closing leg."""
    is_long_only: bool = True
    """See `AccountConfig.is_long_only`."""


class SizedIntent(Struct, frozen=True):
    """The intent, the price that it was sized by, and why it cannot be sent if sizing found a reason.

    `problem`: something is wrong with the signal. `refusal`: something is in its way now.
    """

    intent: OrderRequested
    priced: Priced
    standing: Standing
    """What its strategy had."""
    of_product: Standing
    """What of that it was sized by: see `Amount`."""
    problem: InvalidInput | None = None
    refusal: RiskRefusal | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    """By which it was sized, for people."""
    in_the_way: tuple[OpenExposure, ...] = ()
    """Orders of its strategy that are to be cancelled before it can be sent."""
    in_doubt: tuple[OpenExposure, ...] = ()
    """Orders of its strategy of which has to be known what became of them before it can be sized."""
    outcomes: tuple[OrderRequested, ...] = ()
    """What it may become once that is known: see `Amount`."""
    both_legs: Decimal | None = None
    """See `Amount`."""
    guards_held: bool = False
    """See `Amount`: it waits for no entry."""
    awaits_entries: bool = False
    """See `Amount`: it waits for entries, and has none cancelled."""
    superseded: tuple[OpenExposure, ...] = ()
    """See `Amount`: they are to be cancelled first."""

    @property
    def is_first_leg(self) -> bool:
        """It closes, and once it is wholly filled another order opens the other side."""
        return self.both_legs is not None

    @property
    def opens(self) -> Decimal | None:
        """Of a first leg: units that the other order is to open, as far as is known before there is a price for it."""
        closes = self.intent.terms.quantity
        return None if self.both_legs is None or closes is None else EXACT.subtract(self.both_legs, closes)

    @property
    def once_entered(self) -> OrderRequested | None:
        """Of an exit without an amount yet: as it would be once all of its entries are filled; None while that is not known."""
        terms, own = self.intent.terms, self.of_product.own
        most = EXACT.add(abs(own.quantity), own.taken_by(terms.side.opposite))
        return self.intent.with_terms(quantity=terms.quantity or most, notional=None) if terms.quantity or most else None


_OF_CONTRACT = ("exchange", "asset_class", "currency", "expiry", "strike", "right", "trading_class", "multiplier", "con_id")


def contract_named_by(signal: Signal) -> str:
    """For people: everything by which its instrument is looked for."""
    said = [f"{name} {value}" for name in _OF_CONTRACT if (value := getattr(signal, name)) is not None]
    return signal.symbol + (f" ({', '.join(said)})" if said else "")


_PAIR = re.compile(r"(?P<coin>[A-Z0-9]{2,6})[-_]?(?P<money>USDT|USDC|USD|EUR|GBP|INR|JPY|BTC|ETH)")
_WITH_EXCHANGE = re.compile(r"(?P<exchange>[A-Za-z]{2,10}):(?P<symbol>[^:]+)")


def spelling_of(signal: Signal) -> str:
    """How an unknown symbol is perhaps to be written, for people."""
    if named := _WITH_EXCHANGE.fullmatch(signal.symbol):
        return f"write symbol {named['symbol']} and exchange {named['exchange']}, each in its field"
    if signal.symbol != signal.symbol.upper():
        return f"symbols are mostly in capitals: {signal.symbol.upper()}"
    if pair := _PAIR.fullmatch(signal.symbol):
        return f"a pair of currencies or coins is written {pair['coin']}/{pair['money']}"
    return "check the spelling and these fields, or name its exchange"


def check_contract_ids(signal: Signal, can: BrokerCapabilities, broker: str) -> None:
    """Raises `UnusableSignal` for what the broker's contracts do not have."""
    for name in ("trading_class", "con_id"):
        if getattr(signal, name) is not None and not can.contract_ids:
            raise UnusableSignal(f"{name}: contracts have none at {broker}; leave it out", signal.signal_id)


def check_multiplier(signal: Signal, instrument: Instrument, can: BrokerCapabilities, broker: str) -> None:
    """Raises `UnusableSignal` for another one than the signal names, where it was not part of the question."""
    known = instrument.multiplier
    if signal.multiplier not in (None, known) and not can.contract_ids:
        raise UnusableSignal(
            f"multiplier: {instrument.key} has {known:f} at {broker}, not {signal.multiplier:f}; "
            "name the contract that you mean, or leave it out",
            signal.signal_id,
        )


_TIES = frozenset({"oco_group", "parent_order_id"})


def is_unprotected(intent: OrderRequested, mode: TradingMode) -> bool:
    """Whether it is refused for what nobody here carries out.

    A simulation loses nothing by a stop-loss that nobody places. A tie to another order that is kept in vain is one that its sender
    relies on, there too.
    """
    return bool(intent.terms.unattended) and (mode is not TradingMode.SIMULATION or not _TIES.isdisjoint(intent.terms.unattended))


def size(
    signal: Signal,
    instrument: Instrument,
    priced: Priced,
    now: datetime,
    terms: SizingTerms,
    origin: Origin,
    standing: Standing,
    equity: Decimal | RiskRefusal | None = None,
) -> SizedIntent:
    """The intent that the signal amounts to.

    `now`: when its price was asked for. `standing`: what its strategy has of the instrument. `equity`: of the account, or why that
    is not known, where the signal asks for a part of it.
    """
    signal_at = signal.timestamp or origin.published_at
    fresh = _fresh(priced.price, now, terms.limits)
    if fresh is None and signal.price is not None and signal_at is not None:
        priced = priced._replace(price=Price(signal.price, signal_at))
        fresh = _fresh(priced.price, now, terms.limits)
    price = signal.limit_price or signal.stop_price or (fresh.amount if fresh is not None else None)
    takes_notional = terms.can.takes_notional_of(instrument.asset_class)
    by = Basis(
        instrument,
        price,
        terms.limits,
        takes_notional,
        standing,
        equity,
        terms.product,
        may_cancel=terms.may_cancel,
        crosses_zero=terms.can.crosses_zero,
        is_second_leg=terms.is_second_leg,
        order_id=origin.order_id,
        has_waited=terms.has_waited,
        is_long_only=terms.is_long_only,
    )
    amount = amount_of(signal, by)
    limit_price, stop_price, too_low = _to_tick(signal, amount.side, instrument)
    time_in_force, timeout_seconds = _how_long(signal, instrument, terms)
    asked_quantity = signal.quantity or (amount.both_legs if signal.is_plain else None)
    asked = terms_of(
        signal,
        amount.side,
        quantity=amount.quantity,
        notional=amount.notional,
        position_effect=amount.effect,
        asked_quantity=asked_quantity if asked_quantity != amount.quantity else None,
        asked_notional=signal.notional if signal.notional != amount.notional else None,
        limit_price=limit_price,
        stop_price=stop_price,
        time_in_force=time_in_force,
        hours=_which_hours(signal, time_in_force, terms.can),
        product=amount.product or signal.product or terms.product,
        decision_price=price,
        decision_equity=equity if isinstance(equity, Decimal) else None,
        signal_at=signal_at,
        timeout_seconds=timeout_seconds,
        is_shadow=origin.is_shadow,
    )
    intent = OrderRequested(
        order_id=origin.order_id,
        client_order_id=origin.client_order_id,
        signal_id=signal.signal_id,
        signal_fingerprint=signal.fingerprint,
        namespace=origin.namespace,
        session_id=origin.session_id,
        account_id=origin.account_id,
        strategy_name=signal.strategy_name,
        broker=origin.broker,
        instrument=instrument,
        terms=asked,
    )
    problem = amount.problem or too_low
    outcomes = tuple(
        intent.with_terms(side=each.side, quantity=each.quantity, position_effect=each.effect) for each in amount.outcomes
    )
    waits_for = (
        amount.in_the_way,
        amount.in_doubt,
        outcomes,
        amount.both_legs,
        amount.guards_held,
        amount.awaits_entries,
        amount.superseded,
    )
    of_product = amount.of_product or standing
    return SizedIntent(intent, priced, standing, of_product, problem, amount.refusal, amount.figures, *waits_for)


_SAID = tuple(name for name in OrderTerms.__struct_fields__ if name in Signal.model_fields and name != "hours")


def terms_of(signal: Signal, side: Side, **settled: Any) -> OrderTerms:
    """What the signal says of the order, by the same names, but for what is `settled`; what it leaves open is as by default."""
    said = {name: value for name in _SAID if (value := getattr(signal, name)) is not None}
    return OrderTerms(**said | {"side": side} | settled)


def _fresh(price: Price | None, now: datetime, limits: RiskLimits) -> Price | None:
    return price if price is not None and price.age_seconds(now) <= limits.max_price_age_seconds else None


def _to_tick(signal: Signal, side: Side, instrument: Instrument) -> tuple[Decimal | None, Decimal | None, InvalidInput | None]:
    """Limit and stop price, and what is wrong with one of them."""
    limit_price, stop_price = signal.limit_price, signal.stop_price
    try:
        if limit_price is not None:
            limit_price = instrument.round_price(limit_price, side)
        if stop_price is not None:
            stop_price = instrument.round_stop(stop_price, side, signal.order_type)
    except InvalidInput as problem:
        return signal.limit_price, signal.stop_price, problem
    return limit_price, stop_price, None


def _how_long(signal: Signal, instrument: Instrument, terms: SizingTerms) -> tuple[TimeInForce, float | None]:
    """The signal's time in force, else the broker's usual one.

    If that outlasts the day only because the broker has no orders for the day, the time-out of such orders still applies.
    """
    usual = terms.can.usual_time_in_force(instrument.asset_class, signal.order_type)
    if "time_in_force" in signal.model_fields_set or usual is TimeInForce.DAY:
        return signal.time_in_force, signal.timeout_seconds
    ends_with_the_day = signal.order_type.traits.rests_at_its_limit and signal.role in (OrderRole.ENTRY, OrderRole.EXIT)
    return usual, signal.timeout_seconds or (terms.day_limit_seconds if ends_with_the_day else None)


def _which_hours(signal: Signal, time_in_force: TimeInForce, can: BrokerCapabilities) -> TradingHours:
    """As named, or as is usual; an auction is held in the regular ones, and so is the next session."""
    if signal.hours is not None:
        return TradingHours.EXTENDED if signal.hours is SignalHours.EXTENDED else TradingHours.REGULAR
    if time_in_force.is_for_an_auction:
        return TradingHours.REGULAR
    return can.usual_hours_of(signal.order_type)
