"""New terms of a working order, on the instrument's grid, and what they leave to fill."""

from __future__ import annotations

from decimal import Decimal

import pytest

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.amendment import Amendment
from liveorder.domain.values import OrderType, Side
from tests.builders import ACKNOWLEDGED, SENT, fill, intent, order_of

D = Decimal
SPY = Instrument(symbol="SPY", exchange="ARCA", tick_size=D("0.05"), lot_size=D(10))
LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(9), "decision_price": D(9)}
HALF_FILLED = order_of(intent(**LIMIT), SENT, ACKNOWLEDGED, fill("a", 50))


def test_quantities_go_down_to_the_lot_and_prices_passively_to_the_tick() -> None:
    asked = Amendment(D(27), D("9.07"), D("9.07"))
    assert asked.on_grid(SPY, Side.BUY, OrderType.STOP_LIMIT) == Amendment(D(20), D("9.05"), D("9.10"))
    assert asked.on_grid(SPY, Side.SELL, OrderType.STOP_LIMIT) == Amendment(D(20), D("9.10"), D("9.05"))
    assert Amendment().on_grid(SPY, Side.BUY, OrderType.LIMIT) == Amendment()
    with pytest.raises(InvalidInput):
        Amendment(D(9)).on_grid(SPY, Side.BUY, OrderType.LIMIT)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Amendment(), (D(50), D(9), D(9))),
        (Amendment(quantity=D(80)), (D(30), D(9), D(9))),
        (Amendment(limit_price=D(8)), (D(50), D(8), D(8))),
    ],
)
def test_what_is_filled_is_not_ordered_once_more(asked: Amendment, left: tuple[Decimal, Decimal, Decimal]) -> None:
    rest = asked.rest_of(HALF_FILLED)
    assert (rest.terms.quantity, rest.terms.limit_price, rest.terms.decision_price) == left


@pytest.mark.parametrize(("wanted", "left"), [("150", "100"), ("51", "1"), ("50", None), ("30", None)])
def test_a_quantity_that_is_filled_already_leaves_nothing(wanted: str, left: str | None) -> None:
    rest = Amendment(quantity=D(wanted)).rest_of(HALF_FILLED)
    assert rest.terms.quantity == (None if left is None else D(left))
