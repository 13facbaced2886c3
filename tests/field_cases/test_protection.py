"""Orders that guard a position, and orders of which only one may fill."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Signal
from tests.engine.scenes import a_scene
from tests.field_cases.cases import not_yet
from tests.field_cases.evidence import all_at_venue, held_at_venue
from tests.field_cases.trading import AAPL, Held, agreed, trading

ENTRY: dict[str, Any] = {"signal_id": "in", "symbol": "AAPL", "side": "BUY", "quantity": 10}
OVER = {"FILLED", "CANCELLED", "REJECTED"}


@not_yet("nothing places stop_loss and take_profit: the price goes through them, and the position stays")
@pytest.mark.parametrize(("price", "earned"), [(180, [-200]), (230, [200, 300])], ids=["stop", "target"])
async def test_stop_and_target_of_a_signal_close_its_position_once(tmp_path: Path, price: int, earned: list[int]) -> None:
    """Case 44 (zipline#1357, Lean PR 9635): one leg filled, and the other stayed live.

    A target that rests at the exchange earns its own price, one that is watched here that of the market.
    """
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters(10, **ENTRY, stop_loss="190", take_profit="220")
        await asyncio.sleep(10)
        await scene.control.post_price(AAPL, Decimal(price))
        await asyncio.sleep(30)
        books = await trader.books(AAPL)
        assert books == agreed(Held(realized=books.risk.realized))
        assert books.risk.realized in earned
        assert {each["state"] for each in all_at_venue(scene)} <= OVER
        await scene.control.post_price(AAPL, Decimal(205))
        await scene.control.post_price(AAPL, Decimal(410 - price))
        await asyncio.sleep(30)
        assert held_at_venue(scene, AAPL) == 0


@not_yet("nothing looks at the side of stop_loss and take_profit: an entry is sent that its own stop would close at once")
async def test_a_stop_above_the_market_and_a_target_below_it_are_refused_with_their_entry(tmp_path: Path) -> None:
    """Case 44 (zipline#1357, Lean PR 9635): both legs on the wrong side would both trade at once."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        order = await trader.runner.execute(Signal(**ENTRY, stop_loss="250", take_profit="20"))
        assert (order.status, all_at_venue(scene)) == ("REJECTED", [])


async def test_of_two_orders_that_exclude_each_other_at_most_one_fills(tmp_path: Path) -> None:
    """Case 44 (zipline#1357, Lean PR 9635): both legs of an OCO were live, and both filled. Refused until one cancels the other."""
    group: dict[str, Any] = {"order_type": "LIMIT", "oco_group": "g", "time_in_force": "GTC"}
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        legs = [
            await trader.runner.execute(Signal(**ENTRY | group | {"signal_id": f"at {price}", "limit_price": price}))
            for price in ("170", "160")
        ]
        for price in (169, 159):
            await scene.control.post_price(AAPL, Decimal(price))
            await asyncio.sleep(10)
        ends = sorted([(await trader.runner.order(leg.order_id)).status.value for leg in legs])
        assert ends in (["REJECTED", "REJECTED"], ["CANCELLED", "FILLED"])
        assert held_at_venue(scene, AAPL) == (10 if "FILLED" in ends else 0)
