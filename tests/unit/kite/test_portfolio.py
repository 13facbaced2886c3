"""Positions and holdings together: today's trades and what was there before, each counted once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import BrokerPosition
from liveorder.domain.values import Product, Side
from liveorder.infrastructure.brokers.kite.portfolio import Held, held, parts_of
from liveorder.testing.venue.settings import OpeningPosition
from tests.twins.kite.venue import venue_id
from tests.unit.kite.stage import Scene, scene

D = Decimal


def position(product: str, quantity: int, overnight: int = 0, price: str = "1400.05", **changes: Any) -> dict[str, Any]:
    row = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": product, "quantity": quantity}
    return row | {"overnight_quantity": overnight, "average_price": D(price)} | changes


def holding(opening: int | None, quantity: int | None = 0, t1: int = 0, used: int = 0, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": "CNC", "average_price": D(1300)}
    return row | {"opening_quantity": opening, "quantity": quantity, "t1_quantity": t1, "used_quantity": used} | changes


def total_of(positions: list[dict[str, Any]], holdings: list[dict[str, Any]]) -> Decimal | None:
    """Of RELIANCE; None when it is not held."""
    found = held(parts_of({"net": positions, "day": []}, holdings))
    assert all((each.exchange, each.tradingsymbol) == ("NSE", "RELIANCE") for each in found)
    return sum((each.quantity for each in found), D(0)) if found else None


MTF = {"quantity": 100, "used_quantity": 0, "average_price": D(1350)}


@pytest.mark.parametrize(
    ("what", "positions", "holdings", "expected"),
    [
        ("bought today for delivery", [position("CNC", 10)], [], 10),
        ("bought yesterday, on its way", [], [holding(10, t1=10)], 10),
        ("bought yesterday, also still among the positions", [position("CNC", 10, overnight=10)], [holding(10, t1=10)], 10),
        ("settled long ago", [], [holding(10, quantity=10)], 10),
        ("settled, and more bought today", [position("CNC", 5)], [holding(10, quantity=10)], 15),
        ("settled, and partly sold today", [position("CNC", -4)], [holding(10, quantity=6, used=4)], 6),
        ("settled, and all sold today", [position("CNC", -10)], [holding(10, quantity=0, used=10)], None),
        ("without an opening figure", [position("CNC", -4)], [holding(None, quantity=6, t1=2, used=4)], 8),
        ("intraday", [position("MIS", -10)], [], -10),
        ("carried derivative", [position("NRML", 75, overnight=75)], [], 75),
        ("carried derivative, more bought", [position("NRML", 150, overnight=75)], [], 150),
        ("delivery and intraday against it", [position("CNC", 10), position("MIS", -4)], [holding(5, quantity=5)], 11),
        ("on margin, from before", [], [holding(0, mtf=MTF)], 100),
        ("on margin, partly sold today", [position("MTF", -30)], [holding(0, mtf=MTF | {"quantity": 70, "used_quantity": 30})], 70),
        ("on margin and delivered", [position("MTF", 10)], [holding(5, quantity=5, mtf=MTF)], 115),
        ("closed today", [position("MIS", 0)], [], None),
        ("no figures at all", [position("MIS", 3, overnight_quantity=None)], [holding(None, quantity=None, mtf=None)], 3),
    ],
)
def test_nothing_is_counted_twice(what: str, positions: Any, holdings: Any, expected: int | None) -> None:
    assert total_of(positions, holdings) == expected, what


def test_prices_are_averaged_on_one_side_and_left_out_across_both() -> None:
    same = held(parts_of({"net": [position("CNC", 10, price="1400")]}, [holding(10, quantity=10)]))
    assert same == [Held("NSE", "RELIANCE", Product.CNC, D(20), D(1350))]
    across = held(parts_of({"net": [position("CNC", -14)]}, [holding(10, quantity=10)]))
    assert across == [Held("NSE", "RELIANCE", Product.CNC, D(-4), None)]
    unknown = held(parts_of({"net": [position("CNC", 10, price="0")]}, []))
    assert unknown == [Held("NSE", "RELIANCE", Product.CNC, D(10), None)]


def test_products_are_kept_apart() -> None:
    positions = [position("CNC", 5), position("MIS", -4), position("NRML", 3), position("MTF", 2), position("BO", 1)]
    found = held(parts_of({"net": positions}, [holding(10, quantity=10, mtf=MTF)]))
    assert {each.product: each.quantity for each in found} == {
        Product.CNC: D(15),
        Product.MIS: D(-4),
        Product.NRML: D(3),
        Product.MTF: D(102),
        None: D(1),
    }


async def test_a_delivered_share_moves_to_the_holdings_overnight_and_counts_once_on_each_day() -> None:
    settled = {"NSE:INFY": OpeningPosition(quantity=D(7), price=D(1500))}
    async with scene(positions=settled) as live:
        await bought(live, Product.CNC, 10)
        await bought(live, Product.MIS, 5)
        assert await amounts(live) == {"NSE:INFY": D(7), "NSE:RELIANCE": D(15)}
        live.twin.end_the_day()
        assert await amounts(live) == {"NSE:INFY": D(7), "NSE:RELIANCE": D(15)}
        await bought(live, Product.CNC, 4, Side.SELL)
        assert await amounts(live) == {"NSE:INFY": D(7), "NSE:RELIANCE": D(11)}


async def bought(live: Scene, product: Product, quantity: int, side: Side = Side.BUY) -> None:
    order_id = await live.submit(
        product=product, quantity=D(quantity), side=side, limit_price=D(1260 if side is Side.BUY else 1540)
    )
    await live.twin.exchange.control.fill(venue_id(order_id), D(quantity), D(1400))


async def amounts(live: Scene) -> dict[str, Decimal]:
    positions: list[BrokerPosition] = list(await live.broker.positions())
    found: dict[str, Decimal] = {}
    for each in positions:
        found[each.instrument.key] = found.get(each.instrument.key, D(0)) + each.quantity
    return found
