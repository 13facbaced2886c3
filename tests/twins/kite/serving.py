"""The twin at an address: which call is whose, and how Kite wraps what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from liveorder.testing.exchange import Exchange, HungUp
from liveorder.testing.venue.settings import VenueSettings
from tests.twins.kite.server import API_KEY, KiteTwin
from tests.twins.kite.venue import Books
from tests.twins.kite.wire import KiteError

Handler = Callable[[web.Request], Awaitable[Any]]


def _answered(twin: KiteTwin, handler: Handler, *, is_open: bool = False) -> Handler:
    """In Kite's envelope. `is_open`: asked before there is a token."""

    async def answer(request: web.Request) -> web.StreamResponse:
        twin.questions.append(f"{request.method} {request.path}")
        if twin.switches.redirects:
            raise web.HTTPTemporaryRedirect("/elsewhere")
        try:
            if not is_open and request.headers.get("Authorization") != f"token {API_KEY}:{twin.access_token}":
                raise KiteError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
            data = await handler(request)
        except KiteError as error:
            body = {"status": "error", "message": error.message, "data": None, "error_type": error.error_type}
            return web.json_response(body, status=error.status)
        except HungUp:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if isinstance(data, web.StreamResponse):
            return data
        if data is None:
            return web.Response(text='{"status": "succ', content_type="application/json")
        return web.json_response({"status": "success", "data": data})

    return answer


def _routes(twin: KiteTwin) -> list[web.RouteDef]:
    return [
        web.post("/session/token", _answered(twin, twin.token, is_open=True)),
        web.get("/user/profile", _answered(twin, twin.profile)),
        web.get("/user/margins", _answered(twin, twin.margins)),
        web.get("/orders", _answered(twin, twin.orders)),
        web.get("/orders/{order_id}", _answered(twin, twin.history)),
        web.get("/orders/{order_id}/trades", _answered(twin, twin.order_trades)),
        web.post("/orders/{variety}", _answered(twin, twin.place)),
        web.put("/orders/{variety}/{order_id}", _answered(twin, twin.modify)),
        web.delete("/orders/{variety}/{order_id}", _answered(twin, twin.cancel)),
        web.get("/trades", _answered(twin, twin.trades)),
        web.get("/portfolio/positions", _answered(twin, twin.positions)),
        web.get("/portfolio/holdings", _answered(twin, twin.holdings)),
        web.get("/instruments/{exchange}", _answered(twin, twin.instruments)),
        web.get("/quote", _answered(twin, twin.quote)),
        web.post("/charges/orders", _answered(twin, twin.charges)),
        web.get("/", twin.ticker),
    ]


@asynccontextmanager
async def kite_twin(exchange: Exchange, settings: VenueSettings, port: int = 0) -> AsyncIterator[KiteTwin]:
    """Serves while the block lasts, in front of an exchange that was opened with `settings`."""
    twin = KiteTwin(Books(exchange, settings))
    application = web.Application()
    application.add_routes(_routes(twin))
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        twin.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield twin
    finally:
        await runner.cleanup()
