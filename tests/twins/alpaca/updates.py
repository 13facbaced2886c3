"""The trade-updates stream: authenticate, listen, then an event for each thing that happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal as VenueRefused
from liveorder.testing.venue.floor import VenueFeed
from liveorder.testing.venue.orders import VenueOrder
from tests.twins.alpaca.desk import OrderDesk
from tests.twins.alpaca.links import live_link
from tests.twins.alpaca.words import Json, execution_uuid, stamp, text

_PLAIN = {
    "cancel_pending": "pending_cancel",
    "cancel_rejected": "order_cancel_rejected",
    "replace_pending": "pending_replace",
    "replace_rejected": "order_replace_rejected",
    "rejected": "rejected",
    "triggered": "restated",
    "restated": "restated",
}
_CLOSED = {"DONE_FOR_DAY": "done_for_day", "EXPIRED": "expired"}


@dataclass
class Updates:
    desk: OrderDesk
    key: str
    secret: str
    binary: bool = True
    """Frames as the paper venue sends them; the live one sends text."""
    lets_in: bool = True
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        feed: VenueFeed | None = None
        pushing: asyncio.Task[None] | None = None
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                said = json.loads(message.data)
                if said["action"] == "authenticate":
                    await self._let_in(socket, said["data"])
                elif said["action"] == "listen" and feed is None:
                    feed = await self._subscribed(socket)
                    pushing = asyncio.create_task(self._push(socket, feed)) if feed is not None else None
        finally:
            self._sockets.discard(socket)
            await _end(feed, pushing)
        return socket

    async def _let_in(self, socket: web.WebSocketResponse, keys: Json) -> None:
        is_ours = self.lets_in and (keys.get("key_id"), keys.get("secret_key")) == (self.key, self.secret)
        status = "authorized" if is_ours else "unauthorized"
        await self._send(socket, {"stream": "authorization", "data": {"status": status, "action": "authenticate"}})

    async def _subscribed(self, socket: web.WebSocketResponse) -> VenueFeed | None:
        try:
            feed = self.desk.exchange.subscribe(self.desk.account)
        except VenueRefused as refused:
            await self._send(socket, {"action": "error", "data": {"error_message": refused.message}})
            await socket.close()
            return None
        await self._send(socket, {"stream": "listening", "data": {"streams": ["trade_updates"]}})
        return feed

    async def _push(self, socket: web.WebSocketResponse, feed: VenueFeed) -> None:
        async for report in feed:
            for event in self._events(report):
                await self._send(socket, {"stream": "trade_updates", "data": event})
        await socket.close()

    async def push(self, event: Json | str) -> None:
        """Something of the test's own, to everybody who listens."""
        for socket in list(self._sockets):
            if isinstance(event, str):
                await socket.send_str(event)
            else:
                await self._send(socket, {"stream": "trade_updates", "data": event})

    async def _send(self, socket: web.WebSocketResponse, message: Json) -> None:
        with suppress(ConnectionError):
            await (socket.send_bytes(json.dumps(message).encode()) if self.binary else socket.send_str(json.dumps(message)))

    # --- words -----------------------------------------------------------------------------------------------------------------

    def _events(self, report: Json) -> list[Json]:
        order, kind = self.desk.order(report["broker_order_id"]), report["report"]
        build: dict[str, Callable[[VenueOrder, Json], list[Json]]] = {
            "accepted": self._accepted,
            "fill": self._fill,
            "correction": self._correction,
            "bust": self._bust,
            "closed": self._closed,
            "replaced": self._replaced,
        }
        if kind in build:
            return build[kind](order, report)
        return [self._event(_PLAIN[kind], report, self.desk.shown(order))] if kind in _PLAIN else []

    def _event(self, name: str, report: Json, order: Json, **more: Any) -> Json:
        return {"event": name, "timestamp": stamp(_moment(report)), "order": order} | more

    def _accepted(self, order: VenueOrder, report: Json) -> list[Json]:
        shown = self.desk.shown(order, 0) | {"status": "new", "filled_qty": "0", "filled_avg_price": None, "replaced_by": None}
        return [self._event("new", report, shown)]

    def _fill(self, order: VenueOrder, report: Json) -> list[Json]:
        """The order as it was after this fill, however late it is told."""
        fill = next(each for each in self.desk.links.fills(order) if each.trade.execution_id == report["execution_id"])
        shown = self.desk.shown(order, fill.link)
        whole = order.quantity - self.desk.links.filled_before(order, fill.link)
        done = fill.cumulative >= whole
        shown |= {"filled_qty": text(fill.cumulative), "status": "filled" if done else "partially_filled"}
        name = "fill" if done else "partial_fill"
        return [self._event(name, report, shown, **_execution(report))]

    def _correction(self, order: VenueOrder, report: Json) -> list[Json]:
        named = {"previous_execution_id": execution_uuid(report["corrects"])}
        return [self._event("trade_correct", report, self.desk.shown(order), **_execution(report), **named)]

    def _bust(self, order: VenueOrder, report: Json) -> list[Json]:
        named = {"previous_execution_id": execution_uuid(report["execution_id"])}
        execution = _execution(report) | {"execution_id": execution_uuid(f"bust of {report['execution_id']}")}
        return [self._event("trade_bust", report, self.desk.shown(order), **execution, **named)]

    def _closed(self, order: VenueOrder, report: Json) -> list[Json]:
        shown = self.desk.shown(order)
        name = "canceled" if shown["status"] == "canceled" else _CLOSED.get(report["cause"], "canceled")
        return [self._event(name, report, shown)]

    def _replaced(self, order: VenueOrder, report: Json) -> list[Json]:
        live = live_link(order)
        old = self.desk.shown(order, max(live - 1, 0))
        return [self._event("replaced", report, old), self._event("new", report, self.desk.shown(order, live) | {"status": "new"})]


def _execution(report: Json) -> Json:
    quantity, price = Decimal(report["quantity"]), Decimal(report["price"])
    return {"execution_id": execution_uuid(report["execution_id"]), "qty": text(quantity), "price": text(price)}


def _moment(report: Json) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(report["at"])


async def _end(feed: VenueFeed | None, pushing: asyncio.Task[None] | None) -> None:
    if feed is not None:
        feed.close()
    if pushing is not None:
        pushing.cancel()
        with suppress(asyncio.CancelledError):
            await pushing
