"""Prices are rounded to the grid that holds where they are, and never for the worse."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument, TickRule
from liveorder.domain.values import EXACT, AssetClass, Side

D = Decimal
STOCK = Instrument(
    symbol="SNDL", exchange="NASDAQ", tick_size=D("0.0001"), tick_rules=(TickRule(from_price=D(1), tick_size=D("0.01")),)
)
FUTURE = Instrument(symbol="CL", exchange="NYMEX", asset_class=AssetClass.FUTURE)


@st.composite
def grids(draw: st.DrawFn) -> Instrument:
    """Of one step, or with steps that widen: each from a price that is on both grids."""
    tick = draw(st.sampled_from([D("0.0001"), D("0.00005"), D("0.03"), D("0.25"), D(1)]))
    rules, size, start = [], tick, D(0)
    for _ in range(draw(st.integers(0, 3))):
        size *= draw(st.integers(2, 100))
        start += size * draw(st.integers(1, 50))
        rules.append(TickRule(from_price=start, tick_size=size))
    return Instrument(symbol="X", exchange="Y", asset_class=AssetClass.FUTURE, tick_size=tick, tick_rules=tuple(rules))


PRICES = st.decimals("-100000", "100000", places=6) | st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10)


@given(grids(), PRICES, st.sampled_from(Side))
def test_rounding_is_passive_on_the_grid_and_done_once(instrument: Instrument, price: Decimal, side: Side) -> None:
    rounded = instrument.round_price(price, side)
    tick = instrument.tick_at(rounded)
    assert rounded <= price if side is Side.BUY else rounded >= price
    assert EXACT.remainder(rounded, tick) == 0
    assert EXACT.abs(EXACT.subtract(rounded, price)) < instrument.tick_at(price)
    assert instrument.round_price(rounded, side) == rounded


@pytest.mark.parametrize(
    ("price", "buy", "sell"),
    [
        ("0.8765", "0.8765", "0.8765"),
        ("0.0042", "0.0042", "0.0042"),
        ("0.87654", "0.8765", "0.8766"),
        ("0.99995", "0.9999", "1"),
        ("1.0001", "1", "1.01"),
        ("231.2345", "231.23", "231.24"),
    ],
)
def test_a_stock_below_a_dollar_has_four_decimals(price: str, buy: str, sell: str) -> None:
    assert (STOCK.round_price(D(price), Side.BUY), STOCK.round_price(D(price), Side.SELL)) == (D(buy), D(sell))


@pytest.mark.parametrize("price", ["0.00009", "0", "-0.01", "-5"])
def test_what_is_left_of_a_price_is_above_zero(price: str) -> None:
    with pytest.raises(InvalidInput, match=r"^stop_price: .+ is less than one tick of 0\.0001 SNDL; give at least one tick$"):
        STOCK.round_price(D(price), Side.BUY, "stop_price")


def test_a_future_can_be_sold_below_zero() -> None:
    assert FUTURE.round_price(D("-37.634"), Side.SELL) == D("-37.63")
    assert FUTURE.round_price(D("0.004"), Side.BUY) == 0
