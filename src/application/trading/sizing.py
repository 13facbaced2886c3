"""From a signal to an intent: which instrument, how much of it, at prices on its grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway, Priced
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.ports.market_data import Price
from liveorder.domain.errors import BrokerError, InvalidInput, InvalidSymbolError
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.facts import Requested
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.values import OrderRole, TimeInForce, TradingHours


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an intent comes from, beside its signal."""

    order_id: UUID
    client_order_id: str
    namespace: str
    session_id: str
    published_at: datetime | None = None
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class SizedIntent:
    """The intent, the price that it was sized by, and why it cannot be sent if sizing found a reason."""

    intent: Requested
    priced: Priced
    problem: InvalidInput | None = None


async def instrument_for(signal: Signal, gateway: Gateway) -> Instrument:
    """The one that the signal means. Raises `UnusableSignal` when none or several fit, or the broker cannot be asked."""
    _check_contract_ids(signal, gateway)
    try:
        instrument = await _looked_up(signal, gateway)
    except InvalidSymbolError as error:
        raise UnusableSignal(str(error), signal.signal_id) from error
    except BrokerError as error:
        raise UnusableSignal(
            f"symbol: {signal.symbol} could not be looked up at {gateway.broker.name} ({error}); "
            "send the signal again when the broker can be reached",
            signal.signal_id,
            is_passing=True,
        ) from error
    if instrument is None:
        raise UnusableSignal(
            f"symbol: {signal.symbol}{_said_of_contract(signal)} is no instrument that {gateway.broker.name} knows; "
            "check the spelling and these fields, or name its exchange",
            signal.signal_id,
        )
    _check_multiplier(signal, gateway, instrument)
    return instrument


_OF_CONTRACT = ("exchange", "asset_class", "currency", "expiry", "strike", "right", "trading_class", "multiplier", "con_id")


def _said_of_contract(signal: Signal) -> str:
    """Everything but the symbol by which it was looked for."""
    said = [f"{name} {value}" for name in _OF_CONTRACT if (value := getattr(signal, name)) is not None]
    return f" ({', '.join(said)})" if said else ""


def _check_contract_ids(signal: Signal, gateway: Gateway) -> None:
    if gateway.broker.capabilities.contract_ids:
        return
    for field in ("trading_class", "con_id"):
        if getattr(signal, field) is not None:
            raise UnusableSignal(f"{field}: contracts have none at {gateway.broker.name}; leave it out", signal.signal_id)


def _check_multiplier(signal: Signal, gateway: Gateway, instrument: Instrument) -> None:
    """Where it was not part of the question."""
    known = instrument.multiplier
    if signal.multiplier not in (None, known) and not gateway.broker.capabilities.contract_ids:
        raise UnusableSignal(
            f"multiplier: {instrument.key} has {known:f} at {gateway.broker.name}, not {signal.multiplier:f}; "
            "name the contract that you mean, or leave it out",
            signal.signal_id,
        )


async def _looked_up(signal: Signal, gateway: Gateway) -> Instrument | None:
    query = InstrumentQuery(
        symbol=signal.symbol,
        exchange=signal.exchange or gateway.terms.default_exchange,
        asset_class=signal.asset_class,
        currency=signal.currency,
        expiry=signal.expiry,
        strike=signal.strike,
        right=signal.right,
        trading_class=signal.trading_class,
        multiplier=signal.multiplier,
        con_id=signal.con_id,
    )
    instrument = await gateway.resolve(query)
    if instrument is None and signal.exchange is None and query.exchange is not None:
        instrument = await gateway.resolve(replace(query, exchange=None))
    return instrument


async def size(
    signal: Signal, gateway: Gateway, origin: Origin, instrument: Instrument, now: datetime, *, is_urgent: bool = False
) -> SizedIntent:
    """The intent that the signal amounts to. Quantities toward zero to the lot, prices passively to the tick."""
    priced = await gateway.price(instrument, signal.side, is_urgent=is_urgent)
    _, limits = gateway.terms.limits_in(instrument.currency)
    fresh = _fresh(priced.price, now, limits)
    if fresh is None and (own := _own_price(signal, origin)) is not None:
        priced = priced._replace(price=own)
        fresh = _fresh(own, now, limits)
    price = _decision_price(signal, fresh)
    quantity, notional, too_little = _how_much(signal, gateway, instrument, price, limits.position_size)
    limit_price, stop_price, too_low = _to_tick(instrument, signal)
    intent = _intent(signal, gateway, origin, instrument, price, quantity, notional, limit_price, stop_price)
    return SizedIntent(intent, priced, too_little or too_low)


def of_what_is_held(sized: SizedIntent, held: Decimal) -> SizedIntent:
    """A sale for an amount of money as the quantity that it comes to, toward zero to the lot, and no more than is `held`.

    As it is where that is not known, and where less than a lot is held: the risk rules speak of that.
    """
    intent, price = sized.intent, sized.intent.decision_price
    quantity = intent.quantity
    if quantity is None and intent.notional is not None and price is not None and price > 0:
        quantity = intent.notional / (price * intent.instrument.multiplier)
    if quantity is None or sized.problem is not None:
        return sized
    try:
        quantity = intent.instrument.round_quantity(min(quantity, held))
    except InvalidInput:
        return sized
    return replace(sized, intent=intent.model_copy(update={"quantity": quantity, "notional": None}))


def _fresh(price: Price | None, now: datetime, limits: RiskLimits) -> Price | None:
    return price if price is not None and price.age_seconds(now) <= limits.max_price_age_seconds else None


def _own_price(signal: Signal, origin: Origin) -> Price | None:
    """What the signal says of the price, as old as the signal is; none where neither it nor its source tells a time."""
    at = signal.timestamp or origin.published_at
    return Price(signal.price, at) if signal.price is not None and at is not None else None


def _decision_price(signal: Signal, fresh: Price | None) -> Decimal | None:
    """What one unit is reckoned to cost: the order's own price, else the fresh one of the market."""
    return signal.limit_price or signal.stop_price or (fresh.amount if fresh is not None else None)


def _how_much(
    signal: Signal, gateway: Gateway, instrument: Instrument, price: Decimal | None, position_size: Decimal
) -> tuple[Decimal | None, Decimal | None, InvalidInput | None]:
    """Quantity or notional, whichever the order will carry, and what is wrong with it."""
    if signal.quantity is not None:
        return _to_lot(instrument, signal.quantity, signal.quantity)
    budget = signal.notional or position_size
    if signal.notional is not None and gateway.broker.capabilities.takes_notional_of(instrument.asset_class):
        return None, budget, None
    if price is None or price <= 0:
        return None, budget, None
    quantity, _, problem = _to_lot(instrument, budget / (price * instrument.multiplier), None)
    return quantity, None if quantity is not None else budget, problem


def _to_lot(
    instrument: Instrument, quantity: Decimal, unrounded: Decimal | None
) -> tuple[Decimal | None, Decimal | None, InvalidInput | None]:
    try:
        return instrument.round_quantity(quantity), None, None
    except InvalidInput as problem:
        return unrounded, None, problem


def _to_tick(instrument: Instrument, signal: Signal) -> tuple[Decimal | None, Decimal | None, InvalidInput | None]:
    """Limit and stop price, and what is wrong with one of them."""

    limit_price, stop_price = signal.limit_price, signal.stop_price
    try:
        if limit_price is not None:
            limit_price = instrument.round_price(limit_price, signal.side)
        if stop_price is not None:
            stop_price = instrument.round_stop(stop_price, signal.side, signal.order_type)
    except InvalidInput as problem:
        return signal.limit_price, signal.stop_price, problem
    return limit_price, stop_price, None


def _how_long(signal: Signal, gateway: Gateway, instrument: Instrument) -> tuple[TimeInForce, float | None]:
    """As long as is named, or as is usual: what lasts only for want of orders for the day ends as one for the day does."""
    usual = gateway.broker.capabilities.usual_time_in_force(instrument.asset_class, signal.order_type)
    if "time_in_force" in signal.model_fields_set or usual is TimeInForce.DAY:
        return signal.time_in_force, signal.timeout_seconds
    ends_with_the_day = signal.order_type.traits.rests_at_its_limit and signal.role in (OrderRole.ENTRY, OrderRole.EXIT)
    of_a_day = gateway.terms.day_limit_timeout_seconds if ends_with_the_day else None
    return usual, signal.timeout_seconds or of_a_day


def _which_hours(signal: Signal, gateway: Gateway, time_in_force: TimeInForce) -> TradingHours:
    """As named, or as is usual; an auction is held in the regular ones."""
    if signal.hours is not None or time_in_force.is_for_an_auction:
        return signal.hours or TradingHours.REGULAR
    return gateway.broker.capabilities.usual_hours_of(signal.order_type)


def _intent(
    signal: Signal,
    gateway: Gateway,
    origin: Origin,
    instrument: Instrument,
    price: Decimal | None,
    quantity: Decimal | None,
    notional: Decimal | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
) -> Requested:
    time_in_force, timeout_seconds = _how_long(signal, gateway, instrument)
    return Requested(
        order_id=origin.order_id,
        client_order_id=origin.client_order_id,
        signal_id=signal.signal_id,
        signal_fingerprint=signal.fingerprint,
        namespace=origin.namespace,
        session_id=origin.session_id,
        account_id=gateway.account_id,
        strategy_name=signal.strategy_name,
        broker=gateway.broker.name,
        instrument=instrument,
        side=signal.side,
        order_type=signal.order_type,
        quantity=quantity,
        notional=notional,
        limit_price=limit_price,
        stop_price=stop_price,
        trail_amount=signal.trail_amount,
        trail_percent=signal.trail_percent,
        limit_offset=signal.limit_offset,
        time_in_force=time_in_force,
        hours=_which_hours(signal, gateway, time_in_force),
        expires_at=signal.expires_at,
        product=signal.product or gateway.terms.default_product,
        role=signal.role,
        parent_order_id=signal.parent_order_id,
        oco_group=signal.oco_group,
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        protection=signal.protection,
        tags=signal.tags,
        decision_price=price,
        score=signal.score,
        signal_at=signal.timestamp or origin.published_at,
        valid_until=signal.valid_until,
        timeout_seconds=timeout_seconds,
        is_shadow=origin.is_shadow,
    )
