"""A channel as a source: what is sent while it is connected, and a count of the gaps in which it was not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from liveorder.domain.connection_record import PREFIX, ConnectionRecord
from liveorder.domain.signal import MAX_SIGNAL_BYTES
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import ChannelSource, source_of
from liveorder.infrastructure.signals.redis_channel import BUFFERED, RedisChannel
from tests.contract.event_stores import Proxy
from tests.doors.conftest import Shelf
from tests.doors.listening import HastyClock, heard, until, until_logged
from tests.harness.worlds import RememberedLog
from tests.redis_server import HOST, PORT, Redis

NOW = datetime(2025, 3, 10, 3, 50, tzinfo=UTC)


def channel(name: str, shelf: Shelf, log: RememberedLog | None = None, port: int = PORT) -> RedisChannel:
    source = source_of(Door("sources.0.url", f"redis://{HOST}:{port}/0?channel={name}"))
    assert isinstance(source, ChannelSource)
    return RedisChannel(source, shelf, HastyClock(), log or RememberedLog())


def record(shelf: Shelf) -> ConnectionRecord:
    (text,) = [value for key, value in shelf.values.items() if key.startswith(PREFIX)]
    return ConnectionRecord.from_text(text)


async def subscribed(redis: Redis, name: str, count: int = 1) -> None:
    async def is_subscribed() -> bool:
        ((_, subscribers),) = await redis.pubsub_numsub(name)
        return bool(subscribers == count)

    await until(is_subscribed)


async def test_what_is_sent_while_it_is_connected_comes_in_order(redis: Redis, name: str, shelf: Shelf) -> None:
    async with heard(channel(name, shelf)) as listener:
        await subscribed(redis, name)
        for number in range(100):
            await redis.publish(name, f"{number}")
        await listener.until(100)
    assert listener.contents == [str(number) for number in range(100)]
    assert record(shelf).gaps == 1, "it ended"


async def test_the_offset_follows_from_the_content_and_not_from_the_time(redis: Redis, name: str, shelf: Shelf) -> None:
    async with heard(channel(name, shelf)) as listener:
        await subscribed(redis, name)
        for content in ("a", "a", "b"):
            await redis.publish(name, content)
        first, second, third = await listener.until(3)
    assert first.offset == second.offset != third.offset
    assert first.published_at is not None


async def test_no_more_of_a_message_is_kept_than_shows_that_it_is_too_long(redis: Redis, name: str, shelf: Shelf) -> None:
    async with heard(channel(name, shelf)) as listener:
        await subscribed(redis, name)
        await redis.publish(name, "x" * 10_000_000)
        (message,) = await listener.until(1)
    assert len(message.raw) == MAX_SIGNAL_BYTES + 1


async def test_a_gap_is_counted_logged_and_over_once_it_is_connected_again(redis: Redis, name: str, shelf: Shelf) -> None:
    log = RememberedLog()
    async with heard(channel(name, shelf, log)) as listener:
        for gaps in range(3):
            await subscribed(redis, name)
            await redis.publish(name, f"{gaps}")
            await listener.until(gaps + 1)
            assert (record(shelf).is_connected, record(shelf).gaps) == (True, gaps)
            await redis.client_kill_filter(_type="pubsub")
            await until_counted(shelf, gaps + 1)
        await subscribed(redis, name)
    assert listener.contents == ["0", "1", "2"]
    assert len([line for line in log.of("SOURCE") if "is connected again after" in line and "is lost" in line]) >= 2
    assert any("is not connected: ConnectionError" in line for line in log.of("WARNING"))


async def until_counted(shelf: Shelf, gaps: int) -> None:
    async def is_counted() -> bool:
        return record(shelf).gaps >= gaps and record(shelf).is_connected

    await until(is_counted)


async def test_the_time_between_two_processes_is_a_gap(redis: Redis, name: str, shelf: Shelf) -> None:
    async with heard(channel(name, shelf)):
        await subscribed(redis, name)
        await until_counted(shelf, 0)
    ended = record(shelf)
    log = RememberedLog()
    async with heard(channel(name, shelf, log)):
        await until_logged(log, "is connected again after")
        assert (record(shelf).gaps, record(shelf).last_gap_from) == (1, ended.last_gap_from)


async def test_a_server_that_is_away_at_the_start_is_waited_for(redis: Redis, name: str, shelf: Shelf) -> None:
    log, proxy = RememberedLog(), Proxy(HOST, PORT)
    port = await proxy.start()
    proxy.fault = "broken"
    try:
        async with heard(channel(name, shelf, log, port)) as listener:
            await until_logged(log, "is not connected")
            proxy.fault = ""
            await subscribed(redis, name)
            await redis.publish(name, "first")
            await listener.until(1)
            assert record(shelf).gaps == 0, "a gap comes after a connection"
    finally:
        await proxy.close()


async def test_what_nobody_takes_waits_in_a_bounded_buffer(redis: Redis, name: str, shelf: Shelf) -> None:
    """The rest waits at the server, which drops a reader that falls too far behind; that is a gap then."""
    source = channel(name, shelf)
    messages = source.messages()
    first = asyncio.ensure_future(anext(messages))
    await subscribed(redis, name)
    for number in range(3 * BUFFERED):
        await redis.publish(name, f"{number}")
    assert (await first).raw == b"0"
    frame = messages.ag_frame  # type: ignore[attr-defined]  # it is a generator
    assert frame.f_locals["buffer"].qsize() <= BUFFERED
    taken = [int((await anext(messages)).raw) for _ in range(3 * BUFFERED - 1)]
    assert taken == list(range(1, 3 * BUFFERED))
    await messages.aclose()  # type: ignore[attr-defined]  # it is a generator


# --- the record ---


def test_gaps_are_added_up() -> None:
    found = ConnectionRecord(keeps=False).connected(NOW)
    assert (found.gaps, found.is_connected) == (0, True)
    for number in range(1, 3):
        found = found.disconnected(NOW + timedelta(minutes=number)).disconnected(NOW + timedelta(minutes=number, seconds=5))
        found = found.connected(NOW + timedelta(minutes=number, seconds=30))
    assert (found.gaps, found.gap_seconds) == (2, 60.0)
    assert found.last_gap_from == NOW + timedelta(minutes=2)
    assert ConnectionRecord.from_text(found.to_text()) == found


def test_a_process_that_died_leaves_a_gap_from_its_last_sign_of_life_where_that_loses_something() -> None:
    for keeps in (False, True):
        found = ConnectionRecord(keeps=keeps).connected(NOW).restarted().connected(NOW + timedelta(seconds=40))
        assert (found.gaps, found.gap_seconds) == ((0, 0.0) if keeps else (1, 40.0))


def test_ending_it_is_a_gap_where_that_loses_something() -> None:
    for keeps in (False, True):
        found = ConnectionRecord(keeps=keeps).connected(NOW).ended(NOW).restarted().connected(NOW + timedelta(seconds=40))
        assert (found.gaps, found.gap_seconds) == ((0, 0.0) if keeps else (1, 40.0))


def test_a_clock_that_was_set_back_takes_nothing_off() -> None:
    found = ConnectionRecord(keeps=False).connected(NOW).disconnected(NOW).connected(NOW - timedelta(hours=1))
    assert (found.gaps, found.gap_seconds) == (1, 0.0)
