"""HTTP for blocking SDKs: sent once, followed nowhere, waited for so long and no longer, read exactly, and sorted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from aiohttp import web
from requests import RequestException, Response

from liveorder.domain.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, OutcomeUnknown
from liveorder.infrastructure.http_session import error_of, one_try_session

SECRET = "a-key-in-a-header"  # noqa: S105 - what must not be told
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """Its address, and the paths that were asked for."""
    asked: list[str] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", noted)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def posted(address: str, timeout_seconds: float = 5.0) -> Response:
    with one_try_session(timeout_seconds) as session:
        session.headers["X-Key"] = SECRET
        return await asyncio.to_thread(session.post, f"{address}/orders", json={})


async def failure_of(address: str, timeout_seconds: float = 5.0) -> BrokerError:
    with pytest.raises(RequestException) as raised:
        await posted(address, timeout_seconds)
    error = error_of(raised.value, "somebroker")
    assert SECRET not in repr(error)
    assert address not in str(error)
    return error


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def hung_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def elsewhere(request: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "/other"})


async def too_fast(request: web.Request) -> web.StreamResponse:
    return web.Response(status=429, headers={"Retry-After": "0"})


async def exact(request: web.Request) -> web.StreamResponse:
    return web.Response(text='{"price": 0.1000000000000000055511151231257827, "count": 3}', content_type="application/json")


async def test_numbers_are_read_from_their_text() -> None:
    async with server(exact) as (address, _):
        told = (await posted(address)).json()
    assert told == {"price": Decimal("0.1000000000000000055511151231257827"), "count": 3}


async def test_an_answer_that_does_not_come_is_not_known_after_the_time_out_that_was_set() -> None:
    async with server(never) as (address, asked):
        assert isinstance(await failure_of(address, timeout_seconds=0.1), BrokerTimeoutError)
        assert asked == ["/orders"]


async def test_a_connection_that_breaks_is_not_known_and_nothing_is_sent_again() -> None:
    async with server(hung_up) as (address, asked):
        error = await failure_of(address)
    assert type(error) is OutcomeUnknown
    assert asked == ["/orders"]


async def test_a_redirect_is_not_followed() -> None:
    async with server(elsewhere) as (address, asked):
        assert type(await failure_of(address)) is OutcomeUnknown
    assert asked == ["/orders"]


async def test_an_answer_that_asks_for_patience_is_given_back_as_it_is() -> None:
    async with server(too_fast) as (address, asked):
        assert (await posted(address)).status_code == 429
    assert asked == ["/orders"]


async def test_where_nobody_listens_nothing_was_received() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert isinstance(await failure_of(f"http://127.0.0.1:{port}"), BrokerConnectionError)


async def test_a_name_that_leads_nowhere_was_reached_by_nothing() -> None:
    assert isinstance(await failure_of("http://no-such-host.invalid"), BrokerConnectionError)
