"""When a market is open, to which day things count, and what becomes of an order that comes outside the hours."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder import Signal
from liveorder.application.reporting.views import OrderView
from liveorder.bootstrap.parts import calendars_of
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import AssetClass
from liveorder.infrastructure.settings import Settings
from liveorder.infrastructure.settings.sections import SpecialSession
from tests.engine.scenes import LAX, a_scene
from tests.field_cases.cases import not_yet
from tests.field_cases.evidence import all_at_venue, held_at_venue
from tests.field_cases.trading import AAPL, Trader, listing, trading
from tests.harness.virtual_time import VirtualLoop

FUTURE = Instrument(
    symbol="ES", exchange="CME", asset_class=AssetClass.FUTURE, multiplier=Decimal(50), calendar="CMES", expiry=date(2026, 12, 18)
)
PRICES = {FUTURE.key: "6000", "NSE:RELIANCE": "1400", AAPL: "200"}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def bought(tmp_path: Path, symbol: str, at: str, **fields: Any) -> OrderView:
    """What became of an order for one."""
    limits, money = LAX.model_copy(update={"price_collar_percent": None}), {"currency": "INR" if symbol == "RELIANCE" else "USD"}
    settled: dict[str, Any] = {"limits": limits, "account_terms": money, "start": moment(at)}
    async with a_scene(tmp_path, **listing(tmp_path, FUTURE, prices=PRICES), **settled) as scene, trading(scene) as trader:
        return await trader.trades(signal_id="in", symbol=symbol, side="BUY", quantity=1, **fields)


@pytest.mark.parametrize(
    ("symbol", "at", "day"),
    [
        pytest.param("RELIANCE", "2025-02-01T11:00+05:30", "2025-02-01", id="Budget Saturday"),
        pytest.param("RELIANCE", "2026-02-01T11:00+05:30", "2026-02-01", id="Budget Sunday"),
        pytest.param("RELIANCE", "2024-11-01T18:30+05:30", "2024-11-01", id="Muhurat in the evening"),
        pytest.param("RELIANCE", "2025-10-21T14:00+05:30", "2025-10-21", id="Muhurat at noon"),
        pytest.param("AAPL", "2025-03-10T09:31-04:00", "2025-03-10", id="first Monday of summer time"),
        pytest.param("ES", "2025-03-09T17:30-05:00", "2025-03-10", id="Sunday evening in Chicago"),
    ],
)
async def test_an_order_in_a_special_session_goes_out_and_counts_to_its_day(tmp_path: Path, symbol: str, at: str, day: str) -> None:
    """Case 42 (openalgo#821, Lean#7709): the exchange was open on a holiday, and the engine was not."""
    order = await bought(tmp_path, symbol, at)
    assert (order.status, order.session_date) == ("FILLED", date.fromisoformat(day))


@pytest.mark.parametrize(
    ("symbol", "at"),
    [
        pytest.param("RELIANCE", "2025-10-21T18:30+05:30", id="evening of a Muhurat at noon"),
        pytest.param("RELIANCE", "2025-10-22T11:00+05:30", id="Diwali Balipratipada"),
        pytest.param("AAPL", "2025-11-28T13:30-05:00", id="afternoon after Thanksgiving"),
        pytest.param("AAPL", "2025-01-09T11:00-05:00", id="day of mourning"),
        pytest.param("ES", "2025-03-10T16:30-05:00", id="maintenance at Globex"),
    ],
)
async def test_an_order_in_a_break_or_on_a_holiday_is_refused(tmp_path: Path, symbol: str, at: str) -> None:
    """Case 42 (openalgo#821, Lean#7709): orders went to a market that was shut for maintenance."""
    order = await bought(tmp_path, symbol, at)
    assert (order.status, order.reason, order.attempts) == ("REJECTED", "RISK", 0)
    assert "is closed" in (order.error_message or "")


@pytest.mark.parametrize(
    ("at", "hours", "status"),
    [("2025-03-09T11:00-04:00", ("09:30-13:00",), "FILLED"), ("2025-03-10T11:00-04:00", (), "REJECTED")],
    ids=["session", "closure"],
)
async def test_sessions_and_closures_of_the_settings_are_kept(tmp_path: Path, at: str, hours: tuple[str, ...], status: str) -> None:
    """Case 42 (openalgo#821, Lean#7709): what no calendar knew could not be told to the engine either."""
    start = moment(at)
    settings = Settings(special_sessions=(SpecialSession(calendar="XNYS", day=start.date(), hours=hours),))
    async with a_scene(tmp_path, start=start, calendar=calendars_of(settings)) as scene, trading(scene) as trader:
        order = await trader.trades(signal_id="in", symbol="AAPL", side="BUY", quantity=1)
        assert (order.status, order.session_date) == (status, start.date() if status == "FILLED" else None)


async def loses(trader: Trader, amount: int) -> None:
    """By ten AAPL that are bought at 200 and sold."""
    await trader.enters(10, signal_id="in", symbol="AAPL", side="BUY", quantity=10)
    await trader.scene.control.post_price(AAPL, Decimal(200 - amount // 10))
    await trader.enters(10, signal_id="out", symbol="AAPL", side="SELL", quantity=10)


@not_yet("a refused order counts to its day in UTC, and what trades to the exchange's: the newest day shows no result")
async def test_a_day_is_one_day_for_what_trades_and_for_what_is_refused(tmp_path: Path) -> None:
    """Case 42 (openalgo#821, Lean#7709): a loss on a Sunday is in the summary of the day, beside the order that it stopped."""
    limits = LAX.model_copy(update={"max_daily_loss": Decimal(500), "allow_closed_market": True})
    sunday = moment("2025-03-09T15:00-04:00")
    async with a_scene(tmp_path, limits=limits, start=sunday) as scene, trading(scene) as trader:
        await loses(trader, 1000)
        order = await trader.trades(signal_id="more", symbol="AAPL", side="BUY", quantity=10)
        assert await trader.refused_by(order) == "daily_loss"
        (day,) = await trader.runner.todays_summary()
        assert (day.realized_pnl, day.orders, day.by_status[OrderStatus.REJECTED]) == (Decimal(-1000), 3, 1)


MONDAY_AFTERNOON = moment("2025-03-10T15:00-04:00")
LOSS_OF_500 = LAX.model_copy(update={"max_daily_loss": Decimal(500)})


async def guarded(trader: Trader) -> OrderView:
    """Of a hundred AAPL that are bought at 200: the stop at 190 that stands until it is cancelled."""
    await trader.enters(100, signal_id="in", symbol="AAPL", side="BUY", quantity=100)
    stop: dict[str, Any] = {"order_type": "STOP", "stop_price": 190, "time_in_force": "GTC", "role": "STOP_LOSS"}
    return await trader.runner.execute(Signal(signal_id="stop", symbol="AAPL", side="SELL", quantity=100, **stop))


def a_night_passes() -> None:
    """While nothing runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.pass_time(20 * 3600)


async def results(trader: Trader) -> dict[date, Decimal]:
    """What each day earned, by the report."""
    await trader.service.settle_views()
    return {row.session_date: row.realized_pnl for row in await trader.service.views.daily_summary()}


async def test_what_a_stop_of_monday_loses_on_tuesday_is_tuesdays_loss(tmp_path: Path) -> None:
    """Case 42 (openalgo#821, Lean#7709): a fill counts to the session in which it happened, whenever its order was sent."""
    async with a_scene(tmp_path, limits=LOSS_OF_500, start=MONDAY_AFTERNOON) as scene:
        async with trading(scene) as trader:
            order = await guarded(trader)
        a_night_passes()
        async with trading(scene) as trader:
            await scene.control.post_price(AAPL, Decimal(180))
            order = await trader.runner.wait_closed(order.order_id, 10)
            assert (order.status, order.average_price) == ("FILLED", Decimal(180))
            order = await trader.trades(signal_id="more", symbol="MSFT", side="BUY", quantity=1)
            assert await trader.refused_by(order) == "daily_loss"
            assert await results(trader) == {date(2025, 3, 10): 0, date(2025, 3, 11): Decimal(-2000)}


@not_yet("the risk rules count a fill to the day on which they hear of it: Monday's loss stops Tuesday's orders")
async def test_what_was_lost_on_monday_and_is_heard_of_on_tuesday_is_mondays_loss(tmp_path: Path) -> None:
    """Case 42 (openalgo#821, Lean#7709): a fill counts to the session in which it happened, whenever it is told."""
    async with a_scene(tmp_path, limits=LOSS_OF_500, start=MONDAY_AFTERNOON) as scene:
        async with trading(scene) as trader:
            order = await guarded(trader)
        await scene.control.post_price(AAPL, Decimal(180))
        a_night_passes()
        async with trading(scene) as trader:
            assert (await trader.runner.order(order.order_id)).average_price == Decimal(180)
            assert (await trader.trades(signal_id="more", symbol="MSFT", side="BUY", quantity=1)).status == "FILLED"
            assert await results(trader) == {date(2025, 3, 10): Decimal(-2000), date(2025, 3, 11): 0}


@not_yet("reports count a fill of an order that lasts days to its date in UTC, which is tomorrow in a winter evening")
async def test_what_trades_in_the_evening_counts_to_that_evening_in_reports_too(tmp_path: Path) -> None:
    """Case 42 (openalgo#821, Lean#7709): the session goes by the exchange's own clock."""
    resting: dict[str, Any] = {"order_type": "LIMIT", "limit_price": 190, "time_in_force": "GTC", "hours": "extended"}
    async with a_scene(tmp_path, start=moment("2025-01-13T19:20-05:00")) as scene, trading(scene) as trader:
        order = await trader.runner.execute(Signal(signal_id="in", symbol="AAPL", side="BUY", quantity=10, **resting))
        await scene.control.post_price(AAPL, Decimal(189))
        order = await trader.runner.wait_closed(order.order_id, 10)
        assert (order.status, order.session_date) == ("FILLED", date(2025, 1, 13))
        (day,) = await trader.runner.todays_summary()
        assert (day.session_date, day.fills, day.filled_quantity) == (date(2025, 1, 13), 1, Decimal(10))


@pytest.mark.parametrize(
    ("hours", "status", "told"), [("regular", "REJECTED", "NASDAQ is closed; wait for its session"), ("extended", "FILLED", "")]
)
async def test_an_order_outside_its_hours_is_told_so_and_one_for_extended_hours_goes_out(
    tmp_path: Path, hours: str, status: str, told: str
) -> None:
    """Case 48 (Lean#4126, alpaca-java#77): an order before the open was thrown away."""
    order = await bought(tmp_path, "AAPL", "2025-03-10T08:00-04:00", hours=hours, order_type="LIMIT", limit_price=210)
    assert order.status == status
    assert told in (order.error_message or "")


async def test_an_order_for_the_next_open_waits_for_it_and_goes_out_once(tmp_path: Path) -> None:
    """Case 48 (Lean#4126, alpaca-java#77): an order that came too early was to trade at the open."""
    signal = Signal(signal_id="early", symbol="AAPL", side="BUY", quantity=10, hours="next_open")
    async with a_scene(tmp_path, start=moment("2025-03-10T09:26-04:00")) as scene, trading(scene) as trader:
        order = await trader.runner.execute(signal)
        await asyncio.sleep(180)
        assert not order.status.is_closed
        assert held_at_venue(scene, AAPL) == 0
        order = await trader.runner.wait_closed(order.order_id, 120)
        assert (order.status, order.filled_quantity, held_at_venue(scene, AAPL)) == ("FILLED", Decimal(10), Decimal(10))
        assert [each["state"] for each in all_at_venue(scene)] == ["FILLED"]
