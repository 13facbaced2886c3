"""What changes a position though nobody ordered it: an expiry, a split, a fee that is kept out of the coins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.errors import InvalidSymbolError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight, Side
from liveorder.testing.venue.capabilities import capabilities_of
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_scene
from tests.field_cases.cases import not_yet
from tests.field_cases.evidence import held_at_venue
from tests.field_cases.trading import AAPL, Held, Trader, agreed, listing, trading

CALL_200, CALL_210 = "OPRA:AAPL:2026-12-18:200:CALL", "OPRA:AAPL:2026-12-18:210:CALL"
ETHER = "CRYPTO:ETH/USD"


def a_call(strike: int) -> dict[str, Any]:
    """Named whole, as a signal names it and a person does."""
    of_aapl = {"symbol": "AAPL", "exchange": "OPRA", "asset_class": AssetClass.OPTION}
    return of_aapl | {"expiry": date(2026, 12, 18), "strike": Decimal(strike), "right": OptionRight.CALL}


def options(folder: Path, *strikes: int) -> dict[str, Any]:
    """For `a_scene`: calls on AAPL, all at 2."""
    calls = [Instrument(multiplier=Decimal(100), **a_call(strike)) for strike in strikes]
    return listing(folder, *calls, prices={call.key: "2" for call in calls} | {AAPL: "200"})


async def expires(trader: Trader, instrument: str, units: int, **named: Any) -> None:
    """At the broker first, where it is gone; then a person says why, and whose it was."""
    await trader.scene.control.place(ACCOUNT, instrument, Side.SELL, Decimal(units))
    await trader.person_books(Decimal(-units), "EXPIRED", strategy_name="wheel", **named)


async def trades_today(trader: Trader) -> str:
    """As the rules count them for a new order, that one included."""
    order = await trader.enters(1, signal_id="probe", symbol="MSFT", side="BUY", quantity=1)
    (measured,) = [line.data["figures"] for line in await trader.runner.history(order.order_id) if "figures" in line.data]
    return str(measured["trades_today"])


async def test_a_stock_that_became_worthless_is_flat_and_lost_in_report_and_risk_book_alike(tmp_path: Path) -> None:
    """Case 40 (Lean#5016, ib_async#93, nautilus#4454): the loss stood in one book and not in the other."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await scene.control.post_price(AAPL, Decimal(2))
        await trader.enters(5, signal_id="in", symbol="AAPL", side="BUY", quantity=5, strategy_name="wheel")
        await expires(trader, AAPL, 5, symbol="AAPL", exchange="NASDAQ")
        assert await trader.books(AAPL) == agreed(Held(realized=Decimal("-10.00")), "wheel")
        assert (await trader.runner.reconcile())[0].is_clean
        assert await trades_today(trader) == "2"


async def test_an_option_that_expired_is_flat_and_lost_in_report_and_risk_book_alike(tmp_path: Path) -> None:
    """Case 40 (Lean#5016, ib_async#93, nautilus#4454): an option expired, and its position stayed."""
    async with a_scene(tmp_path, **options(tmp_path, 200)) as scene, trading(scene) as trader:
        await trader.enters(5, signal_id="in", side="BUY", quantity=5, strategy_name="wheel", **a_call(200))
        await expires(trader, CALL_200, 5, **a_call(200))
        assert await trader.books(CALL_200) == agreed(Held(realized=Decimal("-1000.00")), "wheel")
        assert (await trader.runner.reconcile())[0].is_clean


@not_yet(
    "a contract is named by symbol and exchange alone, which fit both strikes: neither can be booked", raises=InvalidSymbolError
)
async def test_of_two_strikes_the_one_that_expired_is_named_whole(tmp_path: Path) -> None:
    """Case 40 (Lean#5016, ib_async#93, nautilus#4454): with two strikes on one underlying no expiry could be booked at all."""
    async with a_scene(tmp_path, **options(tmp_path, 200, 210)) as scene, trading(scene) as trader:
        for strike in (200, 210):
            await trader.enters(5, signal_id=f"call {strike}", side="BUY", quantity=5, strategy_name="wheel", **a_call(strike))
        await expires(trader, CALL_200, 5, **a_call(200))
        assert await trader.books(CALL_200) == agreed(Held(realized=Decimal("-1000.00")), "wheel")
        assert await trader.books(CALL_210) == agreed(Held(Decimal(5), Decimal(2)), "wheel")


async def test_a_split_gives_its_holder_more_units_for_the_same_cost(tmp_path: Path) -> None:
    """Case 40 (Lean#5016, ib_async#93, nautilus#4454): the same of a split of four for one."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10, strategy_name="trend")
        await scene.control.post_price(AAPL, Decimal(50))
        await scene.control.place(ACCOUNT, AAPL, Side.BUY, Decimal(30))
        await trader.person_books(Decimal(30), "SPLIT", symbol="AAPL", exchange="NASDAQ", strategy_name="trend")
        assert await trader.books(AAPL) == agreed(Held(Decimal(40), Decimal(50)), "trend")
        order = await trader.trades(signal_id="out", symbol="AAPL", side="SELL", quantity=40, strategy_name="trend")
        assert (order.status, await trader.books(AAPL)) == ("FILLED", agreed(Held(), "trend"))


async def buys_a_coin(scene: Scene, trader: Trader) -> None:
    """One ether, of which the broker keeps 0.0025 as its fee; a sale by hand stands for that."""
    await trader.enters(1, signal_id="in", symbol="ETH/USD", side="BUY", quantity=1)
    await scene.control.place(ACCOUNT, ETHER, Side.SELL, Decimal("0.0025"))


KEEPS_COINS = replace(capabilities_of(STILL), fees_in_kind={AssetClass.CRYPTO: Decimal("0.0025")})


@pytest.mark.parametrize("waits", [0, 60])
async def test_what_is_left_of_a_coin_after_the_fee_can_be_sold_with_the_size_that_was_bought(tmp_path: Path, waits: int) -> None:
    """Case 46 (freqtrade#528, #1371; alpaca-py#374): the fee was taken in the coin, and the position could not be closed."""
    async with a_scene(tmp_path, capabilities=KEEPS_COINS) as scene, trading(scene) as trader:
        await buys_a_coin(scene, trader)
        await trader.runner.reconcile()
        await asyncio.sleep(waits)
        order = await trader.trades(signal_id="out", symbol="ETH/USD", side="SELL", quantity="1")
        assert (order.status, order.filled_quantity) == ("FILLED", Decimal("0.9975"))
        assert held_at_venue(scene, ETHER) == 0
        assert (await trader.trades(signal_id="again", symbol="ETH/USD", side="BUY", quantity="1")).status == "FILLED"
        await scene.control.place(ACCOUNT, ETHER, Side.SELL, Decimal("0.0025"))
        await asyncio.sleep(120)
        books = await trader.books(ETHER)
        assert (books.venue, books.risk.quantity, books.reported) == (Decimal("0.9975"),) * 3


async def test_a_fee_in_the_coin_comes_off_what_is_held_so_that_all_of_it_can_be_sold(tmp_path: Path) -> None:
    """Case 46 (freqtrade#528, #1371; alpaca-py#374): the rest that never was kept the next entry from going out."""
    async with a_scene(tmp_path) as scene, trading(scene) as trader:
        await buys_a_coin(scene, trader)
        named = {"symbol": "ETH/USD", "exchange": "CRYPTO", "strategy_name": "default"}
        await trader.person_books(Decimal("-0.0025"), "FEE_IN_KIND", **named)
        books = await trader.books(ETHER)
        assert (books.venue, books.risk.quantity, books.reported) == (Decimal("0.9975"),) * 3
        assert (await trader.trades(signal_id="out", symbol="ETH/USD", side="SELL", quantity="0.9975")).status == "FILLED"
        books = await trader.books(ETHER)
        assert books.venue == books.risk.quantity == 0
        assert [row.quantity for row in books.report.values()] == [0]
        assert (await trader.trades(signal_id="again", symbol="ETH/USD", side="BUY", quantity="1")).status == "FILLED"
