"""How much an exit sells: what is held, by the strategy and at the broker, and never more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Signal
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, LAX, a_scene
from tests.field_cases.evidence import held_at_venue, sent_keys
from tests.field_cases.trading import AAPL, RELIANCE, Held, agreed, trading

MORNING_IN_MUMBAI = datetime(2025, 3, 10, 5, 0, tzinfo=UTC)
ENTRY = '{"signal_id":"in","signal_type":"BUY","symbol":"RELIANCE","cms_score":75.0}'
EXIT = '{"signal_id":"out","signal_type":"SELL","symbol":"RELIANCE","cms_score":-75.0}'


@pytest.mark.parametrize("allow_short_selling", [False, True])
@pytest.mark.parametrize(
    ("position_size", "bought_at", "units", "sold_at", "earned"),
    [
        (25000, "1238.50", 20, "1300", "1230"),
        (25000, "1238.50", 20, "1100", "-2770"),
        (1500, "1400", 1, "1600", "200"),
    ],
)
async def test_an_exit_without_a_size_sells_what_its_strategy_holds(
    tmp_path: Path, position_size: int, bought_at: str, units: int, sold_at: str, earned: str, allow_short_selling: bool
) -> None:
    """Case 36 (tradingview-alert-connector#8, tradingview-webhooks-bot#19): the exit came to less than was held, or to more."""
    limits = LAX.model_copy(update={"position_size": Decimal(position_size), "allow_short_selling": allow_short_selling})
    settled: dict[str, Any] = {"limits": limits, "account_terms": {"currency": "INR"}, "start": MORNING_IN_MUMBAI}
    async with a_scene(tmp_path, **settled) as scene, trading(scene) as trader:
        await scene.control.post_price(RELIANCE, Decimal(bought_at))
        await trader.enters(units, Signal.parse(ENTRY))
        await scene.control.post_price(RELIANCE, Decimal(sold_at))
        order = await trader.trades(Signal.parse(EXIT))
        assert (order.status, order.quantity, order.average_price) == ("FILLED", Decimal(units), Decimal(sold_at))
        assert await trader.books(RELIANCE) == agreed(Held(realized=Decimal(earned)))


async def test_a_cover_without_a_size_buys_what_its_strategy_is_short(tmp_path: Path) -> None:
    """Case 36 (tradingview-alert-connector#8, tradingview-webhooks-bot#19): the other way round."""
    limits = LAX.model_copy(update={"position_size": Decimal(2000), "allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="SELL")
        await scene.control.post_price(AAPL, Decimal(250))
        order = await trader.trades(signal_id="out", symbol="AAPL", side="BUY")
        assert (order.status, order.quantity) == ("FILLED", Decimal(10))
        assert await trader.books(AAPL) == agreed(Held(realized=Decimal(-500)))


async def test_an_exit_without_a_size_sells_every_part_of_a_coin(tmp_path: Path) -> None:
    """Case 36 (tradingview-alert-connector#8, tradingview-webhooks-bot#19): a rest stayed."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters("0.0166", signal_id="in", symbol="BTC/USD", side="BUY")
        await scene.control.post_price("CRYPTO:BTC/USD", Decimal(70000))
        order = await trader.trades(signal_id="out", symbol="BTC/USD", side="SELL")
        assert (order.status, order.quantity) == ("FILLED", Decimal("0.0166"))
        assert await trader.books("CRYPTO:BTC/USD") == agreed(Held(realized=Decimal(166)))


@pytest.mark.parametrize("allow_short_selling", [False, True])
@pytest.mark.parametrize("exit_", [{"quantity": 10}, {"role": "EXIT"}], ids=["sized", "all"])
@pytest.mark.parametrize("by_hand", [10, 4])
async def test_an_exit_sells_no_more_than_the_broker_still_holds(
    tmp_path: Path, by_hand: int, exit_: dict[str, Any], allow_short_selling: bool
) -> None:
    """Case 37 (freqtrade#4470, #7928): a person had sold the position, and the bot sold it again."""
    limits = LAX.model_copy(update={"allow_short_selling": allow_short_selling})
    async with a_scene(tmp_path, limits=limits) as scene, trading(scene, reconcile_seconds=300.0) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        await asyncio.sleep(10)
        await scene.control.place(ACCOUNT, AAPL, Side.SELL, Decimal(by_hand))
        await asyncio.sleep(10)
        order = await trader.trades(signal_id="out", symbol="AAPL", side="SELL", **exit_)
        assert (held_at_venue(scene, AAPL), order.filled_quantity) == (Decimal(0), Decimal(10 - by_hand))
        assert len(sent_keys(scene)) == (1 if by_hand == 10 else 2)


async def test_an_exit_for_which_the_broker_does_not_answer_goes_out_by_our_book_and_says_so(tmp_path: Path) -> None:
    """Case 37 (freqtrade#4470, #7928): the other side of it, since an exit must not depend on an answer."""
    async with a_scene(tmp_path) as scene, trading(scene, reconcile_seconds=300.0) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        await scene.lay(FaultKind.QUERY_FAILED, Point.POSITIONS, None)
        order = await trader.trades(signal_id="out", symbol="AAPL", side="SELL", quantity=10)
        assert (order.status, order.filled_quantity) == ("FILLED", Decimal(10))
        assert await trader.books(AAPL) == agreed(Held())
        assert "position_unconfirmed" in order.to_json()
