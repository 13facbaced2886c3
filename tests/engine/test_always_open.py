"""A simulated market that never closes: what a day is there, on a Sunday."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.order.events import SubmissionStarted
from liveorder.domain.signal import UnusableSignal
from tests.effects.stage import stage

LATE_ON_SUNDAY = {"starts_at": "2025-03-09T23:59:30Z"}
REST: dict[str, Any] = {"order_type": "LIMIT", "limit_price": 400}
PATIENT = {"day_limit_order_seconds": 1e6}


async def test_an_order_for_the_day_is_of_that_sunday_and_ends_with_it(tmp_path: Path) -> None:
    async with stage(tmp_path, {}, {"simulation": LATE_ON_SUNDAY, "timeouts": PATIENT}) as played:
        order = await played.order(**REST)
        stored = [item.event for item in await played.engine.store.stream(order.order_id)]
        assert [str(each.session_date) for each in stored if isinstance(each, SubmissionStarted)] == ["2025-03-09"]
        await asyncio.sleep(25)
        assert (await played.now(order)).status == "SUBMITTED"
        await asyncio.sleep(15)
        ended = await played.now(order)
        assert (ended.status, ended.reason) == ("CANCELLED", "EXPIRED")


async def test_a_daily_limit_counts_that_sunday_and_begins_anew_at_midnight(tmp_path: Path) -> None:
    async with stage(tmp_path, {}, {"simulation": LATE_ON_SUNDAY, "risk": {"max_daily_trades": 1}}) as played:
        assert (await played.order("one")).is_sent
        assert not (await played.order("two")).is_sent
        await asyncio.sleep(31)
        assert (await played.order("three")).is_sent


async def test_a_stock_of_another_currency_and_one_of_extended_hours_trade_there_too(tmp_path: Path) -> None:
    async with stage(tmp_path, {}, {"simulation": LATE_ON_SUNDAY}) as played:
        for signal_id, fields in (("rupees", {"symbol": "RELIANCE", "quantity": None}), ("early", REST | {"hours": "extended"})):
            assert (await played.order(signal_id, **fields)).is_sent, signal_id


async def test_a_symbol_that_is_not_listed_is_answered_with_those_that_are(tmp_path: Path) -> None:
    async with stage(tmp_path, {}, {}) as played:
        with pytest.raises(UnusableSignal, match=r"NVDO is no instrument that simulated knows; .*\. Listed: AAPL, AMD, .*, NVDA, "):
            await played.order(symbol="NVDO")
        with pytest.raises(UnusableSignal, match=r"or name its exchange$"):  # it is listed elsewhere
            await played.order(symbol="SPY", exchange="NSE")
