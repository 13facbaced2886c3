"""Several strategies in one instrument of one account: each closes what is its own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.engine.scenes import LAX, a_scene
from tests.field_cases.evidence import all_at_venue, sent_keys
from tests.field_cases.trading import AAPL, Books, Held, Trader, agreed, trading

TEN = Decimal(10)


async def enters(trader: Trader, strategy: str) -> None:
    await trader.enters(10, signal_id=f"{strategy} in", symbol="AAPL", side="BUY", quantity=10, strategy_name=strategy)


async def goes(trader: Trader, signal_id: str, strategy: str, side: str, **fields: Any) -> str:
    """What became of the order."""
    order = await trader.trades(signal_id=signal_id, symbol="AAPL", side=side, strategy_name=strategy, **fields)
    return order.status.value


@pytest.mark.parametrize("sells", [{"quantity": 10}, {}, {"quantity": 10, "role": "EXIT"}], ids=["sized", "unsized", "exit"])
async def test_a_strategy_that_holds_nothing_sells_nothing_of_anothers(tmp_path: Path, sells: dict[str, Any]) -> None:
    """Case 39 (openalgo#1116, go-trader#512): one strategy closed the other's position."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A")
        assert await goes(trader, "not its own", "B", "SELL", **sells) == "REJECTED"
        await scene.control.post_price(AAPL, Decimal(210))
        assert await goes(trader, "out", "A", "SELL", quantity=10) == "FILLED"
        assert await trader.books(AAPL) == agreed(Held(realized=Decimal(100)), "A")
        assert len(sent_keys(scene)) == 2


async def test_a_strategy_that_sells_more_than_its_own_leaves_anothers_alone(tmp_path: Path) -> None:
    """Case 39 (openalgo#1116, go-trader#512): the same where both hold something."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        for strategy in ("A", "B"):
            await enters(trader, strategy)
        await goes(trader, "B out", "B", "SELL", quantity=15)
        assert await goes(trader, "A out", "A", "SELL", quantity=10) == "FILLED"
        books = await trader.books(AAPL)
        assert books.report["A"] == Held()
        assert books.report["B"].quantity in (0, 10)
        assert books.venue == books.risk.quantity == books.reported


async def test_each_strategy_closes_its_own(tmp_path: Path) -> None:
    """Case 39 (openalgo#1116, go-trader#512): what B sells is booked against what B holds."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await enters(trader, "A")
        await scene.control.post_price(AAPL, Decimal(220))
        await enters(trader, "B")
        assert await goes(trader, "B out", "B", "SELL", quantity=10) == "FILLED"
        assert (await trader.books(AAPL)).report == {"A": Held(TEN, Decimal(200)), "B": Held()}
        assert await goes(trader, "A out", "A", "SELL", quantity=10) == "FILLED"
        books = await trader.books(AAPL)
        assert books.venue == books.risk.quantity == 0
        assert books.report == {"A": Held(realized=Decimal(200)), "B": Held()}


async def test_where_short_selling_is_allowed_a_strategy_may_be_short_of_what_another_holds(tmp_path: Path) -> None:
    """Case 39 (openalgo#1116, go-trader#512): the account is flat meanwhile, and A's exit goes out all the same."""
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, trading(scene) as trader:
        await enters(trader, "A")
        assert await goes(trader, "B in", "B", "SELL", quantity=10) == "FILLED"
        rows = {"A": Held(TEN, Decimal(200)), "B": Held(-TEN, Decimal(200))}
        assert await trader.books(AAPL) == Books(Decimal(0), Held(), rows)
        assert await goes(trader, "A out", "A", "SELL", quantity=10) == "FILLED"
        assert await trader.books(AAPL) == Books(-TEN, Held(-TEN, Decimal(200)), rows | {"A": Held()})


async def test_a_kill_that_closes_leaves_no_row_open_while_the_broker_is_flat(tmp_path: Path) -> None:
    """Case 39 (openalgo#1116, go-trader#512): the rows stayed LONG, `flatten` was SHORT, realised 0, and FLAT was said."""
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, trading(scene) as trader:
        for strategy in ("A", "B"):
            await enters(trader, strategy)
        await scene.control.post_price(AAPL, Decimal(240))
        assert await goes(trader, "C in", "C", "SELL", quantity=5) == "FILLED"
        await scene.control.post_price(AAPL, Decimal(230))
        assert (await trader.runner.kill("enough", flatten=True)).is_flat
        rows = {"A": Held(realized=Decimal(300)), "B": Held(realized=Decimal(300)), "C": Held(realized=Decimal(50))}
        assert await trader.books(AAPL) == Books(Decimal(0), Held(realized=Decimal(650)), rows)
        assert sorted(order["side"] for order in all_at_venue(scene)) == ["BUY", "BUY", "SELL", "SELL"]
