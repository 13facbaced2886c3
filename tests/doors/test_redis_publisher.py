"""Confirmations to a stream: each at least once, those of an order in order, in the form that other programs read."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.outbox.messages import Confirmations
from liveorder.application.outbox.outbox import Outbox
from liveorder.infrastructure.publishers.redis_stream import AT_ONCE, RedisStreamPublisher
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import destination_of
from tests.builders import ACKNOWLEDGED, REFUSED, REJECTED, SENT, fill
from tests.contract.event_stores import Proxy
from tests.doors.listening import HastyClock, until
from tests.harness.worlds import RememberedLog
from tests.redis_server import HOST, PORT, Redis
from tests.unit.readmodels.logs import MemoryLog, order_id, requested

FIELDS = [
    "signal_id", "order_id", "status", "filled_quantity", "avg_fill_price", "filled_at", "commission",
    "event_id", "liveorder_order_id", "account_id", "strategy_name", "symbol", "side", "quantity", "order_type", "broker",
    "total_value", "submitted_at", "notes",
]  # fmt: skip


class Published:
    """A log whose confirmations go to a stream."""

    def __init__(self, name: str, log: MemoryLog, port: int = PORT, options: str = "") -> None:
        destination = destination_of(Door("publishers.0.url", f"redis://{HOST}:{port}/0?stream={name}{options}"))
        self.errors: list[Exception] = []
        outlet = Confirmations(RedisStreamPublisher(destination), RememberedLog())
        self.outbox = Outbox(log, outlet, HastyClock(), self.errors.append, 0.01)  # type: ignore[arg-type]  # the part that it uses


async def entries(redis: Redis, name: str) -> list[dict[str, Any]]:
    return [json.loads(fields[b"data"], parse_float=str) for _, fields in await redis.xrange(name)]


def in_order_of_an_order(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The versions of each order as they came, those that came before left out."""
    versions: dict[str, list[int]] = {}
    for each in found:
        seen = versions.setdefault(each["liveorder_order_id"], [])
        version = int(each["event_id"].rpartition(":")[2])
        if version not in seen:
            seen.append(version)
    return versions


async def test_a_confirmation_has_the_names_and_numbers_to_the_letter(redis: Redis, name: str) -> None:
    log = MemoryLog()
    published = Published(name, log)
    await published.outbox.open()
    log.add(1, requested(1), SENT, ACKNOWLEDGED, fill("e1", 100, "235.15", "1.00", at=9))
    await published.outbox.flush()
    ((_, fields),) = await redis.xrange(name)
    assert list(fields) == [b"data"]
    text = fields[b"data"].decode()
    found = json.loads(text)
    assert list(found) == FIELDS
    assert '"avg_fill_price":235.15,' in text
    assert '"commission":1.00,' in text
    assert '"filled_quantity":100,' in text
    assert found["filled_at"].endswith("Z")
    assert (found["signal_id"], found["status"], found["side"]) == ("signal-1", "FILLED", "BUY")
    assert (found["event_id"], found["liveorder_order_id"]) == (f"{order_id(1)}:4", str(order_id(1)))
    assert found["notes"].startswith("Filled in ")


async def test_the_broker_has_given_no_id_and_the_notes_say_why(redis: Redis, name: str) -> None:
    log = MemoryLog()
    published = Published(name, log)
    await published.outbox.open()
    log.add(1, requested(1), REFUSED)
    log.add(2, requested(2), SENT, REJECTED)
    await published.outbox.flush()
    refused, rejected = await entries(redis, name)
    assert (refused["order_id"], refused["status"], refused["avg_fill_price"], refused["filled_at"]) == (
        None,
        "REJECTED",
        None,
        None,
    )
    assert refused["notes"]
    assert rejected["notes"]


async def test_a_server_that_is_away_is_tried_again_for_ever_and_gets_all_in_order(redis: Redis, name: str) -> None:
    log, proxy = MemoryLog(), Proxy(HOST, PORT)
    published = Published(name, log, await proxy.start())
    await published.outbox.open()
    proxy.fault = "broken"
    running = asyncio.create_task(published.outbox.run())
    try:
        log.add(1, requested(1), SENT, fill("e1", 40))

        async def has_failed() -> bool:
            return len(published.errors) > 5

        await until(has_failed)
        log.add(1, fill("e2", 60))
        proxy.fault = ""

        async def is_there() -> bool:
            return len(await entries(redis, name)) >= 2

        await until(is_there)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await proxy.close()
    assert [each["status"] for each in await entries(redis, name)] == ["PARTIAL", "FILLED"]
    assert all("NotPublished" in repr(error) for error in published.errors)


@pytest.mark.parametrize("fault", ["commit", "reply"])
async def test_what_is_cut_off_comes_again_with_the_same_ids_and_each_order_stays_in_order(
    fault: str, redis: Redis, name: str
) -> None:
    log, proxy = MemoryLog(), Proxy(HOST, PORT)
    published = Published(name, log, await proxy.start())
    await published.outbox.open()
    try:
        for number in range(1, 11):
            log.add(number, requested(number), SENT, fill("e1", 40), fill("e2", 60))
            proxy.fault = fault
            with pytest.raises(Exception, match=r"ConnectionError|TimeoutError"):
                await published.outbox.flush()
            await published.outbox.flush()
    finally:
        await proxy.close()
    found = await entries(redis, name)
    assert in_order_of_an_order(found) == {str(order_id(number)): [3, 4] for number in range(1, 11)}
    assert len(found) >= 20


async def test_a_restart_goes_on_where_it_was(redis: Redis, name: str) -> None:
    log = MemoryLog()
    first = Published(name, log)
    await first.outbox.open()
    log.add(1, requested(1), SENT, fill("e1", 40))
    await first.outbox.flush()
    log.add(1, fill("e2", 60))
    second = Published(name, log)
    await second.outbox.open()
    await second.outbox.flush()
    assert [each["status"] for each in await entries(redis, name)] == ["PARTIAL", "FILLED"]


async def test_many_are_sent_in_parts_and_a_stream_can_be_kept_short(redis: Redis, name: str) -> None:
    log = MemoryLog()
    published = Published(name, log, options="&maxlen=100")
    await published.outbox.open()
    for number in range(1, AT_ONCE + 100):
        log.add(number, requested(number), REFUSED)
    await published.outbox.flush()
    length = await redis.xlen(name)
    assert 100 <= length <= 300
    assert UUID((await entries(redis, name))[-1]["liveorder_order_id"]) == order_id(AT_ONCE + 99)
