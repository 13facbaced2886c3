"""Services whose signals come from Redis and whose confirmations go there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.service import Service
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views.signals import DEAD_LETTER
from liveorder.bootstrap import Settings, load_settings, open_reader, open_service, source_by_url
from liveorder.domain.errors import SettingsError
from liveorder.interfaces.cli.status_page import StatusView, print_status, status_of
from tests.contract.event_stores import Proxy, require_postgres
from tests.doors.listening import until
from tests.harness.worlds import RememberedLog
from tests.interfaces.command_line import coin
from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.redis_server import HOST, PORT, Redis, add, end_connections, is_all_acknowledged

DELIVERIES = 1000


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'orders.db'}"
        return
    require_postgres()
    database = lend_database()
    yield url_of_database(database)
    take_back_database(database)


def settings_in(folder: Path, store: str | None = None, **doors: Any) -> Settings:
    return load_settings(
        None,
        store=store or f"sqlite:///{folder / 'orders.db'}",
        logs={"console": False, "directory": folder / "logs"},
        simulation={"venue_data": folder / "venue.db"},
        engine={"lease_seconds": 5.0},
        **doors,
    )


@asynccontextmanager
async def running(settings: Settings, **opening: Any) -> Any:
    async with open_service(settings, log=RememberedLog(), **opening) as service:
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def filled(service: Service) -> set[str]:
    await service.settle_views()
    return {order.signal_id for order in await service.views.orders(Query()) if order.status == "FILLED"}


def are_filled(service: Service, *signal_ids: str) -> Callable[[], Awaitable[bool]]:
    async def found() -> bool:
        return set(signal_ids) <= await filled(service)

    return found


def url(name: str, port: int = PORT, **options: str) -> dict[str, str]:
    more = "".join(f"&{option}={value}" for option, value in options.items())
    return {"url": f"redis://{HOST}:{port}/0?stream={name}{more}"}


async def test_a_thousand_deliveries_of_one_id_through_two_sources_are_one_order(
    redis: Redis, name: str, store: str, tmp_path: Path
) -> None:
    first, second = f"{name}-a", f"{name}-b"
    async with redis.pipeline(transaction=False) as sending:
        for number in range(DELIVERIES):
            sending.xadd(first if number % 2 else second, {"data": json.dumps(coin("the-one"))})
        await sending.execute()
    doors = [url(first, from_beginning="true"), url(second, from_beginning="true")]
    async with running(settings_in(tmp_path, store, sources=doors)) as service:
        for stream in (first, second):
            await until(partial(is_all_acknowledged, redis, stream))
        await until(are_filled(service, "the-one"))
        orders = await service.views.orders(Query())
        assert [(order.signal_id, order.attempts) for order in orders] == [("the-one", 1)]
        assert list(await service.views.signals(Query(status=DEAD_LETTER))) == []


async def test_what_cannot_be_used_is_a_dead_letter_by_its_id_and_comes_no_more(redis: Redis, name: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, sources=[url(name, from_beginning="true")])
    stream_id = await add(redis, name, "nonsense")
    for _ in range(2):
        async with running(settings) as service:
            await until(lambda: is_all_acknowledged(redis, name))
            await service.settle_views()
            (letter,) = await service.views.signals(Query(status=DEAD_LETTER))
            assert stream_id in f"{letter}"
        await redis.xgroup_setid(name, "liveorder", "0")


async def test_a_destination_that_is_away_holds_up_no_order_and_gets_its_confirmation_later(
    redis: Redis, name: str, tmp_path: Path
) -> None:
    confirmations, proxy = f"{name}-confirmations", Proxy(HOST, PORT)
    port = await proxy.start()
    proxy.fault = "broken"
    settings = settings_in(tmp_path, sources=[url(name)], publishers=[url(confirmations, port)])

    async def is_confirmed() -> bool:
        return bool(await redis.xlen(confirmations) == 2)

    try:
        async with running(settings) as service:
            for signal_id in ("first", "second"):
                await add(redis, name, coin(signal_id))
                await until(are_filled(service, signal_id))
            assert not await redis.exists(confirmations)
            proxy.fault = ""
            await until(is_confirmed)
    finally:
        await proxy.close()
    found = [json.loads(fields[b"data"]) for _, fields in await redis.xrange(confirmations)]
    assert [(each["signal_id"], each["status"]) for each in found] == [("first", "FILLED"), ("second", "FILLED")]


async def test_connections_that_are_ended_while_it_trades_lose_and_double_nothing(redis: Redis, name: str, tmp_path: Path) -> None:
    confirmations = f"{name}-confirmations"
    settings = settings_in(tmp_path, sources=[url(name)], publishers=[url(confirmations)])
    names = [f"s{number}" for number in range(10)]
    async with running(settings) as service:
        for signal_id in names:
            await add(redis, name, coin(signal_id))
            await end_connections(redis, "xreadgroup")
        await until(are_filled(service, *names))
        await until(lambda: is_all_acknowledged(redis, name))
        assert len(await service.views.orders(Query())) == len(names)
    found = [json.loads(fields[b"data"])["signal_id"] for _, fields in await redis.xrange(confirmations)]
    assert set(found) == set(names)


async def test_a_stream_that_is_named_twice_is_refused(name: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, sources=[url(name), url(name, group="liveorder")])
    with pytest.raises(SettingsError, match=r"sources: 2 of them are redis://.*; leave out all but one"):
        async with running(settings):
            pass


async def test_status_shows_each_source_with_its_gaps(
    redis: Redis, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_in(tmp_path, sources=[url(name), {"url": f"redis://{HOST}:{PORT}/0?channel={name}"}])
    async with running(settings) as service:

        async def shown() -> StatusView:
            async with open_reader(settings) as reader:
                return await status_of(reader, settings)

        async def is_connected(gaps: int) -> bool:
            sources = (await shown()).sources
            return [source.is_connected for source in sources] == [True, True] and sources[0].gaps == gaps

        await until(partial(is_connected, 0))
        await redis.client_kill_filter(_type="pubsub")
        await until(partial(is_connected, 1))
        assert service.sources
        status = await shown()
    channel, stream = status.sources
    assert (channel.name, stream.name) == (f"redis://{HOST}:{PORT}/0?channel={name}", f"{url(name)['url']}&group=liveorder")
    assert (channel.loses_signals, stream.loses_signals, stream.gaps) == (True, False, 0)
    print_status(status)
    text = " ".join(capsys.readouterr().out.split())
    assert "1 gap of" in text
    assert "what was sent in them is lost" in text


async def test_the_command_line_takes_the_same_url(redis: Redis, name: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    source = source_by_url(settings, url(name)["url"], "--signals")
    async with running(settings, sources=[source]) as service:
        await add(redis, name, coin("first"))
        await until(are_filled(service, "first"))
