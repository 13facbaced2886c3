"""The stream's life: what it tells, and what becomes of it when it is lost."""

from __future__ import annotations

import asyncio

import pytest

from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.execution_report import Accepted, OrderClosed
from tests.unit.alpaca.stage import KEY, PATIENCE_SECONDS, Live, event_json, live, order_of


async def ends(here: Live) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for _ in here.broker.reports():
            pass


async def test_what_happens_between_connecting_and_listening_is_told() -> None:
    async with live() as here:
        await here.submit()
        (report,) = await here.next_reports(1)
        assert isinstance(report, Accepted)
        assert report.client_order_id == KEY


async def test_a_reader_that_stops_leaves_the_rest_to_the_next() -> None:
    async with live() as here:
        await here.submit()
        await here.cancel(None)
        (first,) = await here.next_reports(1)
        (second,) = await here.next_reports(1)
        assert (type(first), type(second)) == (Accepted, OrderClosed)


async def test_reports_end_when_the_connection_is_lost_and_begin_again_when_it_is_made() -> None:
    async with live() as here:
        await here.venue.drop_streams()
        await ends(here)
        await ends(here)
        await here.broker.connect()
        await here.submit()
        assert [type(each) for each in await here.next_reports(1)] == [Accepted]


async def test_reports_end_when_the_server_goes_away() -> None:
    async with live() as here:
        async with here.twin.away():
            await ends(here)
            with pytest.raises(BrokerConnectionError):
                await here.broker.connect()
            await ends(here)
        await here.broker.connect()
        await here.twin.updates.push(event_json("new"))
        assert [type(each) for each in await here.next_reports(1)] == [Accepted]


async def test_a_stream_that_is_not_to_be_had_is_no_connection() -> None:
    async with live() as here:
        await here.venue.drop_streams(seconds=60)
        await ends(here)
        with pytest.raises(BrokerConnectionError):
            await here.broker.connect()


async def test_connecting_while_connected_keeps_the_stream() -> None:
    async with live() as here:
        await here.submit()
        await here.broker.connect()
        await here.submit(order_of(client_order_id="K2"))
        assert [each.client_order_id for each in await here.next_reports(2)] == [KEY, "K2"]


async def test_nothing_is_pushed_before_connecting_and_after_closing() -> None:
    async with live() as here:
        await here.broker.close()
        await ends(here)


async def test_closing_ends_a_reader_that_waits() -> None:
    async with live() as here:
        reading = asyncio.create_task(ends(here))
        await asyncio.sleep(0)
        await here.broker.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reading
