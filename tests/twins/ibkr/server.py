"""TWS's end of the socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN, VenueCatalogue
from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal
from liveorder.testing.exchange import Exchange, HungUp
from liveorder.testing.venue.floor import VenueFeed
from tests.twins.ibkr import wire
from tests.twins.ibkr.client import Client, Switches
from tests.twins.ibkr.desk import READ_ONLY, Desk
from tests.twins.ibkr.market_data import MarketData
from tests.twins.ibkr.questions import Questions
from tests.twins.ibkr.trading import Trading

ACCOUNT = "DU1234567"
CATALOGUE = Path(__file__).with_name("catalogue.json")


class TwsTwin(Switches):
    """Speaks for `exchange`, whose account is `account`."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        account: str = ACCOUNT,
        catalogue: VenueCatalogue | None = None,
        ids_file: Path | None = None,
        time_zone: str = "America/New_York",
    ) -> None:
        super().__init__(managed_accounts=account)
        self._desk = Desk(exchange, account, catalogue or BUILT_IN.with_file(CATALOGUE), ids_file, time_zone)
        self._trading, self._questions = Trading(self._desk, self), Questions(self._desk, self)
        self._market_data = MarketData(self._desk, self)
        self._clients: list[Client] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._feed: VenueFeed | None = None
        self._failures: list[BaseException] = []
        self.port = 0

    # --- life ------------------------------------------------------------------------------------------------------------------

    async def open(self, port: int = 0) -> None:
        for order in await self._desk.exchange.control.orders(self._desk.account):
            self._desk.ids.of(str(order.broker_order_id), order.client_order_id)
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
        if self._failures:
            raise self._failures[0]

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

    def lose_link(self, code: int = 1100) -> None:
        self.is_link_lost = True
        self.say(code, "Connectivity between IBKR and Trader Workstation has been lost.")

    def regain_link(self, *, data_lost: bool) -> None:
        self.is_link_lost = False
        if data_lost:
            self.subscribed.clear()
            self.say(1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost.")
        else:
            self.say(1102, "Connectivity between IBKR and Trader Workstation has been restored - data maintained.")

    def tell_times_as(self, form: str) -> None:
        """Those of executions, in UTC."""
        self._desk.speech.moment = lambda at: at.astimezone(UTC).strftime(form)

    def say(self, code: int, text: str, about: int = -1) -> None:
        """To everybody."""
        for client in self._clients:
            client.tell(wire.error(about, code, text))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

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
        self.subscribed[:] = [each for each in self.subscribed if each[0] is not client]
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
        trading, questions, prices = self._trading, self._questions, self._market_data
        return {
            "71": self._start,
            "3": trading.place,
            "4": trading.cancel,
            "5": questions.open_orders,
            "16": questions.open_orders,
            "99": questions.completed_orders,
            "7": questions.executions,
            "61": questions.positions,
            "62": questions.account_summary,
            "6": questions.account_updates,
            "76": questions.account_updates_multi,
            "8": questions.next_id,
            "9": questions.contract_details,
            "91": questions.market_rule,
            "1": prices.subscribe,
            "2": prices.cancel,
            "59": prices.choose,
            "49": questions.current_time,
        }

    async def _start(self, client: Client, fields: list[str]) -> None:
        client_id = int(fields[2])
        if client_id in self.client_ids_in_use | {each.client_id for each in self._clients}:
            client.tell(wire.error(-1, 326, "Unable to connect as the client id is already in use."))
            await asyncio.sleep(0)
            client.hang_up()
            return
        client.client_id = client_id
        answer = await self._desk.ask("connect")
        if answer.get("error") == "unavailable":
            raise HungUp
        client.tell(["15", "1", self.managed_accounts], ["9", "1", self._desk.ids.next(client_id)])
        if "error" in answer:
            client.tell(wire.error(-1, 321, READ_ONLY))
        if self.is_link_lost:
            client.tell(wire.error(-1, 1100, "Connectivity between IBKR and Trader Workstation has been lost."))

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

    async def _subscribed(self) -> VenueFeed:
        while True:
            try:
                return self._desk.exchange.subscribe(self._desk.account)
            except VenueRefusal:
                await asyncio.sleep(0.01)  # its streams are down for a time that only its clock knows

    def _tell(self, message: dict[str, Any]) -> None:
        """To the client that placed the order; nothing while the link is lost."""
        order = self._desk.order(message["broker_order_id"])
        client_id = int(self._desk.speech.ids(order)["clientId"])
        told = self._trading.told(message, order)
        for client in self._clients:
            if client.client_id == client_id and not self.is_link_lost:
                client.tell(*told)


@asynccontextmanager
async def tws_twin(exchange: Exchange, port: int = 0, **more: Any) -> AsyncIterator[TwsTwin]:
    """Serves on 127.0.0.1 while the block lasts."""
    twin = TwsTwin(exchange, **more)
    await twin.open(port)
    try:
        yield twin
    finally:
        await twin.close()
