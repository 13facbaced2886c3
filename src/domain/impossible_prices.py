"""Prices that an instrument cannot have: zero and below, of all but futures and combos, also where rounding or a trail leads there.

Limit and stop price are looked at where they are rounded, by `Instrument`.
"""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import ZERO, OrderType


def impossible_price(terms: OrderTerms, instrument: Instrument, market: Decimal | None) -> InvalidInput | None:
    """What is wrong with the exits that are asked for, or with how far a stop trails `market`; None: nothing.

    Exits are rounded as the orders that would carry them out: away from the market a stop, passively a limit. Of a stop that trails
    nothing is known without a market price.
    """
    side = terms.side
    try:
        if terms.stop_loss is not None:
            instrument.round_stop(terms.stop_loss, side.opposite, OrderType.STOP, "stop_loss")
        if terms.take_profit is not None:
            instrument.round_price(terms.take_profit, side.opposite, "take_profit")
    except InvalidInput as problem:
        return problem
    return None if market is None else _too_far_behind(terms, instrument, market)


def _too_far_behind(terms: OrderTerms, instrument: Instrument, market: Decimal) -> InvalidInput | None:
    field = "trail_amount" if terms.trail_amount is not None else "trail_percent"
    distance, kind, way = terms.trail_amount, terms.order_type, terms.side.sign
    if distance is None and terms.trail_percent is not None:
        distance = abs(market) * terms.trail_percent / 100
    if distance is None:
        return None
    stop = market + way * distance
    limit = stop + way * (terms.limit_offset or ZERO)
    try:
        instrument.round_stop(stop, terms.side, kind, field)
        field = "limit_offset"
        instrument.round_price(limit, terms.side, field)
    except InvalidInput:
        what, price = ("stop", stop) if field != "limit_offset" else ("limit", limit)
        problem = f"{getattr(terms, field):f} leads to a {what} of {price:f} while {instrument.symbol} stands at {market:f}"
        return InvalidInput(field, problem, "give less, so that a price above zero is left")
    return None
