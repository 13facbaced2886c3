"""Prices at which an order of any type rests far from the market."""

from __future__ import annotations

from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Side


def resting_buy(kind: OrderType, instrument: Instrument, market: Decimal, away: Decimal) -> dict[str, Decimal | None]:
    """Price fields of a `SubmitRequest`. Limits and touch prices are below the market by the fraction `away`, stops are above
    it.
    """
    below = instrument.round_price(market * (1 - away), Side.BUY)
    above = instrument.round_price(market * (1 + away), Side.SELL)
    tick = instrument.tick_at(above if kind.traits.is_stop else below)
    prices: dict[str, Decimal | None] = {"limit_price": None}
    if kind.traits.needs_limit_price:
        prices["limit_price"] = above + tick if kind.traits.is_stop else below
    if kind.traits.needs_stop_price:
        prices["stop_price"] = above if kind.traits.is_stop else below + tick
    if kind.traits.trails:
        prices["trail_percent"] = away * 100
    if kind.traits.needs_limit_offset:
        prices["limit_offset"] = tick
    return prices
