"""When an order trades against a last price, at what price and how much. Pure, except that a trailing stop moves.

There is one price, no spread and no depth. A resting order trades at its own limit, however far the price jumps past it. Everything
else trades at the last price, so a stop gets the worse price after a gap.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.testing.venue.orders import VenueOrder
from liveorder.testing.venue.settings import Fills


def waits_for_stop(order: VenueOrder) -> bool:
    kind = order.placed.order_type
    return (kind.traits.needs_stop_price or kind.traits.trails) and not order.triggered


def follow(order: VenueOrder, price: Decimal, instrument: Instrument) -> bool:
    """Move a trailing stop, and its limit, behind the best price seen, never back. Returns whether it moved.

    `trail_percent` 1.5 is 1.5 %. Stop and limit are rounded to the tick, as for an order that names them. The order has no stop
    while the stop or its limit would be below one tick.
    """
    placed = order.placed
    if not placed.order_type.traits.trails:
        return False
    distance = placed.trail_amount or price * (placed.trail_percent or 0) / 100
    limit = None
    try:
        stop = instrument.round_stop(price + placed.side.sign * distance, placed.side, placed.order_type)
        if placed.limit_offset is not None:
            limit = instrument.round_price(stop + placed.side.sign * placed.limit_offset, placed.side)
    except InvalidInput:
        return False
    if order.stop_price is not None and (stop - order.stop_price) * placed.side.sign >= 0:
        return False
    order.stop_price = stop
    if limit is not None:
        order.limit_price = limit
    return True


def is_triggered(order: VenueOrder, price: Decimal) -> bool:
    """Whether the stop is reached: at or above it for a buy, at or below it for a sell; the other way round for if-touched
    orders.
    """
    if order.stop_price is None:
        return False
    beyond = (price - order.stop_price) * order.placed.side.sign
    return beyond >= 0 if order.placed.order_type.traits.is_stop else beyond <= 0


def can_trade(order: VenueOrder, price: Decimal) -> bool:
    return order.limit_price is None or (order.limit_price - price) * order.placed.side.sign >= 0


def trade_price(order: VenueOrder, price: Decimal) -> Decimal:
    return order.limit_price if order.rested and order.limit_price is not None else price


def next_fill(order: VenueOrder, fills: Fills, lot_size: Decimal) -> Decimal:
    """The quantity of the next fill."""
    quantity = order.remaining
    if fills.max_quantity is not None:
        quantity = min(quantity, fills.max_quantity)
    if fills.max_fraction is not None:
        quantity = min(quantity, max(in_lots(order.quantity * fills.max_fraction, lot_size), lot_size))
    return quantity


def in_lots(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """The quantity rounded toward zero to lots. May be zero."""
    return (quantity / lot_size).to_integral_value(rounding=ROUND_DOWN) * lot_size
