"""Corner Exchange's wire, spoken by a local server over the simulated venue. It translates and decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from liveorder.testing.exchange import Exchange, HungUp

_STATES = {
    "PENDING": "NEW",
    "WORKING": "OPEN",
    "FILLED": "DONE",
    "CANCELLED": "CANCELLED",
    "EXPIRED": "LAPSED",
    "REJECTED": "REFUSED",
}
_REFUSALS = {
    "duplicate": (409, "DUPLICATE_REF"),
    "too_late": (409, "TOO_LATE"),
    "unknown_order": (409, "NO_SUCH_ORDER"),
    "insufficient_balance": (422, "NO_FUNDS"),
    "unknown_symbol": (422, "NO_SUCH_SYMBOL"),
    "invalid_order": (422, "BAD_ORDER"),
    "unauthorized": (401, "WHO_ARE_YOU"),
    "rate_limited": (429, "SLOW_DOWN"),
    "unavailable": (503, "CLOSED"),
}


class CornerTwin:
    def __init__(self, exchange: Exchange, account: str, token: str) -> None:
        self._exchange, self._account, self._token = exchange, account, token

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/orders", self._submit),
            web.delete("/orders/{id}", self._cancel),
            web.get("/orders", self._orders),
            web.get("/fills", self._fills),
            web.get("/positions", self._positions),
            web.get("/account", self._told_account),
        ]

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        answer = await self._ask(
            request,
            "submit",
            client_order_id=body["ref"],
            instrument=f"NASDAQ:{body['symbol']}",
            side=body["side"].upper(),
            order_type="LIMIT" if "limit" in body else "MARKET",
            time_in_force="DAY",
            quantity=body["quantity"],
            limit_price=body.get("limit"),
        )
        return web.json_response(_row(answer["order"]), status=201)

    async def _cancel(self, request: web.Request) -> web.Response:
        answer = await self._ask(request, "cancel", broker_order_id=request.match_info["id"])
        return web.json_response(_row(answer["order"]))

    async def _orders(self, request: web.Request) -> web.Response:
        if "ref" not in request.query:
            return _rows(map(_row, (await self._ask(request, "open_orders"))["orders"]))
        answer = await self._ask(request, "find", client_order_id=request.query["ref"])
        return _rows([] if answer["order"] is None else [_row(answer["order"])])

    async def _fills(self, request: web.Request) -> web.Response:
        answer = await self._ask(request, "executions", since=request.query["since"])
        return _rows(_fill(each) for each in answer["executions"] if each["report"] == "fill")

    async def _positions(self, request: web.Request) -> web.Response:
        answer = await self._ask(request, "positions")
        return _rows({"symbol": each["instrument"]["symbol"], "quantity": each["quantity"]} for each in answer["positions"])

    async def _told_account(self, request: web.Request) -> web.Response:
        answer = await self._ask(request, "account")
        return web.json_response({"kind": "PAPER", **{name: answer[name] for name in ("currency", "cash", "at")}})

    async def _ask(self, request: web.Request, verb: str, **fields: Any) -> dict[str, Any]:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise web.HTTPUnauthorized
        try:
            answer = await self._exchange.ask(verb, account=self._account, **fields)
        except HungUp:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPInternalServerError from None
        if "error" in answer:
            status, code = _REFUSALS.get(answer["error"], (500, "OOPS"))
            raise _Refusal(status, {"code": code, "text": answer["message"]})
        return answer


class _Refusal(Exception):
    def __init__(self, status: int, body: Mapping[str, str]) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


@web.middleware
async def _answered(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except _Refusal as refusal:
        return web.json_response(refusal.body, status=refusal.status)
    except KeyError:
        return web.Response(text="<garbled>", content_type="application/json")  # as the venue's answer was
    return response


def _row(order: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: order.get(name) for name in ("symbol", "quantity")}
    row |= {"ref": order.get("client_order_id"), "id": order["broker_order_id"], "side": order["side"].lower()}
    row |= {"status": _STATES[order["state"]], "filled": order["filled_quantity"], "text": order["reason"]}
    return row | {"average": order.get("average_price"), "limit": order.get("limit_price")}


def _fill(report: Mapping[str, Any]) -> dict[str, Any]:
    named = {"ref": report.get("client_order_id"), "order": report["broker_order_id"], "id": report["execution_id"]}
    return named | {name: report[name] for name in ("quantity", "price", "at")}


def _rows(rows: Any) -> web.Response:
    return web.json_response({"rows": list(rows)})


@asynccontextmanager
async def corner_twin(exchange: Exchange, account: str, token: str, port: int = 0) -> AsyncIterator[str]:
    """Serves while the block lasts; gives the address."""
    app = web.Application(middlewares=[_answered])
    app.add_routes(CornerTwin(exchange, account, token).routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
