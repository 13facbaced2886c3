"""One connection to a venue that is a process of its own: requests answered in turn, whatever they hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.server import listening
from liveorder.testing.venue.settings import VenueSettings
from tests.unit.simulated.stage import PATIENCE_SECONDS, STILL, VirtualClock

T = TypeVar("T")
POSITIONS = b'{"verb": "positions", "account": "SIM"}\n'
TIME = b'{"verb": "admin.time"}\n'


@dataclass
class Caller:
    """One connection; the venue's time passes while it waits."""

    clock: VirtualClock
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, lines: bytes) -> None:
        self.writer.write(lines)

    async def answer(self) -> Any:
        """The next one. Fails where the venue hangs up instead."""
        return json.loads(await self._in_time(self.reader.readline()))

    async def ask(self, line: bytes) -> Any:
        self.send(line)
        return await self.answer()

    async def _in_time(self, waiting: Awaitable[T]) -> T:
        task = asyncio.ensure_future(waiting)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not task.done():
                await asyncio.wait([task], timeout=0.001)
                await self.clock.pass_time(0.1)
        return await task


@asynccontextmanager
async def a_caller(**settings: Any) -> AsyncIterator[Caller]:
    clock, venue = VirtualClock(), VenueSettings(prices=STILL, **settings)
    floor = Floor(open_venue(venue, clock.now()), venue, clock)
    try:
        async with listening(floor) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            yield Caller(clock, reader, writer)
            writer.close()
    finally:
        floor.close()


async def test_a_delayed_answer_leaves_the_connection_as_it_was() -> None:
    async with a_caller(latency_seconds=0.5) as caller:
        for _ in range(5):
            assert await caller.ask(POSITIONS) == {"positions": []}


async def test_requests_that_are_sent_before_the_last_is_answered_are_answered_in_turn() -> None:
    async with a_caller(latency_seconds=0.5) as caller:
        caller.send(POSITIONS + TIME + POSITIONS)
        assert [[*await caller.answer()] for _ in range(3)] == [["positions"], ["now"], ["positions"]]


async def test_a_caller_that_hangs_up_is_waited_for_no_longer() -> None:
    lost = Fault(kind=FaultKind.REQUEST_LOST, on=Point.POSITIONS, silent=True)
    async with a_caller(faults=FaultPlan(faults=(lost,))) as caller:
        await caller.ask(TIME)
        serving = asyncio.all_tasks()
        caller.send(POSITIONS)
        caller.writer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while asyncio.all_tasks() >= serving:  # noqa: ASYNC110 - its end is seen from outside only
                await asyncio.sleep(0.001)


NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "1e400", "null", "[]", "{}"),
    *(f'"{text}"' for text in ("NaN", "sNaN", "-Infinity", "1e999999", "ten", "")),
]
NOT_POSITIVE = ["-1", '"-0.1"']
PLACES = [
    ("quantity", '"admin.fill", "broker_order_id": "V1", "price": "1", "quantity": {}', [*NUMBERS, *NOT_POSITIVE, "0"]),
    ("price", '"admin.fill", "broker_order_id": "V1", "quantity": "1", "price": {}', NUMBERS),
    ("quantity", '"admin.correct", "execution_id": "X1", "price": "1", "quantity": {}', [*NUMBERS, *NOT_POSITIVE]),
    ("price", '"admin.correct", "execution_id": "X1", "quantity": "1", "price": {}', NUMBERS),
    ("price", '"admin.price", "instrument": "NASDAQ:AAPL", "price": {}', NUMBERS),
    ("ratio", '"admin.split", "broker_order_id": "V1", "ratio": {}', [*NUMBERS, *NOT_POSITIVE, "0"]),
    ("seconds", '"admin.drop_streams", "seconds": {}', [*NUMBERS, *NOT_POSITIVE, "1e300"]),
    ("quantity", '"admin.restate", "broker_order_id": "V1", "terms": {{"quantity": {}}}', ["NaN", '"1e999999"', "-1", '"ten"']),
    ("limit_price", '"admin.restate", "broker_order_id": "V1", "terms": {{"limit_price": {}}}', ["NaN", '"1e999999"', '"ten"']),
    ("seconds", '"admin.fault", "fault": {{"kind": "request_held", "seconds": {}}}', ["NaN", "Infinity", "1e300", "-1", '"ten"']),
    ("probability", '"admin.fault", "fault": {{"kind": "request_lost", "probability": {}}}', ["NaN", "2", "-1", '"ten"']),
    ("nth", '"admin.fault", "fault": {{"kind": "request_lost", "nth": {}}}', ["NaN", "0", "-1", "1.5", '"ten"']),
    ("price", '"admin.fault", "fault": {{"kind": "correction", "on": "fill", "price": {}}}', ["NaN", '"1e999999"', '"ten"']),
    (
        "quantity",
        '"admin.submit", "account": "SIM", "instrument": "NASDAQ:AAPL", "side": "BUY", "order_type": "MARKET", "quantity": {}',
        ["NaN", '"1e999999"', "-1", '"ten"'],
    ),
]
BAD = [(field, f'{{"verb": {place.format(number)}}}') for field, place, numbers in PLACES for number in numbers]


@pytest.mark.parametrize(("field", "line"), BAD)
async def test_a_number_that_cannot_be_used_is_named_by_its_field_and_the_connection_stays(field: str, line: str) -> None:
    async with a_caller() as caller:
        refused = await caller.ask(line.encode() + b"\n")
        assert refused["error"] in ("malformed", "invalid_order")
        assert field in refused["message"]
        assert "now" in await caller.ask(TIME)


@pytest.mark.parametrize("line", [b'{"verb": "admin.price"}', b'{"verb": "cancel", "account": []}', b"\xff\xfe{}", b"{}", b"7"])
async def test_a_request_that_makes_no_sense_leaves_the_connection_as_it_was(line: bytes) -> None:
    async with a_caller() as caller:
        assert "error" in await caller.ask(line + b"\n")
        assert "now" in await caller.ask(TIME)


def test_a_venue_is_not_opened_with_a_delay_that_never_ends() -> None:
    for seconds in (float("inf"), float("nan"), 1e300, -1.0):
        with pytest.raises(ValueError, match="latency_seconds"):
            VenueSettings(latency_seconds=seconds)
