"""Exits and trails that lead to a price which the instrument cannot have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.impossible_prices import impossible_price
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import AssetClass, OrderType, Side

CAN_BE_NEGATIVE = (AssetClass.FUTURE, AssetClass.COMBO)


def instrument(asset_class: AssetClass = AssetClass.EQUITY) -> Instrument:
    return Instrument(symbol="XYZ", exchange="ARCA", asset_class=asset_class)


def problem(side: Side, market: str | None = "50", asset_class: AssetClass = AssetClass.EQUITY, **said: Any) -> str | None:
    exact: dict[str, Any] = {name: Decimal(value) if type(value) is str else value for name, value in said.items()}
    terms = OrderTerms(**{"side": side, "order_type": OrderType.MARKET, "quantity": Decimal(1), **exact})
    found = impossible_price(terms, instrument(asset_class), None if market is None else Decimal(market))
    return None if found is None else str(found)


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("price", ["0", "-5"])
def test_an_exit_at_nothing_or_below_is_refused_by_name_and_remedy(field: str, side: Side, price: str) -> None:
    asked: dict[str, Any] = {field: price}
    assert problem(side, **asked) == f"{field}: {price} is less than one tick of 0.01 XYZ; give at least one tick"


@pytest.mark.parametrize(
    ("side", "field", "is_refused"),
    [
        (Side.BUY, "stop_loss", True),
        (Side.BUY, "take_profit", False),
        (Side.SELL, "stop_loss", False),
        (Side.SELL, "take_profit", True),
    ],
)
def test_an_exit_that_rounds_to_nothing_is_refused(side: Side, field: str, is_refused: bool) -> None:
    """A sale's stop rounds down, its limit up; a purchase's the other way."""
    asked: dict[str, Any] = {field: "0.004"}
    assert (problem(side, **asked) is not None) is is_refused


@pytest.mark.parametrize("asset_class", AssetClass)
def test_only_futures_and_combos_have_prices_of_nothing_and_below(asset_class: AssetClass) -> None:
    trailing: dict[str, Any] = {"order_type": OrderType.TRAILING_STOP, "trail_amount": "60"}
    exits: list[dict[str, Any]] = [{"stop_loss": "-5"}, {"take_profit": "0"}, trailing]
    for said in exits:
        assert (problem(Side.SELL, asset_class=asset_class, **said) is None) is (asset_class in CAN_BE_NEGATIVE)


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        ({"trail_amount": "49.99"}, None),
        ({"trail_amount": "50"}, "trail_amount: 50 leads to a stop of 0 while XYZ stands at 50; "),
        ({"trail_amount": "49.995"}, "trail_amount: 49.995 leads to a stop of 0.005 while XYZ stands at 50; "),
        ({"trail_percent": "99"}, None),
        ({"trail_percent": "100"}, "trail_percent: 100 leads to a stop of 0 while XYZ stands at 50; "),
        ({"trail_amount": "40", "limit_offset": "9.99"}, None),
        ({"trail_amount": "40", "limit_offset": "10"}, "limit_offset: 10 leads to a limit of 0 while XYZ stands at 50; "),
    ],
)
def test_a_stop_that_trails_too_far_behind_is_refused(trail: dict[str, Any], expected: str | None) -> None:
    kind = OrderType.TRAILING_STOP_LIMIT if "limit_offset" in trail else OrderType.TRAILING_STOP
    found = problem(Side.SELL, order_type=kind, **trail)
    assert found == (None if expected is None else f"{expected}give less, so that a price above zero is left")
    assert problem(Side.SELL, market=None, order_type=kind, **trail) is None
    assert problem(Side.BUY, order_type=kind, **trail) is None
