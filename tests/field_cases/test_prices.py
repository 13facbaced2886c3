"""Prices on the grid of what they are of, and stops on the right side of the market."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Signal
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.instrument import Instrument
from liveorder.domain.risk_limits import PassedExitStop
from tests.engine.scenes import LAX, a_scene
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


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
async def test_an_exit_at_a_price_of_nothing_does_not_leave(tmp_path: Path, field: str) -> None:
    """Case 41 (Lean#3453, alpaca csharp#497): nor does an entry whose exits could never trade."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        guarded: dict[str, Any] = {"protection": "external", field: "-5"}
        order = await trader.runner.execute(Signal(signal_id="in", symbol="AAPL", side="BUY", quantity=10, **guarded))
        assert (order.status, await trader.refused_by(order)) == ("REJECTED", f"invalid_{field}")
        assert all_at_venue(scene) == []


@pytest.mark.parametrize(
    "stop",
    [
        {"side": "BUY", "order_type": "STOP", "stop_price": "40"},
        {"side": "BUY", "order_type": "STOP_LIMIT", "stop_price": "40", "limit_price": "41"},
        {"side": "SELL", "order_type": "STOP", "stop_price": "4000"},
        {"side": "BUY", "order_type": "MARKET_IF_TOUCHED", "stop_price": "4000"},
        {"side": "SELL", "order_type": "LIMIT_IF_TOUCHED", "stop_price": "40", "limit_price": "400"},
    ],
    ids=lambda stop: f"{stop['side']} {stop['order_type']}",
)
async def test_a_stop_that_is_passed_already_is_refused_where_it_opens(tmp_path: Path, stop: dict[str, Any]) -> None:
    """Case 45 (crypto-bot#22): a digit too many, or too few, and the stop traded at once. MSFT stands at 400."""
    async with a_scene(tmp_path, limits=SHORTS) as scene, trading(scene) as trader:
        signal = Signal(signal_id="stop", symbol="MSFT", quantity=10, **stop)
        assert "stop_already_passed" in [refusal.code for refusal in await trader.runner.validate(signal)]
        order = await trader.runner.execute(signal)
        assert (order.status, await trader.refused_by(order)) == ("REJECTED", "stop_already_passed")
        await asyncio.sleep(10)
        assert (held_at_venue(scene, MSFT), all_at_venue(scene)) == (Decimal(0), [])


GUARD: dict[str, Any] = {"symbol": "AAPL", "side": "SELL", "quantity": 10, "order_type": "STOP", "stop_price": "1900"}


@pytest.mark.parametrize("role", ["EXIT", "STOP_LOSS", "ENTRY"])
async def test_a_passed_stop_that_only_reduces_becomes_a_market_exit(tmp_path: Path, role: str) -> None:
    """Case 45 (crypto-bot#22): what was to guard the position at 190 says 1900; what was asked stands beside what it came to."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        order = await trader.enters(10, signal_id="stop", role=role, **GUARD, time_in_force="GTC")
        assert (order.order_type, order.stop_price, order.time_in_force) == ("MARKET", None, "DAY")
        assert (order.asked_order_type, order.asked_stop_price, order.asked_limit_price) == ("STOP", Decimal(1900), None)
        said = (await trader.runner.history(order.order_id))[0].sentence
        assert "SELL 10 NASDAQ:AAPL at market (asked as stop, stop 1900, which is passed), DAY" in said
        _, exit_ = all_at_venue(scene)
        assert (exit_["order_type"], exit_.get("stop_price")) == ("MARKET", None)
        assert held_at_venue(scene, AAPL) == 0


async def test_a_passed_stop_that_only_reduces_is_refused_where_the_settings_say_so(tmp_path: Path) -> None:
    """Case 45 (crypto-bot#22): the flag."""
    refusing = LAX.model_copy(update={"passed_exit_stop": PassedExitStop.REFUSE})
    async with a_scene(tmp_path, limits=refusing) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        for role in ("STOP_LOSS", "ENTRY"):
            order = await trader.runner.execute(Signal(signal_id=role, role=role, **GUARD))
            assert (order.status, await trader.refused_by(order)) == ("REJECTED", "stop_already_passed")
            assert (await trader.engine.orders.get(order.order_id)).terms.is_exit
        assert len(all_at_venue(scene)) == 1


async def test_a_limit_exit_far_from_the_market_does_not_leave(tmp_path: Path) -> None:
    """Case 45 (crypto-bot#22): a limit exit at 1 with the market at 200 went out; so did new terms of one that rests."""
    collar = LAX.model_copy(update={"price_collar_percent": Decimal(10)})
    async with a_scene(tmp_path, limits=collar) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        leaving: dict[str, Any] = {"symbol": "AAPL", "side": "SELL", "quantity": 10, "order_type": "LIMIT", "role": "EXIT"}
        order = await trader.runner.execute(Signal(signal_id="out", limit_price="1", **leaving))
        assert (order.status, await trader.refused_by(order)) == ("REJECTED", "price_collar")
        resting = await trader.runner.execute(Signal(signal_id="rest", limit_price="900", **leaving))
        with pytest.raises(DecisionRefused, match=r"^price_collar: SELL at 1 is 99\.50 % worse than the last price, 200"):
            await trader.runner.replace(resting.order_id, limit_price=Decimal(1))
        assert held_at_venue(scene, AAPL) == 10
        await trader.runner.replace(resting.order_id, limit_price=Decimal(190))
        await trader.runner.wait_closed(resting.order_id, 60)
        assert held_at_venue(scene, AAPL) == 0


@pytest.mark.parametrize(("side", "past"), [("SELL", "1900"), ("BUY", "19")])
async def test_a_stop_is_not_moved_past_the_market(tmp_path: Path, side: str, past: str) -> None:
    """Case 45 (crypto-bot#22): not by new terms either, of a guard or of an entry."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
        stop = "100" if side == "SELL" else "300"
        order = await trader.runner.execute(Signal(signal_id="stop", **GUARD | {"side": side, "stop_price": stop}))
        with pytest.raises(DecisionRefused, match="stop_already_passed: AAPL stands at 200"):
            await trader.runner.replace(order.order_id, stop_price=Decimal(past))
        await trader.runner.replace(order.order_id, quantity=Decimal(9))
        assert (await trader.runner.order(order.order_id)).stop_price == Decimal(stop)
