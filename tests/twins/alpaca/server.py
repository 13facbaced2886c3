"""The twin: HTTP and the websocket, over one account of the exchange."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN, VenueCatalogue
from liveorder.testing.exchange import Exchange, HungUp
from liveorder.testing.venue.settings import VenueCommission
from tests.twins.alpaca import words
from tests.twins.alpaca.desk import OrderDesk
from tests.twins.alpaca.links import Links
from tests.twins.alpaca.refusals import UNREADABLE, Garbled, Refused
from tests.twins.alpaca.updates import Updates

KEY, SECRET = "PKTWIN00000000000000", "twin-secret-6f1c0d2a9b7e"
PAPER_NUMBER, LIVE_NUMBER = "PA3TWIN00001", "3TWIN00002"
COIN_FEES = VenueCommission(in_kind=Decimal("0.0025"))
"""Of the exchange behind it, as Alpaca takes them on paper too: out of the coins that are bought. No fill mentions them."""
COINS = Path(__file__).with_name("coins.json")
"""Its catalogue file: coins are traded in nine decimals."""


@dataclass
class AlpacaTwin:
    """`address` is for the REST client and, with /stream, for the stream; `data_address` for prices.

    Switches: `empty_404` (not found comes without a body), `pages` (a 5xx comes as HTML), `updates.binary` and
    `desk.links.carries_fills`; `say` and `updates.push` for anything else that Alpaca might answer or push.
    """

    desk: OrderDesk
    updates: Updates
    number: str
    empty_404: bool = False
    pages: bool = False
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path and JSON body of everything that came."""
    _canned: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    _port: int = 0
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/{'paper' if self.number == PAPER_NUMBER else 'live'}"

    @property
    def data_address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def say(self, method: str, path: str, status: int, body: Any) -> None:
        """From now on this is answered there, without asking the exchange: JSON, or text as it is."""
        self._canned[method, path] = status, body

    def say_no_more(self) -> None:
        self._canned.clear()

    # --- life ------------------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", port)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Nobody listens on the port, and every connection is gone."""
        port = self._port
        await self.stop()
        yield
        await self.start(port)

    def _app(self) -> web.Application:
        app = web.Application()
        for prefix in ("", "/paper", "/live"):
            for method, path, handler in self._routes():
                app.router.add_route(method, f"{prefix}{path}", self._answering(handler))
            app.router.add_get(f"{prefix}/stream", self.updates.serve)
        return app

    def _routes(self) -> list[tuple[str, str, Callable[[web.Request], Awaitable[Any]]]]:
        return [
            ("POST", "/v2/orders", self._submit),
            ("GET", "/v2/orders", self._open_orders),
            ("GET", "/v2/orders:by_client_order_id", self._by_key),
            ("GET", "/v2/orders/{order}", self._by_id),
            ("PATCH", "/v2/orders/{order}", self._replace),
            ("DELETE", "/v2/orders/{order}", self._cancel),
            ("GET", "/v2/account/activities/FILL", self._fills),
            ("GET", "/v2/positions", lambda _: self.desk.positions()),
            ("GET", "/v2/account", self._account),
            ("GET", "/v2/assets", self._assets),
            ("GET", "/v2/assets/{symbol}", self._asset),
            ("GET", "/v2/options/contracts/{symbol}", self._asset),
            ("GET", "/v2/stocks/snapshots", self._snapshots),
            ("GET", "/v1beta1/options/snapshots", self._snapshots_in_pages),
            ("GET", "/v1beta3/crypto/us/snapshots", self._snapshots_in_pages),
        ]

    def _answering(self, handler: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                return await self._answered(handler, request)
            except HungUp:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            except Refused as refused:
                return refused.response(empty_404=self.empty_404, pages=self.pages)
            except Garbled:
                return web.Response(body=UNREADABLE, content_type="application/json")

        return answer

    async def _answered(self, handler: Callable[[web.Request], Awaitable[Any]], request: web.Request) -> web.Response:
        headers = request.headers
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (self.updates.key, self.updates.secret):
            raise Refused("unauthorized")
        body = await request.text()
        path = request.path.removeprefix("/paper").removeprefix("/live")
        self.requests.append((request.method, path, json.loads(body) if body else None))
        if (canned := self._canned.get((request.method, path))) is not None:
            status, said = canned
            return web.Response(status=status, text=said) if isinstance(said, str) else web.json_response(said, status=status)
        answer = await handler(request)
        return web.Response(status=204) if answer is None else web.json_response(answer)

    # --- requests --------------------------------------------------------------------------------------------------------------

    async def _submit(self, request: web.Request) -> Any:
        return await self.desk.submit(await request.json())

    async def _open_orders(self, request: web.Request) -> Any:
        return await self.desk.open_orders(request.query.get("after"), int(request.query.get("limit", "50")))

    async def _by_key(self, request: web.Request) -> Any:
        return await self.desk.with_key(request.query["client_order_id"])

    async def _by_id(self, request: web.Request) -> Any:
        return self.desk.shown(*await self.desk.found(request.match_info["order"]))

    async def _replace(self, request: web.Request) -> Any:
        return await self.desk.replace(request.match_info["order"], await request.json())

    async def _cancel(self, request: web.Request) -> None:
        await self.desk.cancel(request.match_info["order"])

    async def _fills(self, request: web.Request) -> Any:
        query = request.query
        after = datetime.fromisoformat(query.get("after", "1970-01-01T00:00:00Z")).astimezone(UTC)
        return await self.desk.fills(after, query.get("page_token"), int(query.get("page_size", "100")))

    async def _account(self, request: web.Request) -> Any:
        return words.account_json(await self.desk.ask("account"), self.number)

    async def _assets(self, request: web.Request) -> Any:
        """Stocks, unless it is asked for something else."""
        wanted = request.query.get("asset_class", "us_equity")
        return [asset for asset in map(words.asset_json, self.desk.traded()) if asset["class"] == wanted]

    async def _asset(self, request: web.Request) -> Any:
        instrument = self.desk.listed(request.match_info["symbol"])
        if instrument is None:
            raise Refused("unknown_order", "asset not found")
        return words.asset_json(instrument)

    async def _snapshots(self, request: web.Request) -> Any:
        """Of stocks: by symbol, without those that nobody knows."""
        snapshots = {symbol: await self.desk.snapshot(symbol) for symbol in request.query["symbols"].split(",")}
        return {symbol: snapshot for symbol, snapshot in snapshots.items() if snapshot is not None}

    async def _snapshots_in_pages(self, request: web.Request) -> Any:
        return {"snapshots": await self._snapshots(request), "next_page_token": None}


@asynccontextmanager
async def alpaca_twin(
    exchange: Exchange,
    *,
    account: str = "SIM",
    is_paper: bool = True,
    carries_fills: bool = False,
    catalogue: VenueCatalogue | None = None,
    port: int = 0,
) -> AsyncIterator[AlpacaTwin]:
    """Listens on 127.0.0.1 while the block lasts."""
    desk = OrderDesk(exchange, account, Links(carries_fills), catalogue or BUILT_IN.with_file(COINS))
    twin = AlpacaTwin(desk, Updates(desk, KEY, SECRET), PAPER_NUMBER if is_paper else LIVE_NUMBER)
    await twin.start(port)
    try:
        yield twin
    finally:
        await twin.stop()
