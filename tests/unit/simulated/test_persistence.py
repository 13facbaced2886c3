"""What the venue has answered for, it still has after it was killed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.errors import BrokerConnectionError, BrokerError, DuplicateClientOrderId, OutcomeUnknown, StoreRefused
from liveorder.domain.execution_report import Accepted, BrokerStatus, OrderSnapshot
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.orders import ReplacedTerms
from liveorder.testing.venue.server import serve
from liveorder.testing.venue.settings import Fills, PriceSource, VenueSettings
from tests.unit.simulated.stage import AAPL, START, STILL, VirtualClock, later, limit_order, market_order, placed, told, venue_of
from tests.unit.simulated.venue_process import PATIENCE_SECONDS, WallClock, running_venue

D = Decimal
RESTING = {"order_type": "LIMIT", "limit_price": "150"}


def test_orders_and_trades_are_the_same_after_a_restart(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    venue.submit(placed())
    venue.submit(placed("K2", **RESTING))
    venue.replace("SIM", "K2", None, ReplacedTerms(replace_id="R1", quantity=D(20)))
    venue.staff.correct("X1", D(10), D(199), venue.now)
    venue.take_reports()
    before = venue.questions.orders(venue.now), venue.questions.executions_since("SIM", START)
    venue.close()
    again = venue_of(data=tmp_path / "venue.db")
    assert (again.questions.orders(again.now), again.questions.executions_since("SIM", START)) == before
    assert again.take_reports() == []
    order = again.submit(placed("K3"))
    assert (order.order_id, order.trades[0].execution_id) == ("V3", "X3")
    again.close()


def test_what_was_due_while_the_venue_was_down_happens_when_it_is_back(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"cancel_delay_seconds": 60, "fills": Fills(delay_seconds=60), "data": tmp_path / "venue.db"}
    venue = venue_of(**settings)
    venue.submit(placed())
    venue.submit(placed("K2", **RESTING))
    venue.cancel("SIM", "K2", None)
    venue.close()
    again = venue_of(now=START + timedelta(hours=1), **settings)
    again.advance(again.now)
    assert told(again, "client_order_id") == [("fill", "K1"), ("closed", "K2")]
    assert again.questions.executions_since("SIM", START + timedelta(minutes=59))["executions"] != []
    again.close()


def test_a_resting_order_trades_after_a_restart(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    venue.submit(placed(**RESTING))
    venue.close()
    again = venue_of(data=tmp_path / "venue.db")
    again.post_price(AAPL.key, D(140))
    assert told(again) == [("fill",)]
    again.close()


def test_a_price_that_moved_while_the_venue_was_down_is_seen_when_it_is_back(tmp_path: Path) -> None:
    prices, moved = (
        PriceSource(start_prices={"AAPL": D(200)}, volatility=0),
        PriceSource(start_prices={"AAPL": D(140)}, volatility=0),
    )
    venue = venue_of(data=tmp_path / "venue.db", prices=prices)
    venue.submit(placed(**RESTING))
    venue.close()
    again = venue_of(data=tmp_path / "venue.db", prices=moved)
    again.advance(again.now)
    assert told(again) == [("fill",)]
    again.close()


def test_the_venues_time_does_not_go_back_with_a_clock(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    later(venue, 3600)
    venue.submit(placed())
    venue.close()
    again = venue_of(data=tmp_path / "venue.db")
    again.submit(placed("K2"))
    since_then = again.questions.executions_since("SIM", START + timedelta(hours=1))["executions"]
    assert [execution["execution_id"] for execution in since_then] == ["X1", "X2"]
    again.close()


def test_a_change_is_written_before_it_is_told(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    venue.submit(placed(**RESTING))
    copied = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        copied.with_name(copied.name + suffix).write_bytes((tmp_path / f"venue.db{suffix}").read_bytes())
    copy = venue_of(data=copied)
    assert len(copy.questions.orders_by_key("K1", copy.now)) == 1
    copy.close()
    venue.close()


def test_a_file_in_use_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    venue = venue_of(data=tmp_path / "venue.db")
    venue.submit(placed())
    with pytest.raises(StoreRefused, match=r"venue\.db"):
        venue_of(data=tmp_path / "venue.db")
    venue.close()
    (tmp_path / "poem.txt").write_text("a poem that is long enough to be no header of a database at all" * 3)
    with pytest.raises(StoreRefused, match=r"poem\.txt"):
        venue_of(data=tmp_path / "poem.txt")


async def test_a_ready_file_says_where_the_venue_listens(tmp_path: Path) -> None:
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ready = tmp_path / "ready"
    server = asyncio.ensure_future(serve(VenueSettings(prices=STILL), VirtualClock(), ready_file=ready, announce=said.set_result))
    assert (await said) == f"venue listening on {ready.read_text()}\n"
    server.cancel()
    await asyncio.wait([server])


async def test_a_killed_venue_keeps_every_order_that_it_acknowledged(tmp_path: Path) -> None:
    async with running_venue(tmp_path / "venue.db") as (process, port):
        transport = Tcp("127.0.0.1", port, WallClock())
        broker = SimulatedBroker(transport)
        await broker.connect()
        await broker.submit(broker.prepare(market_order()))
        await broker.submit(broker.prepare(limit_order("K2")))
        before = await broker.executions_since(datetime(2026, 1, 1, tzinfo=UTC)), await broker.positions()
        process.kill()
        await process.wait()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert len([report async for report in broker.reports()]) == 4
        await broker.close()
        with pytest.raises(BrokerConnectionError):
            await broker.submit(broker.prepare(market_order("K3")))
    async with running_venue(tmp_path / "venue.db", port):
        broker = SimulatedBroker(Tcp("127.0.0.1", port, WallClock()))
        assert (await broker.executions_since(datetime(2026, 1, 1, tzinfo=UTC)), await broker.positions()) == before
        found = await broker.find("K2", None, {})
        assert isinstance(found, OrderSnapshot)
        assert found.status is BrokerStatus.WORKING
        with pytest.raises(DuplicateClientOrderId):
            await broker.submit(broker.prepare(market_order()))
        await broker.close()


async def test_a_venue_killed_amid_a_burst_has_each_order_once_after_it_is_sent_again(tmp_path: Path) -> None:
    keys = [f"K{number}" for number in range(200)]
    async with running_venue(tmp_path / "venue.db") as (process, port):
        broker = SimulatedBroker(Tcp("127.0.0.1", port, WallClock()))
        acknowledged: list[str] = []

        async def send(key: str) -> None:
            (answer,) = await broker.submit(broker.prepare(market_order(key)))
            assert isinstance(answer, Accepted)
            acknowledged.append(key)
            if len(acknowledged) == 50:
                process.kill()

        results = await asyncio.gather(*map(send, keys), return_exceptions=True)
        await process.wait()
        await broker.close()
        assert all(result is None or isinstance(result, OutcomeUnknown | BrokerConnectionError) for result in results)
    async with running_venue(tmp_path / "venue.db") as (_, port):
        transport = Tcp("127.0.0.1", port, WallClock())
        broker, control = SimulatedBroker(transport), VenueControl(transport)
        kept = {order.client_order_id for order in await control.orders()}
        assert kept >= set(acknowledged)
        again = await asyncio.gather(*(broker.submit(broker.prepare(market_order(key))) for key in keys), return_exceptions=True)
        assert {key for key, result in zip(keys, again, strict=True) if isinstance(result, BrokerError)} == kept
        assert sorted(str(order.client_order_id) for order in await control.orders()) == sorted(keys)
        await broker.close()
