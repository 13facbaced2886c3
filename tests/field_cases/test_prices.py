"""Prices on the grid of what they are of, and stops on the right side of the market."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Signal
from liveorder.domain.instrument import Instrument
from tests.engine.scenes import LAX, a_scene
from tests.field_cases.cases import not_yet
from tests.field_cases.evidence import all_at_venue, held_at_venue
from tests.field_cases.trading import AAPL, MSFT, listing, trading

SHORTS = LAX.model_copy(update={"allow_short_selling": True})


@pytest.mark.parametrize(
    ("market", "side", "limit_price", "becomes"),
    [
        ("0.9", "BUY", "0.8765", "0.8765"),
        ("0.8", "SELL", "0.8765", "0.8765"),
        ("0.9", "BUY", "0.0042", "0.0042"),
        ("240", "BUY", "231.2345", "231.23"),
        ("220", "SELL", "231.2345", "231.24"),
    ],
)
async def test_a_price_has_four_decimals_below_a_dollar_and_cents_above(
    tmp_path: Path, market: str, side: str, limit_price: str, becomes: str
) -> None:
    """Case 41 (Lean#3453, alpaca csharp#497): cents for what costs less than one, and too many digits above."""
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        await scene.control.post_price(AAPL, Decimal(market))
        resting: dict[str, Any] = {"order_type": "LIMIT", "limit_price": limit_price, "quantity": 100}
        order = await trader.runner.execute(Signal(signal_id="in", symbol="AAPL", side=side, **resting))
        (sent,) = all_at_venue(scene)
        assert (order.status, order.limit_price, sent["limit_price"]) == ("SUBMITTED", Decimal(becomes), becomes)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_an_order_at_a_price_of_nothing_does_not_leave(tmp_path: Path, side: str) -> None:
    """Case 41 (Lean#3453, alpaca csharp#497): a limit below one tick was sent as a price of 0."""
    penny = Instrument(symbol="PENNY", exchange="US", tick_size=Decimal("0.01"))
    async with a_scene(tmp_path, **listing(tmp_path, penny, prices={"US:PENNY": "0.0042"})) as scene, trading(scene) as trader:
        signal = Signal(signal_id="in", symbol="PENNY", side=side, quantity=100, order_type="LIMIT", limit_price="0.0042")
        codes = [refusal.code for refusal in await trader.runner.validate(signal)]
        assert ("invalid_limit_price" in codes) is (side == "BUY")
        assert (await trader.runner.execute(signal)).status == "REJECTED"
        assert all_at_venue(scene) == []


@not_yet("nothing compares a stop with the market: it is sent, and is active at once")
@pytest.mark.parametrize(
    "stop",
    [
        {"symbol": "AAPL", "side": "SELL", "order_type": "STOP", "stop_price": "1900", "role": "STOP_LOSS"},
        {"symbol": "MSFT", "side": "BUY", "order_type": "STOP", "stop_price": "40"},
        {"symbol": "MSFT", "side": "BUY", "order_type": "STOP_LIMIT", "stop_price": "40", "limit_price": "41"},
    ],
    ids=["sell above the market", "buy below it", "buy below it with a limit"],
)
async def test_a_stop_that_is_passed_already_is_refused(tmp_path: Path, stop: dict[str, Any]) -> None:
    """Case 45 (crypto-bot#22): a digit too many, or too few, and the stop traded at once."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        signal = Signal(signal_id="stop", quantity=10, **stop)
        assert "stop_already_passed" in [refusal.code for refusal in await trader.runner.validate(signal)]
        order = await trader.runner.execute(signal)
        assert (order.status, await trader.refused_by(order)) == ("REJECTED", "stop_already_passed")
        await asyncio.sleep(10)
        assert (held_at_venue(scene, AAPL), held_at_venue(scene, MSFT)) == (Decimal(10), Decimal(0))
        assert len(all_at_venue(scene)) == 1
