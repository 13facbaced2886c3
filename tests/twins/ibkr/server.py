"""TWS's end of the socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.simulated.venue.catalogue import BUILT_IN, Catalogue
from liveorder.infrastructure.brokers.simulated.venue.floor import Feed
from liveorder.infrastructure.brokers.simulated.venue.orders import OrderState, VenueOrder
from liveorder.infrastructure.brokers.simulated.venue.refusal import Refused
from liveorder.testing.exchange import Exchange, HungUp
from tests.twins.ibkr import wire
from tests.twins.ibkr.listings import Listings
from tests.twins.ibkr.orders import OrderIds, Speech, submission, trades_told

ACCOUNT = "DU1234567"
CATALOGUE = Path(__file__).with_name("catalogue.json")
READ_ONLY = "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
_REFUSALS = {
    "insufficient_balance": (201, "Order rejected - reason:Insufficient funds: {}"),
    "unknown_symbol": (200, "No security definition has been found for the request"),
    "invalid_order": (201, "Order rejected - reason:{}"),
    "duplicate": (103, "Duplicate order id"),
    "rate_limited": (100, "Max rate of messages per second has been exceeded: {}"),
    "unavailable": (100, "Max rate of messages per second has been exceeded: {}"),
    "unauthorized": (321, READ_ONLY),
}
_UNKNOWN = (322, "Error processing request.-'bW' : cause - {}")
Messages = Iterable[Iterable[Any]]


class Client:
    """One connection of a program."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.client_id = -1

    def tell(self, *messages: Iterable[Any]) -> None:
        """In one piece, so that nothing comes between."""
        if not self._writer.is_closing():
            self._writer.write(b"".join(map(wire.framed, messages)))

    def hang_up(self) -> None:
        if self._writer.transport is not None:
            self._writer.transport.abort()


class TwsTwin:
    """Speaks for `exchange`, whose account is `account`. The attributes without an underscore are switches."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        account: str = ACCOUNT,
        catalogue: Catalogue | None = None,
        ids_file: Path | None = None,
        time_zone: str = "America/New_York",
    ) -> None:
        self._exchange, self._account, self._zone = exchange, account, ZoneInfo(time_zone)
        self._listings = Listings(catalogue or BUILT_IN.with_file(CATALOGUE))
        self._ids = OrderIds(ids_file)
        self._speech = Speech(self._listings, self._ids, account, self._zone)
        self._clients: list[Client] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._feed: Feed | None = None
        self.port = 0
        self.is_link_lost = False
        self.managed_accounts = account
        self.client_ids_in_use: set[int] = set()
        """Of other programs."""
        self.withheld: set[str] = set()
        """Ends that are not sent: open, completed, executions, positions."""
        self.garbles_open_orders = False
        self.withholds_executions = False
        """Executions are asked for in vain: none come, and their end does."""
        self.next_order_meets: tuple[int, str] | None = None
        """A code and its text, that answer the next order in place of the venue."""
        self.commission_is_untold = False
        self.placed: list[list[str]] = []
        """Every placeOrder as it came in."""

    # --- life ------------------------------------------------------------------------------------------------------------------

    async def open(self, port: int = 0) -> None:
        for order in await self._exchange.control.orders(self._account):
            self._ids.of(str(order.broker_order_id), order.client_order_id)
        self._begin(self._follow())
        await self._listen(port)

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self._leave()
        if self._feed is not None:
            self._feed.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()

    def hang_up(self) -> None:
        for client in list(self._clients):
            client.hang_up()

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """The nightly restart: nobody is connected and nobody can connect; order ids are kept."""
        await self._leave()
        yield
        await self._listen(self.port)

    def lose_link(self) -> None:
        self.is_link_lost = True
        self.say(1100, "Connectivity between IBKR and Trader Workstation has been lost.")

    def regain_link(self, *, data_lost: bool) -> None:
        self.is_link_lost = False
        if data_lost:
            self.say(1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost.")
        else:
            self.say(1102, "Connectivity between IBKR and Trader Workstation has been restored - data maintained.")

    def say(self, code: int, text: str, about: int = -1) -> None:
        """To everybody."""
        for client in self._clients:
            client.tell(wire.error(about, code, text))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- a connection ----------------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        self._clients.append(client)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await wire.shake_hands(reader, writer)
            while True:
                fields = await wire.read_message(reader)
                self._begin(self._take(client, fields))
        self._clients.remove(client)
        writer.close()

    async def _take(self, client: Client, fields: list[str]) -> None:
        act = self._acts().get(fields[0])
        if act is None:
            return
        try:
            await act(client, fields)
        except HungUp:
            client.hang_up()

    def _acts(self) -> dict[str, Callable[[Client, list[str]], Awaitable[None]]]:
        return {
            "71": self._start,
            "3": self._place,
            "4": self._cancel,
            "5": self._open_orders,
            "16": self._open_orders,
            "99": self._completed_orders,
            "7": self._executions,
            "61": self._positions,
            "62": self._account_summary,
            "6": self._account_updates,
            "76": self._account_updates_multi,
            "8": self._next_id,
            "9": self._contract_details,
            "1": self._prices,
            "49": self._current_time,
        }

    async def _ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        return await self._exchange.ask(verb, account=self._account, **fields)

    async def _start(self, client: Client, fields: list[str]) -> None:
        client_id = int(fields[2])
        if client_id in self.client_ids_in_use | {each.client_id for each in self._clients}:
            client.tell(wire.error(-1, 326, "Unable to connect as the client id is already in use."))
            await asyncio.sleep(0)
            client.hang_up()
            return
        client.client_id = client_id
        answer = await self._ask("connect")
        if answer.get("error") == "unavailable":
            raise HungUp
        client.tell(["15", "1", self.managed_accounts], ["9", "1", self._ids.next(client_id)])
        if "error" in answer:
            client.tell(wire.error(-1, 321, READ_ONLY))
        if self.is_link_lost:
            client.tell(wire.error(-1, 1100, "Connectivity between IBKR and Trader Workstation has been lost."))

    # --- orders ----------------------------------------------------------------------------------------------------------------

    async def _place(self, client: Client, fields: list[str]) -> None:
        self.placed.append(fields)
        order_id, order = int(fields[1]), wire.order_placed(fields)
        if self.next_order_meets is not None:
            code, text = self.next_order_meets
            self.next_order_meets = None
            client.tell(wire.error(order_id, code, text))
            return
        venue_id = self._ids.venue_id(client.client_id, order_id)
        if venue_id is not None:
            await self._change(client, order_id, self._order(venue_id), submission(order))
            return
        meant = self._listings.meant(wire.contract_asked(fields, 2))
        if len(meant) != 1:
            client.tell(wire.error(order_id, 200, "No security definition has been found for the request"))
            return
        self._ids.sent(order.get("orderRef", ""), client.client_id, order_id)
        self._answer(client, order_id, await self._ask("submit", instrument=meant[0].key, **submission(order)))

    async def _change(self, client: Client, order_id: int, order: VenueOrder, wanted: dict[str, Any]) -> None:
        if not order.state.is_live:
            filled = order.state is OrderState.FILLED
            client.tell(wire.error(order_id, *((104, "Cannot modify a filled order") if filled else (103, "Duplicate order id"))))
            return
        has = {"quantity": order.quantity, "limit_price": order.limit_price, "stop_price": order.stop_price}
        terms = {name: str(wanted[name]) for name in has if wanted[name] is not None and wanted[name] != has[name]}
        answer = await self._ask("replace", broker_order_id=order.order_id, terms=terms)
        if answer.get("error") in ("too_late", "invalid_order"):
            code = 110 if answer["error"] == "invalid_order" else 201
            client.tell(wire.error(order_id, code, answer["message"]))
        else:
            self._answer(client, order_id, answer)

    def _answer(self, client: Client, order_id: int, answer: dict[str, Any]) -> None:
        if "error" in answer:
            code, text = _REFUSALS.get(answer["error"], _UNKNOWN)
            client.tell(wire.error(order_id, code, text.format(answer["message"])))
        elif "order" not in answer:
            client.tell(wire.GARBLED)
        else:
            order = self._order(answer["order"]["broker_order_id"])
            client.tell(*self._speech.state(order))

    async def _cancel(self, client: Client, fields: list[str]) -> None:
        order_id = int(fields[2])
        venue_id = self._ids.venue_id(client.client_id, order_id)
        if venue_id is None:
            client.tell(wire.error(order_id, 10147, f"OrderId {order_id} that needs to be cancelled is not found."))
            return
        answer = await self._ask("cancel", broker_order_id=venue_id, client_order_id=self._order(venue_id).placed.client_order_id)
        if answer.get("error") == "too_late":
            state = self._speech.status(self._order(venue_id))[2]
            text = f"OrderId {order_id} that needs to be cancelled can not be cancelled, state: {state}."
            client.tell(wire.error(order_id, 10148, text))
        elif "order" in answer:
            order = self._order(venue_id)
            client.tell(*([wire.error(order_id, 202, "Order Canceled - reason:")] if not order.state.is_live else []))
            client.tell(self._speech.status(order))
        else:
            self._answer(client, order_id, answer)

    def _order(self, venue_id: str) -> VenueOrder:
        order = self._exchange.order(venue_id)
        assert order is not None
        return order

    # --- what happens at the venue ---------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """The venue's stream is TWS's own connection to IB: while it is down, that is lost."""
        while True:
            self._feed = await self._subscribed()
            if self.is_link_lost:
                self.regain_link(data_lost=True)
            async for message in self._feed:
                self._tell(message)
            self.lose_link()

    async def _subscribed(self) -> Feed:
        while True:
            try:
                return self._exchange.subscribe(self._account)
            except Refused:
                await asyncio.sleep(0.01)  # its streams are down for a time that only its clock knows

    def _tell(self, message: dict[str, Any]) -> None:
        """To the client that placed the order; nothing while the link is lost. That an order was taken or changed is told by the
        answer to who asked.
        """
        order = self._order(message["broker_order_id"])
        client_id = int(self._speech.ids(order)["clientId"])
        told = self._told(message, order)
        for client in self._clients:
            if client.client_id == client_id and not self.is_link_lost:
                client.tell(*told)

    def _told(self, message: dict[str, Any], order: VenueOrder) -> list[list[str]]:
        order_id = self._speech.ids(order)["orderId"]
        match message["report"]:
            case "fill" | "correction" | "bust":
                trades = trades_told(order, [message])
                rows = [self._speech.execution(-1, order, trade) for trade in trades]
                return [*rows, self._speech.status(order), *self._commissions(message, order)]
            case "commission":
                trades = [trade for trade in order.trades if trade.execution_id == message["execution_id"]]
                return [self._speech.commission(order, trade) for trade in trades[-1:]]
            case "rejected":
                return [wire.error(order_id, 201, f"Order rejected - reason:{message['reason']}"), self._speech.status(order)]
            case "closed" | "triggered" | "cancel_pending":
                return [self._speech.status(order)]
            case "restated":
                return self._speech.state(order)
            case "cancel_rejected":
                return [wire.error(order_id, 10148, f"OrderId {order_id} can not be cancelled, state: Filled.")]
            case _:
                return []

    def _commissions(self, message: dict[str, Any], order: VenueOrder) -> list[list[str]]:
        if message["report"] == "bust" or "commission" not in message:
            return []
        rows = [self._speech.commission(order, trade) for trade in trades_told(order, [message])]
        return [[*row[:3], wire.UNSET, *row[4:]] for row in rows] if self.commission_is_untold else rows

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def _open_orders(self, client: Client, _: list[str]) -> None:
        answer = await self._ask("open_orders")
        if not self._is_whole(client, -1, answer):
            return
        rows = [row for each in answer["orders"] for row in self._speech.state(self._order(each["broker_order_id"]))]
        if self.garbles_open_orders:
            rows = [list(wire.GARBLED) if row[0] == "5" else row for row in rows]
        client.tell(*rows, *self._end("open", "53", "1"))

    async def _completed_orders(self, client: Client, _: list[str]) -> None:
        if not self._is_whole(client, -1, await self._ask("find", client_order_id="nobody's")):
            return
        listed = await self._exchange.control.orders(self._account)
        orders = [self._order(str(each.broker_order_id)) for each in listed]
        rows = [self._speech.completed(order) for order in orders if not order.state.is_live]
        client.tell(*rows, *self._end("completed", "102"))

    async def _executions(self, client: Client, fields: list[str]) -> None:
        now = self._exchange.clock.now().astimezone(self._zone)
        answer = await self._ask("executions", since=now.combine(now.date(), time(), now.tzinfo))
        if not self._is_whole(client, fields[2], answer):
            return
        rows: list[list[str]] = []
        for each in answer["executions"] if not self.withholds_executions else ():
            order = self._order(each["broker_order_id"])
            for trade in trades_told(order, [each]):
                rows += [self._speech.execution(int(fields[2]), order, trade), *self._commissions(each, order)]
        client.tell(*rows, *self._end("executions", "55", "1", fields[2]))

    async def _positions(self, client: Client, _: list[str]) -> None:
        answer = await self._ask("positions")
        if not self._is_whole(client, -1, answer):
            return
        rows = []
        for each in answer["positions"]:
            instrument = Instrument.model_validate(each["instrument"])
            cost = Decimal(each["average_price"]) * instrument.multiplier
            rows.append(wire.position(self._account, self._listings.contract(instrument), each["quantity"], f"{cost:f}"))
        client.tell(*rows, *self._end("positions", "62", "1"))

    async def _account_summary(self, client: Client, fields: list[str]) -> None:
        answer = await self._ask("account")
        if not self._is_whole(client, fields[2], answer):
            return
        values = {"TotalCashValue": answer["cash"], "NetLiquidation": answer["equity"]}
        rows = [["63", "1", fields[2], self._account, tag, value, answer["currency"]] for tag, value in values.items()]
        client.tell(*rows, ["64", "1", fields[2]])

    async def _account_updates(self, client: Client, fields: list[str]) -> None:
        client.tell(["54", "1", fields[3]])

    async def _account_updates_multi(self, client: Client, fields: list[str]) -> None:
        client.tell(["74", "1", fields[2]])

    async def _next_id(self, client: Client, _: list[str]) -> None:
        client.tell(["9", "1", self._ids.next(client.client_id)])

    async def _current_time(self, client: Client, _: list[str]) -> None:
        client.tell(["49", "1", int(self._exchange.clock.now().timestamp())])

    async def _contract_details(self, client: Client, fields: list[str]) -> None:
        meant = self._listings.meant(wire.contract_asked(fields, 3))
        if not meant:
            client.tell(wire.error(fields[2], 200, "No security definition has been found for the request"))
            return
        rows = [
            wire.contract_details(fields[2], self._listings.contract(each), f"{each.tick_size:f}", f"{each.lot_size:f}")
            for each in meant
        ]
        client.tell(*rows, ["52", "1", fields[2]])

    async def _prices(self, client: Client, fields: list[str]) -> None:
        meant = self._listings.meant(wire.contract_asked(fields, 3))
        if len(meant) != 1:
            client.tell(wire.error(fields[2], 200, "No security definition has been found for the request"))
            return
        answer = await self._ask("quote", instrument=meant[0].key)
        rows = [["58", "1", fields[2], "1"], ["57", "1", fields[2]]]
        if "price" in answer:
            at = int(self._exchange.clock.now().timestamp())
            rows[1:1] = [["1", "6", fields[2], "4", answer["price"], "1", "0"], ["46", "6", fields[2], "45", str(at)]]
        client.tell(*rows)

    def _end(self, name: str, *fields: str) -> list[tuple[str, ...]]:
        return [] if name in self.withheld else [fields]

    def _is_whole(self, client: Client, number: int | str, answer: dict[str, Any]) -> bool:
        """Else TWS says what is wrong, and there is no end; an answer without a number is missed in silence."""
        if "error" not in answer:
            return True
        code, text = (321, READ_ONLY) if answer["error"] == "unauthorized" else _UNKNOWN
        client.tell(wire.error(number, code, text.format(answer["message"])))
        return False


@asynccontextmanager
async def tws_twin(exchange: Exchange, port: int = 0, **more: Any) -> AsyncIterator[TwsTwin]:
    """Serves on 127.0.0.1 while the block lasts."""
    twin = TwsTwin(exchange, **more)
    await twin.open(port)
    try:
        yield twin
    finally:
        await twin.close()
