"""New orders: what `prepare` accepts, and how they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import BrokerRefusal, DuplicateClientOrderId, OrderValidationError
from liveorder.domain.execution_report import BrokerStatus, OrderRejected
from liveorder.domain.values import OrderType, TimeInForce
from liveorder.testing.case import case, require
from liveorder.testing.resting import resting_buy
from liveorder.testing.stage import Placed, Stage

OPEN = (BrokerStatus.PENDING, BrokerStatus.WORKING)


@case
async def a_new_order_is_taken_and_found_as_it_was_sent(stage: Stage) -> None:
    """A resting limit order arrives once. `find` reports it with our key, its terms and no fills."""
    request = stage.request()
    placed = await stage.submit(request)
    found = await stage.found(placed, lambda order: order.status in OPEN, "open")
    reported = (found.client_order_id, found.quantity, found.limit_price, found.side, found.order_type, found.filled_quantity)
    sent = (placed.key, request.quantity, request.limit_price, request.side, request.order_type, Decimal(0))
    require(reported == sent, f"find() reports {reported} for an order that was sent as {sent}")
    require(found.symbol == request.instrument.symbol, f"find() reports the symbol {found.symbol!r}")
    require(found.broker_order_id is not None, "find() reports no broker order id")
    require(len(await stage.taken(placed)) == 1, "the venue did not accept exactly one order")


@case
async def every_declared_order_type_is_taken(stage: Stage) -> None:
    """`find` returns each declared order type as it was sent. `prepare` refuses the others."""
    for kind in OrderType:
        request = stage.request(order_type=kind, **_prices_of(stage, kind))
        if kind in stage.capabilities.order_types:
            placed = await stage.submit(request)
            found = await stage.found(placed)
            require(found.order_type in (kind, None), f"a {kind} order is reported as {found.order_type}")
            (taken,) = await stage.taken(placed)
            require(taken.order_type is kind, f"a {kind} order arrived as {taken.order_type}")
        else:
            _is_refused_by_prepare(stage, f"{kind} orders", order_type=kind, **_prices_of(stage, kind))


def _prices_of(stage: Stage, kind: OrderType) -> dict[str, Decimal | None]:
    return resting_buy(kind, stage.instrument, stage.price, Decimal("0.1"))


@case
async def every_declared_time_in_force_is_taken(stage: Stage) -> None:
    """Each declared time in force is sent. `prepare` refuses the others."""
    for time_in_force in TimeInForce:
        ends = datetime.now(UTC) + timedelta(minutes=30) if time_in_force is TimeInForce.GTD else None
        if time_in_force in stage.capabilities.times_in_force:
            placed = await stage.submit(stage.request(time_in_force=time_in_force, expires_at=ends))
            require(len(await stage.taken(placed)) == 1, f"a {time_in_force} order did not arrive")
        else:
            _is_refused_by_prepare(stage, str(time_in_force), time_in_force=time_in_force, expires_at=ends)


@case
async def declared_extended_hours_are_taken(stage: Stage) -> None:
    """A limit day order for each of the declared trading hours arrives with those hours."""
    for hours in sorted(stage.capabilities.hours):
        placed = await stage.submit(stage.request(hours=hours))
        (taken,) = await stage.taken(placed)
        require(taken.hours is hours, f"an order for {hours} hours arrived for {taken.hours} ones")
        found = await stage.found(placed)
        require(found.hours in (hours, None), f"an order for {hours} hours is reported for {found.hours} ones")


@case
async def an_immediate_order_that_finds_no_match_is_closed(stage: Stage) -> None:
    """An IOC order away from the market ends without a fill, and is reported so."""
    require(TimeInForce.IOC in stage.capabilities.times_in_force, "IOC is not declared")
    placed = await stage.submit(stage.request(time_in_force=TimeInForce.IOC))
    closed = (BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)
    await stage.found(placed, lambda order: order.status in closed and not order.filled_quantity, "closed")


@case
async def a_market_order_is_taken(stage: Stage) -> None:
    """The venue fills it, and the fill is reported with its price."""
    require(OrderType.MARKET in stage.capabilities.order_types, "market orders are not declared")
    placed = await stage.submit(stage.request(order_type=OrderType.MARKET, limit_price=None))
    await stage.fill(placed, 10, stage.price)
    found = await stage.found(placed, lambda order: order.status is BrokerStatus.FILLED, "filled")
    require(found.average_price == stage.price, f"its average price is reported as {found.average_price}")


@case
async def an_order_for_an_amount_is_taken_or_refused_by_prepare(stage: Stage) -> None:
    """Sends `notional` if it is declared. Otherwise `prepare` refuses it and names the field."""
    changes: dict[str, Any] = {"quantity": None, "notional": Decimal(1000), "order_type": OrderType.MARKET, "limit_price": None}
    if stage.capabilities.takes_notional_of(stage.instrument.asset_class):
        placed = await stage.submit(stage.request(**changes))
        require(len(await stage.taken(placed)) == 1, "an order for an amount did not arrive")
    else:
        _is_refused_by_prepare(stage, "orders for an amount", **changes)


@case
async def a_part_of_a_unit_is_refused_by_prepare_unless_declared(stage: Stage) -> None:
    """Fractional quantities, if declared, are sent exactly. Otherwise `prepare` refuses them."""
    if not stage.capabilities.fractional:
        _is_refused_by_prepare(stage, "parts of units", quantity=Decimal("10.5"))
        return
    placed = stage.ready(stage.request(quantity=Decimal("10.5")))
    require("10.5" in placed.prepared.payload, "the payload does not hold the quantity as it was asked for")


@case
async def an_order_beyond_the_accounts_means_is_refused(stage: Stage) -> None:
    """The broker refuses it: a `BrokerRefusal`, or an order reported as rejected with a reason."""
    placed = stage.ready(stage.request(quantity=Decimal(1_000_000)))
    try:
        reports = await stage.send(placed)
    except BrokerRefusal as refusal:
        require(bool(str(refusal)), "the refusal gives no reason")
        return
    if not any(isinstance(each, OrderRejected) for each in reports):
        await stage.found(placed, lambda order: order.status is BrokerStatus.REJECTED and bool(order.reason), "rejected")


@case
async def a_second_order_with_the_same_key_is_refused(stage: Stage) -> None:
    """A unique key: sending the same bytes again raises `DuplicateClientOrderId`, also after a cancel, and there is one order."""
    require(stage.capabilities.key_support is KeySupport.UNIQUE, "the key is not declared unique")
    placed = await stage.rest()
    await _is_taken_for_a_duplicate(stage, placed)
    await stage.cancel(placed)
    await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")
    await _is_taken_for_a_duplicate(stage, placed)


async def _is_taken_for_a_duplicate(stage: Stage, placed: Placed) -> None:
    try:
        await stage.send(placed)
    except DuplicateClientOrderId:
        require(len(await stage.taken(placed)) == 1, "the venue has more than one order with the key")
        return
    require(False, "the same bytes were accepted again")


@case
async def what_is_prepared_stays_the_same_and_holds_no_secret(stage: Stage) -> None:
    """The payload contains our key and none of the account's secrets. Preparing sends nothing."""
    placed = stage.ready()
    require(placed.key in placed.prepared.payload, "the payload does not hold our key")
    text = placed.prepared.payload + repr(dict(placed.prepared.reference))
    require(not any(secret in text for secret in stage.secrets), "the payload holds a secret")
    require(not await stage.taken(placed), "preparing sent the order")


def _is_refused_by_prepare(stage: Stage, what: str, **changes: Any) -> None:
    request = stage.request(**changes)
    for name, look in (("prepare", stage.broker.prepare), ("check", stage.broker.check)):
        try:
            look(request)
        except OrderValidationError as refusal:
            require(":" in str(refusal), f"the refusal of {what} does not name the field: {refusal}")
        else:
            require(False, f"{what} are not declared, but {name} accepts them")
