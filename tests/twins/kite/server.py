"""The server: Kite's addresses over HTTP, and its ticker at `/`. It asks the exchange what it is asked, and so has its faults."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

from liveorder.domain.values import ZERO, Side, TimeInForce
from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message, plain
from liveorder.testing.exchange import Exchange
from liveorder.testing.venue.orders import VenueOrder
from tests.twins.kite.venue import EXCHANGES, Books, kite_id, venue_id
from tests.twins.kite.wire import (
    ORDER_TYPES,
    VALIDITIES,
    KiteError,
    error_of,
    holdings,
    instruments_csv,
    moment,
    net_positions,
    order_row,
    quote_row,
    trade_row,
)

API_KEY, API_SECRET, REQUEST_TOKEN, USER_ID = "twinapikey0001", "twinapisecret0001", "twinrequesttoken0001", "AB1234"
FIRST_TOKEN, NEXT_TOKEN = "twinaccesstoken0001", "twinaccesstoken0002"
HEARTBEAT_SECONDS = 0.5
BOUNDLESS = "1000000000000"

_OUR_TYPES = {theirs: ours for ours, theirs in ORDER_TYPES.items()}
_OUR_VALIDITIES = {theirs: ours for ours, theirs in VALIDITIES.items() if ours is not TimeInForce.GTC}
_UNPROTECTED = ("MARKET", "SL-M")
_PROTECTED = {"MARKET": "LIMIT", "SL-M": "SL"}


@dataclass
class Switches:
    """Faults of this wire alone."""

    sells_quotes: bool = True
    """False: a plan without prices."""
    protected_at_percent: Decimal | None = None
    """MARKET and SL-M orders become LIMIT and SL orders, worse than the last price, or the trigger, by so much; below zero: the
    market has run away, and they rest."""
    spread: Decimal = ZERO
    """Between the best bid and the best ask, around the exchange's one price."""
    last_traded_seconds_ago: float = 0.0
    """Before the time of the quote."""
    knows_our_address: bool = True
    """False: orders are refused for where they come from."""
    redirects: bool = False
    """Every call is answered with another address."""
    heartbeats: bool = True
    extra_tags: tuple[str, ...] = ()
    """Labels of Kite's own, beside ours."""


@dataclass
class KiteTwin:
    """One account at `address`; what is listed, and what day it is, is in `books`."""

    books: Books
    access_token: str = FIRST_TOKEN
    switches: Switches = field(default_factory=Switches)
    address: str = ""
    placed: list[Mapping[str, str]] = field(default_factory=list)
    """The fields of every order that was asked for, as they came."""
    questions: list[str] = field(default_factory=list)
    """The address of every call."""
    _varieties: dict[str, str] = field(default_factory=dict)

    @property
    def exchange(self) -> Exchange:
        return self.books.exchange

    def end_the_day(self) -> None:
        """Orders and trades are forgotten, delivered shares become holdings."""
        self.books.day_began = self.exchange.clock.now()

    def end_the_session(self) -> None:
        """The access token of before is no good any more; a login gives the next."""
        self.access_token = NEXT_TOKEN

    # --- requests --------------------------------------------------------------------------------------------------------------

    async def ask(self, verb: str, **fields: Any) -> Message:
        """Raises `KiteError` for what the exchange refuses; waits for ever where a fault wants it."""
        answer = await self.exchange.ask(verb, account=self.books.account.account_id, **fields)
        if "error" in answer:
            raise error_of(answer["error"], answer.get("message", ""))
        return answer

    async def place(self, request: web.Request) -> Any:
        self._check_address()
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.placed.append(form)
        if form["order_type"] in _UNPROTECTED and Decimal(form.get("market_protection", 0)) == 0:
            raise KiteError(400, "InputException", "Market orders without market protection are not allowed via API.")
        form = await self._protected(form)
        return await self._named(await self.ask("submit", **self._new_order(form)), request.match_info["variety"])

    async def _protected(self, form: dict[str, str]) -> dict[str, str]:
        percent = self.switches.protected_at_percent
        if form["order_type"] not in _UNPROTECTED or percent is None:
            return form
        key = self.books.instrument_key(form["exchange"], form["tradingsymbol"])
        worse = 1 + percent * Side(form["transaction_type"]).sign / 100
        price = Decimal(form["trigger_price"] if "trigger_price" in form else (await self.ask("quote", instrument=key))["price"])
        limit = round(price * worse / (tick := self.books.catalogue[key].tick_size)) * tick
        return form | {"order_type": _PROTECTED[form["order_type"]], "price": str(limit)}

    def _new_order(self, form: Mapping[str, str]) -> Message:
        minutes = form.get("validity_ttl")
        ends = self.exchange.clock.now() + timedelta(minutes=int(minutes)) if minutes else None
        return plain(
            client_order_id=form.get("tag"),
            instrument=self.books.instrument_key(form["exchange"], form["tradingsymbol"]),
            side=form["transaction_type"],
            order_type=_OUR_TYPES[form["order_type"]].value,
            time_in_force=_OUR_VALIDITIES[form.get("validity", "DAY")].value,
            quantity=form["quantity"],
            limit_price=form.get("price"),
            stop_price=form.get("trigger_price"),
            product=form["product"],
            expires_at=ends,
        )

    async def modify(self, request: web.Request) -> Any:
        self._check_address()
        form = await request.post()
        names = {"quantity": "quantity", "price": "limit_price", "trigger_price": "stop_price"}
        terms = {ours: str(form[theirs]) for theirs, ours in names.items() if theirs in form}
        return await self._named(await self.ask("replace", **self._order_of(request), terms=terms))

    async def cancel(self, request: web.Request) -> Any:
        self._check_address()
        return await self._named(await self.ask("cancel", **self._order_of(request)))

    def _order_of(self, request: web.Request) -> Message:
        order = self.exchange.order(venue_id(request.match_info["order_id"]))
        key = order.placed.client_order_id if order is not None else None
        return plain(broker_order_id=venue_id(request.match_info["order_id"]), client_order_id=key)

    async def _named(self, answer: Message, variety: str | None = None) -> Any:
        if "order" not in answer:
            return None
        order_id = kite_id(answer["order"]["broker_order_id"])
        if variety is not None:
            self._varieties[order_id] = variety
        return {"order_id": order_id}

    def _check_address(self) -> None:
        if not self.switches.knows_our_address:
            message = "IP 203.0.113.7 is not allowed to place orders for this app. Update allowed IPs on the developer console."
            raise KiteError(403, "PermissionException", message)

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def orders(self, request: web.Request) -> Any:
        """Meets the faults of both questions that Kite answers with it: which orders are open, and whether there is one."""
        await self.ask("open_orders")
        await self.ask("find", client_order_id="-")
        return [self.row(order) for order in await self.books.todays()]

    async def history(self, request: web.Request) -> Any:
        order = await self._todays(request)
        await self.ask("find", broker_order_id=order.order_id)
        now = self.row(order)
        return [now | {"status": "PUT ORDER REQ RECEIVED", "filled_quantity": 0, "exchange_order_id": None}, now]

    async def order_trades(self, request: web.Request) -> Any:
        await self._check_executions()
        order = await self._todays(request)
        return [trade_row(order, trade, self.books.instrument(order)) for trade in order.effective_trades()]

    async def trades(self, request: web.Request) -> Any:
        await self._check_executions()
        return [
            trade_row(order, trade, self.books.instrument(order))
            for order in await self.books.todays()
            for trade in order.effective_trades()
        ]

    async def _check_executions(self) -> None:
        await self.ask("executions", since=self.exchange.clock.now().isoformat())

    async def _todays(self, request: web.Request) -> VenueOrder:
        wanted = venue_id(request.match_info["order_id"])
        for order in await self.books.todays():
            if order.order_id == wanted:
                return order
        raise KiteError(400, "OrderException", "Couldn't find that `order_id`.")

    def row(self, order: VenueOrder) -> dict[str, Any]:
        variety = self._varieties.get(kite_id(order.order_id), "regular")
        row = order_row(order, self.books.instrument(order), USER_ID, variety)
        return row | ({"tags": [*row["tags"], *self.switches.extra_tags]} if "tags" in row else {})

    async def positions(self, request: web.Request) -> Any:
        await self.ask("positions")
        rows = net_positions(self.books, await self.books.orders())
        return {"net": rows, "day": rows}

    async def holdings(self, request: web.Request) -> Any:
        return holdings(self.books, await self.books.orders())

    async def profile(self, request: web.Request) -> Any:
        await self.ask("connect")
        return {"user_id": USER_ID, "broker": "ZERODHA", "exchanges": list(EXCHANGES), "products": ["CNC", "NRML", "MIS", "MTF"]}

    async def margins(self, request: web.Request) -> Any:
        """An account of the exchange that is not limited can buy more than anybody would."""
        answer = await self.ask("account")
        cash, net = float(answer["cash"]), float(answer.get("buying_power", BOUNDLESS))
        opened = {"adhoc_margin": 0, "collateral": 0, "intraday_payin": 0, "opening_balance": cash}
        utilised = {"debits": cash - net if "buying_power" in answer else 0, "span": 0, "exposure": 0, "option_premium": 0}
        equity = {"enabled": True, "net": net, "available": opened | {"cash": cash, "live_balance": cash}, "utilised": utilised}
        nothing = {"cash": 0, "live_balance": 0, "collateral": 0}
        return {"equity": equity, "commodity": {"enabled": False, "net": 0, "available": nothing, "utilised": {"debits": 0}}}

    async def quote(self, request: web.Request) -> Any:
        if not self.switches.sells_quotes:
            raise KiteError(403, "PermissionException", "Insufficient permission for that call.")
        quotes = {}
        for name in request.query.getall("i"):
            key = self.books.instrument_key(*name.split(":", 1))
            with suppress(KiteError):
                answer = await self.ask("quote", instrument=key)
                quotes[name] = quote_row(answer, self.switches.spread, self.switches.last_traded_seconds_ago)
        return quotes

    async def charges(self, request: web.Request) -> Any:
        gst = {"igst": 0.06, "cgst": 0, "sgst": 0, "total": 0.06}
        figures = {"brokerage": 0.31, "transaction_tax": 1.05, "transaction_tax_type": "stt", "stamp_duty": 0.48, "gst": gst}
        return [row | {"charges": figures | {"total": 1.9}} for row in await request.json()]

    async def token(self, request: web.Request) -> Any:
        form = await request.post()
        expected = hashlib.sha256(f"{API_KEY}{REQUEST_TOKEN}{API_SECRET}".encode()).hexdigest()
        if not hmac.compare_digest(expected, str(form.get("checksum"))):
            raise KiteError(403, "TokenException", "Token is invalid or has expired.")
        return {"user_id": USER_ID, "access_token": self.access_token, "login_time": moment(self.exchange.clock.now())}

    async def instruments(self, request: web.Request) -> web.Response:
        exchange = request.match_info["exchange"]
        listed = [each for each in self.books.catalogue.values() if each.exchange == exchange]
        return web.Response(text=instruments_csv(listed), content_type="text/csv")

    # --- ticker ----------------------------------------------------------------------------------------------------------------

    async def ticker(self, request: web.Request) -> web.StreamResponse:
        if (request.query.get("api_key"), request.query.get("access_token")) != (API_KEY, self.access_token):
            raise web.HTTPForbidden
        try:
            feed = self.exchange.subscribe(self.books.account.account_id)
        except VenueRefusal:
            raise web.HTTPServiceUnavailable from None
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        tasks = [asyncio.create_task(self._beat(socket)), asyncio.create_task(_until_it_hangs_up(socket))]
        tasks[1].add_done_callback(lambda _: feed.close())
        try:
            async for report in feed:
                order = self.exchange.order(report["broker_order_id"])
                if order is not None and not socket.closed:
                    await socket.send_str(json.dumps({"type": "order", "data": self.row(order)}))
        finally:
            for task in tasks:
                task.cancel()
            feed.close()
            await socket.close()
        return socket

    async def _beat(self, socket: web.WebSocketResponse) -> None:
        while self.switches.heartbeats:
            await socket.send_bytes(b"\0")
            await asyncio.sleep(HEARTBEAT_SECONDS)


async def _until_it_hangs_up(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return
