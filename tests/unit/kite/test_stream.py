"""The ticker: a wake-up leads to a question, and what that says is told. One reactor serves every account of the process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest

from liveorder.domain.execution_report import Accepted, Execution, ExecutionReport, OrderClosed
from liveorder.infrastructure.brokers.kite import stream
from liveorder.infrastructure.brokers.kite.broker import ticker_root
from liveorder.infrastructure.brokers.kite.stream import reactor
from liveorder.infrastructure.settings.sections import Kite
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.twins.kite import API_KEY, API_SECRET
from tests.twins.kite.server import FIRST_TOKEN
from tests.twins.kite.venue import venue_id
from tests.unit.kite.stage import KEY, Scene, scene

PATIENCE_SECONDS = 20


@asynccontextmanager
async def followed(live: Scene) -> AsyncIterator[list[ExecutionReport]]:
    """What is pushed while the block lasts."""
    pushed: list[ExecutionReport] = []

    async def follow() -> None:
        async for report in live.broker.reports():
            pushed.append(report)  # noqa: PERF401 - each as it comes, not all at the end

    following = asyncio.create_task(follow())
    yield pushed
    following.cancel()
    await asyncio.wait([following])


async def told(pushed: list[ExecutionReport], kind: type[ExecutionReport]) -> ExecutionReport:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := [report for report in pushed if isinstance(report, kind)]):  # noqa: ASYNC110 - two threads and a socket
            await asyncio.sleep(0.01)
        return found[0]


async def test_a_fill_is_told_by_what_the_question_says() -> None:
    async with scene() as live, followed(live) as pushed:
        order_id = await live.submit()
        accepted = await told(pushed, Accepted)
        assert (accepted.client_order_id, accepted.broker_order_id) == (KEY, order_id)
        await live.twin.exchange.control.fill(venue_id(order_id), Decimal(4), Decimal(1260))
        execution = await told(pushed, Execution)
        assert [execution] == await live.broker.executions_since(live.twin.exchange.clock.now() - timedelta(hours=1))
        assert f"GET /orders/{order_id}/trades" in live.twin.questions


async def test_what_ended_is_told_as_ended() -> None:
    async with scene() as live, followed(live) as pushed:
        order_id = await live.submit()
        await live.twin.exchange.control.close_order(venue_id(order_id))
        assert (await told(pushed, OrderClosed)).broker_order_id == order_id


async def test_many_wake_ups_of_one_order_are_one_question() -> None:
    async with scene() as live:
        order_id = await live.submit()
        woken = stream.WakeUps(API_KEY, FIRST_TOKEN, None, 1.0)
        for _ in range(5):
            woken.wake(order_id)
        woken.wake("1900000000000000009")
        woken.has_ended = True
        assert [each async for each in woken] == [order_id, "1900000000000000009"]


async def test_what_was_told_before_anyone_read_is_not_lost() -> None:
    async with scene() as live:
        await live.submit()
        async with followed(live) as pushed:
            await told(pushed, Accepted)


async def test_reports_end_with_the_connection_and_go_on_with_the_next() -> None:
    async with scene() as live:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await live.twin.exchange.control.drop_streams()
            assert [report async for report in live.broker.reports()] == []
        await live.broker.connect()
        async with followed(live) as pushed:
            await live.submit()
            await told(pushed, Accepted)


async def test_without_a_ticker_it_is_connected_all_the_same() -> None:
    async with scene() as live:
        await live.twin.exchange.control.drop_streams(seconds=3600)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [report async for report in live.broker.reports()] == []
            await live.broker.connect()
            assert [report async for report in live.broker.reports()] == []
        assert await live.submit()
        assert live.log.of("BROKER") == ["Kite pushes nothing for now: fills are found by polling"]


async def test_a_connection_without_heartbeats_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene() as live:
        live.twin.switches.heartbeats = False
        monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.05)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [report async for report in live.broker.reports()] == []


async def test_a_question_that_fails_is_left_to_the_poll() -> None:
    async with scene() as live, followed(live) as pushed:
        await live.twin.exchange.control.lay(Fault(kind=FaultKind.QUERY_FAILED, on=Point.FIND, nth=1))
        order_id = await live.submit()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while f"GET /orders/{order_id}" not in live.twin.questions:  # noqa: ASYNC110 - a socket away
                await asyncio.sleep(0.01)
        await live.twin.exchange.control.close_order(venue_id(order_id))
        await told(pushed, OrderClosed)


async def test_accounts_share_one_reactor() -> None:
    async with AsyncExitStack() as stack:
        scenes = [await stack.enter_async_context(scene()) for _ in range(3)]
        for live in scenes:
            pushed = await stack.enter_async_context(followed(live))
            order_id = await live.submit()
            assert (await told(pushed, Accepted)).broker_order_id == order_id
        assert reactor().running


async def test_the_tickers_address_which_holds_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with scene() as live:
        await live.twin.exchange.control.drop_streams(seconds=3600)
        async for _ in live.broker.reports():
            pass
        await live.broker.connect()
    written = caplog.text + repr(live.log.lines)
    assert not any(secret in written for secret in (API_KEY, API_SECRET, FIRST_TOKEN))


@pytest.mark.parametrize(
    ("section", "address"),
    [
        (Kite(), None),
        (Kite(root="http://127.0.0.1:80"), "ws://127.0.0.1:80"),
        (Kite(root="https://proxy.example"), "wss://proxy.example"),
        (Kite(root="https://proxy.example", ticker_root="wss://ticker.example"), "wss://ticker.example"),
    ],
)
def test_the_ticker_is_where_the_api_is(section: Kite, address: str | None) -> None:
    assert ticker_root(section) == address


# --- postbacks -----------------------------------------------------------------------------------------------------------------


def postback(order_id: str, checksum: str | None = None) -> bytes:
    at = "2026-11-20 09:16:39"
    genuine = hashlib.sha256(f"{order_id}{at}{API_SECRET}".encode()).hexdigest()
    return json.dumps({"order_id": order_id, "order_timestamp": at, "status": "COMPLETE", "checksum": checksum or genuine}).encode()


async def test_a_genuine_postback_wakes_its_order() -> None:
    async with scene() as live:
        await live.twin.exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        async with followed(live) as pushed:
            order_id = await live.submit()
            assert live.broker.take_postback(postback(order_id))
            assert (await told(pushed, Accepted)).broker_order_id == order_id


@pytest.mark.parametrize("body", [postback("1", "0" * 64), postback("1", "\N{SNOWMAN}"), b"{}", b"[]", b"\xff", b'{"order_id": 1}'])
async def test_a_postback_that_could_be_anybodys_is_dropped(body: bytes) -> None:
    async with scene() as live:
        assert not live.broker.take_postback(body)
        assert live.log.of("WARNING") == ["A postback was dropped: its checksum is not Kite's"]
