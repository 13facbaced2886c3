"""A stream as a source: each entry until it is acknowledged, in the order of the ids, through deaths and lost connections."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.signal import MAX_SIGNAL_BYTES, Signal, UnusableSignal
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import StreamSource, source_of
from liveorder.infrastructure.signals import redis_stream
from liveorder.infrastructure.signals.redis_stream import RedisStream
from tests.contract.event_stores import Proxy
from tests.doors.conftest import Shelf
from tests.doors.listening import HastyClock, heard, until, until_logged
from tests.harness.worlds import RememberedLog
from tests.redis_server import HOST, PORT, Redis, add, end_connections, is_all_acknowledged, pending


def stream(name: str, shelf: Shelf, log: RememberedLog | None = None, port: int = PORT, options: str = "") -> RedisStream:
    source = source_of(Door("sources.0.url", f"redis://{HOST}:{port}/0?stream={name}{options}"))
    assert isinstance(source, StreamSource)
    return RedisStream(source, shelf, HastyClock(), log or RememberedLog())


async def test_what_is_added_after_the_first_start_comes_in_order_and_is_acknowledged(
    redis: Redis, name: str, shelf: Shelf
) -> None:
    await add(redis, name, "before")
    source = stream(name, shelf)
    assert (await source.settle()).startswith("after ")
    ids = [await add(redis, name, f"{number}") for number in range(100)]
    async with heard(source) as listener:
        await listener.until(100)
        assert [message.offset for message in listener.messages] == ids
        assert listener.contents == [str(number) for number in range(100)]
        await until(lambda: is_all_acknowledged(redis, name))


async def test_from_beginning_takes_what_is_there_at_the_first_start_and_only_then(redis: Redis, name: str, shelf: Shelf) -> None:
    await add(redis, name, "before")
    source = stream(name, shelf, options="&from_beginning=true")
    assert await source.settle() == "from its beginning"
    async with heard(source) as listener:
        await listener.until(1)
    assert await stream(name, shelf, options="&from_beginning=true").settle() == "where its group left off, after what is pending"


async def test_an_entry_is_dated_by_its_id_and_never_later_than_now(redis: Redis, name: str, shelf: Shelf) -> None:
    source = stream(name, shelf)
    await source.settle()
    await add(redis, name, "1", "5-1")
    await add(redis, name, "2", "1741578600000-0")
    await add(redis, name, "3", "99999999999999-0")
    async with heard(source) as listener:
        messages = await listener.until(3)
    assert messages[0].published_at is None
    assert messages[1].published_at == datetime(2025, 3, 10, 3, 50, tzinfo=UTC)
    assert messages[2].published_at is not None
    assert messages[2].published_at <= datetime.now(UTC)


async def test_an_entry_of_several_fields_is_a_signal_of_these_fields(redis: Redis, name: str, shelf: Shelf) -> None:
    source = stream(name, shelf)
    await source.settle()
    fields = {"signal_type": "BUY", "symbol": "RELIANCE", "cms_score": "75.0", "timestamp": "2025-03-10T09:20:00+05:30"}
    await redis.xadd(name, fields)
    await redis.execute_command("XADD", name, "*", "symbol", "A", "symbol", "B", "signal_id", "1")
    await redis.execute_command("XADD", name, "*", "symbol", b"caf\xe9", "side", "BUY", "signal_id", "1")
    async with heard(source) as listener:
        messages = await listener.until(3)
    assert Signal.parse(messages[0].raw) == Signal.parse(json.dumps(fields))
    for number, reason in ((1, "given twice"), (2, "not UTF-8")):
        with pytest.raises(UnusableSignal, match=reason):
            Signal.parse(messages[number].raw)


async def test_no_more_of_an_entry_is_kept_than_shows_that_it_is_too_long(redis: Redis, name: str, shelf: Shelf) -> None:
    source = stream(name, shelf)
    await source.settle()
    await add(redis, name, "x" * 10_000_000)
    await redis.xadd(name, {f"field{number}": "x" * 1_000_000 for number in range(10)})
    async with heard(source) as listener:
        messages = await listener.until(2)
    assert [len(message.raw) for message in messages] == [MAX_SIGNAL_BYTES + 1] * 2


async def test_a_new_owner_first_claims_what_is_pending_whoever_had_it_in_the_order_of_the_ids(
    redis: Redis, name: str, shelf: Shelf
) -> None:
    await stream(name, shelf).settle()
    ids = [await add(redis, name, f"{number}") for number in range(100)]
    for reader in ("another", "liveorder", "third"):
        await redis.xreadgroup("liveorder", reader, {name: ">"}, count=25)
    async with heard(stream(name, shelf)) as listener:
        await listener.until(100)
        assert [message.offset for message in listener.messages] == ids
        await until(lambda: is_all_acknowledged(redis, name))


async def test_what_was_not_acknowledged_comes_again_at_the_next_start(redis: Redis, name: str, shelf: Shelf) -> None:
    source = stream(name, shelf)
    await source.settle()
    ids = [await add(redis, name, f"{number}") for number in range(5)]
    async with heard(source, acknowledges=False) as listener:
        await listener.until(5)
        await listener.acknowledge(1)
        assert await pending(redis, name) == 3
    async with heard(stream(name, shelf)) as listener:
        await listener.until(3)
        assert [message.offset for message in listener.messages] == ids[2:]
        await until(lambda: is_all_acknowledged(redis, name))


async def test_what_a_former_owner_is_handed_late_is_found_and_nothing_is_delivered_twice(
    redis: Redis, name: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_stream, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(redis_stream, "BLOCK_SECONDS", 0.05)
    source = stream(name, shelf)
    await source.settle()
    async with heard(source, acknowledges=False) as listener:
        await add(redis, name, "first")
        await listener.until(1)
        while not await redis.xreadgroup("liveorder", "liveorder", {name: ">"}):
            await add(redis, name, "late")  # until this reader is faster
        await add(redis, name, "last")

        async def has_last() -> bool:
            return "last" in listener.contents

        await until(has_last)
        length = await redis.xlen(name)
        await listener.until(length)
        assert len({message.offset for message in listener.messages}) == len(listener.messages) == length
        await listener.acknowledge(-1)
        await until(lambda: is_all_acknowledged(redis, name))


async def test_a_connection_that_is_ended_is_made_anew_and_nothing_is_lost_or_out_of_order(
    redis: Redis, name: str, shelf: Shelf
) -> None:
    log = RememberedLog()
    source = stream(name, shelf, log)
    await source.settle()
    async with heard(source) as listener:
        ids = [await add(redis, name, "first")]
        await listener.until(1)
        for number in range(5):
            await end_connections(redis, "xreadgroup")
            ids.append(await add(redis, name, f"{number}"))
            await listener.until(number + 2)
        assert [message.offset for message in listener.messages] == ids
        await until(lambda: is_all_acknowledged(redis, name))
    assert any("is not connected: ConnectionError" in line for line in log.of("WARNING"))
    assert any("is connected again after" in line for line in log.of("SOURCE"))


@pytest.mark.parametrize("fault", ["commit", "reply"])
async def test_requests_and_replies_that_are_cut_off_lose_and_double_nothing(
    fault: str, redis: Redis, name: str, shelf: Shelf
) -> None:
    """Each request in turn is lost on its way, or carried out while its reply is lost."""
    proxy = Proxy(HOST, PORT)
    port = await proxy.start()
    source = stream(name, shelf, port=port)
    await source.settle()
    try:
        async with heard(source) as listener:
            ids = []
            for number in range(40):
                proxy.fault = fault
                ids.append(await add(redis, name, f"{number}"))
                await listener.until(number + 1)
            assert [message.offset for message in listener.messages] == ids
            proxy.fault = ""
            await until(lambda: is_all_acknowledged(redis, name))
    finally:
        await proxy.close()


async def test_a_server_that_is_away_at_the_start_is_waited_for(redis: Redis, name: str, shelf: Shelf) -> None:
    log, proxy = RememberedLog(), Proxy(HOST, PORT)
    port = await proxy.start()
    proxy.fault = "broken"
    source = stream(name, shelf, log, port)
    assert (await source.settle()).startswith("once it answers (ConnectionError: ")
    try:
        async with heard(source) as listener:
            await until_logged(log, "is not connected")
            proxy.fault = ""
            await until_logged(log, "is connected")
            await add(redis, name, "first")
            await listener.until(1)
    finally:
        await proxy.close()


async def test_waits_between_tries_grow(name: str, shelf: Shelf) -> None:
    source = stream(name, shelf, port=1)
    clock = source._clock
    assert isinstance(clock, HastyClock)

    async def has_waited() -> bool:
        return len(clock.waited) > 6

    async with heard(source):
        await until(has_waited)
    assert clock.waited[:7] == [1, 2, 4, 8, 16, 30, 30]


async def test_a_server_that_lost_everything_is_read_from_the_beginning_of_its_new_stream(
    redis: Redis, name: str, shelf: Shelf
) -> None:
    log = RememberedLog()
    source = stream(name, shelf, log)
    await source.settle()
    async with heard(source) as listener:
        await add(redis, name, "before", "7-0")
        await listener.until(1)
        await redis.delete(name)
        await add(redis, name, "after", "3-0")
        await listener.until(2)
        assert listener.contents == ["before", "after"]
        await until(lambda: is_all_acknowledged(redis, name))
    assert any("had lost its group; it is read from its beginning" in line for line in log.of("WARNING")) or any(
        "had lost its group; it is read after 0-0" in line for line in log.of("WARNING")
    )


async def test_a_group_that_is_gone_is_made_where_it_was_left(redis: Redis, name: str, shelf: Shelf) -> None:
    source = stream(name, shelf)
    await add(redis, name, "passed over")
    await source.settle()
    async with heard(source) as listener:
        await add(redis, name, "first")
        await listener.until(1)
    await redis.xgroup_destroy(name, "liveorder")
    await add(redis, name, "second")
    async with heard(stream(name, shelf)) as listener:
        await until(lambda: is_all_acknowledged(redis, name))
    assert "second" in listener.contents
    assert "passed over" not in listener.contents


async def test_entries_that_were_trimmed_before_they_were_acknowledged_are_reported(redis: Redis, name: str, shelf: Shelf) -> None:
    log = RememberedLog()
    await stream(name, shelf).settle()
    first = await add(redis, name, "first")
    await add(redis, name, "second")
    await redis.xreadgroup("liveorder", "another", {name: ">"})
    await redis.xdel(name, first)
    async with heard(stream(name, shelf, log)) as listener:
        await listener.until(1)
        assert listener.contents == ["second"]
        await until(lambda: is_all_acknowledged(redis, name))
    assert any(f"has lost entries that were pending (MAXLEN, XDEL): {first}" in line for line in log.of("ERROR"))


async def test_a_key_that_is_no_stream_is_logged_and_waited_for(redis: Redis, name: str, shelf: Shelf) -> None:
    await redis.set(name, "text")
    log = RememberedLog()
    source = stream(name, shelf, log)
    assert "WRONGTYPE" in await source.settle()
    async with heard(source) as listener:
        await until_logged(log, "WRONGTYPE")
        await redis.delete(name)
        await until_logged(log, "is connected")
        await add(redis, name, "first")
        await listener.until(1)


async def test_a_store_that_is_away_holds_up_no_reading(
    redis: Redis, name: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = stream(name, shelf)
    await source.settle()

    async def away(*_: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(shelf, "save_checkpoint", away)
    async with heard(source) as listener:
        await add(redis, name, "first")
        await listener.until(1)


async def test_what_was_delivered_is_bounded_by_those_who_take_it(redis: Redis, name: str, shelf: Shelf) -> None:
    """Nothing is read ahead of what is asked for, but for the entries of one reply."""
    source = stream(name, shelf)
    await source.settle()
    for number in range(200):
        await add(redis, name, f"{number}")
    messages = source.messages()
    await anext(messages)
    assert await pending(redis, name) == redis_stream.AT_ONCE
    await messages.aclose()  # type: ignore[attr-defined]  # it is a generator
