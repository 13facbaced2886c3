"""One connection to TWS or IB Gateway, from opening to closing.

It reads the messages themselves. The library's `Trade` objects mark an order cancelled when any error names it, hold states that no
message reported, and ignore what a list of open orders says about an order. Each message is passed on to the library, whose own
requests keep working.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from liveorder.domain.errors import BrokerConnectionError, BrokerRateLimitError, BrokerTimeoutError, OutcomeUnknown
from liveorder.domain.execution_report import ExecutionReport
from liveorder.infrastructure.brokers.ibkr import sdk
from liveorder.infrastructure.brokers.ibkr.hearing import Hearing
from liveorder.infrastructure.brokers.ibkr.known_orders import OrderIds
from liveorder.infrastructure.brokers.ibkr.orders import PreparedOrder
from liveorder.infrastructure.brokers.ibkr.overhearing import UndecodedRows, overhear, read_times
from liveorder.infrastructure.brokers.ibkr.prices import Prices
from liveorder.infrastructure.brokers.ibkr.questions import TwsQuestions
from liveorder.infrastructure.brokers.ibkr.rows import Fields, TwsOrder
from liveorder.infrastructure.brokers.ibkr.times import Times
from liveorder.infrastructure.brokers.ibkr.waiting import Awaited


@dataclass(frozen=True, slots=True)
class TwsAddress:
    host: str
    port: int
    client_id: int
    time_zone: str
    """The zone of TWS's times that name none."""


class TwsSession:
    """One session with TWS, made by `opened`. It ends for good when its socket closes."""

    def __init__(self, address: TwsAddress, ids: OrderIds, times: Times, timeout_seconds: float) -> None:
        self._address, self._ids, self._timeout = address, ids, timeout_seconds
        self.hearing = Hearing(address.client_id, ids)
        self._ib = sdk.LIBRARY.IB()
        self.undecoded = UndecodedRows(self._ib.client.decoder)
        read_times(self._ib.client.decoder, times.read)
        self.questions = TwsQuestions(self._ib, self.hearing, timeout_seconds, self.demand_link, self._give_up_if_spoiled)
        self._is_throttled = False
        self._listen()

    @classmethod
    async def opened(cls, address: TwsAddress, ids: OrderIds, times: Times, timeout_seconds: float) -> TwsSession:
        """Raises `BrokerConnectionError`. Its message says so if another program uses the client id."""
        session = cls(address, ids, times, timeout_seconds)
        try:
            await session._shake_hands()
        except BaseException:
            session.close()
            raise
        return session

    def _listen(self) -> None:
        self._ib.RaiseRequestErrors = True
        self._ib.wrapper.clientId = self._address.client_id
        for name, hear in (
            ("openOrder", self.hearing.open_order),
            ("orderStatus", self.hearing.order_status),
            ("completedOrder", self.hearing.completed_order),
            ("execDetails", self.hearing.execution),
            ("commissionReport", self.hearing.commission),
            ("nextValidId", self.hearing.next_valid_id),
            ("tickString", self.hearing.tick_text),
            ("marketDataType", self.hearing.market_data_kind),
            ("marketRule", self.hearing.market_rule),
            ("error", self.hearing.error),
        ):
            overhear(self._ib.wrapper, name, hear)
        self._ib.wrapper.priceSizeTick = self.hearing.price  # the library's own keeps every ticker for ever
        self._ib.wrapper.tickSize = self.hearing.size
        self._ib.wrapper.tickOptionComputation = _unheard
        self._ib.client.throttleStart += self._throttle
        self._ib.client.throttleEnd += self._unthrottle
        self._ib.client.apiEnd += self._hang_up

    def _throttle(self) -> None:
        self._is_throttled = True

    def _unthrottle(self) -> None:
        self._is_throttled = False

    def _hang_up(self) -> None:
        self.hearing.hang_up()

    async def _shake_hands(self) -> None:
        where = f"{self._address.host}:{self._address.port}"
        shaking = asyncio.ensure_future(
            self._ib.client.connectAsync(self._address.host, self._address.port, self._address.client_id, self._timeout)
        )
        turned_away = asyncio.ensure_future(self.hearing.turned_away.wait())
        try:
            await asyncio.wait({shaking, turned_away}, return_when=asyncio.FIRST_COMPLETED)
            if turned_away.done():
                raise BrokerConnectionError(
                    f"client_id {self._address.client_id} is in use by another program at {where}; set one that is free"
                )
            await shaking
        except (OSError, TimeoutError) as error:
            raise BrokerConnectionError(f"TWS does not answer at {where}: {type(error).__name__}") from error
        finally:
            await _ended(shaking, turned_away)
        self._ib.client.updateReqId(self._ids.next)

    def welcome(self, market_data_kind: int) -> None:
        """Settings of the connection, sent once. Client id 0 also receives manual orders, and may change them."""
        self._ib.client.reqMarketDataType(market_data_kind)
        if self._address.client_id == 0:
            self._ib.client.reqAutoOpenOrders(True)

    def close(self) -> None:
        self._ib.client.disconnect()
        self.hearing.hang_up()

    # --- state -------------------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return bool(self._ib.client.isReady()) and not self.questions.is_spoiled

    @property
    def accounts(self) -> list[str]:
        """IB's numbers of the accounts that this login may trade."""
        return list(self._ib.wrapper.accounts)

    def demand_link(self) -> None:
        """Raises `BrokerConnectionError` if nothing can be sent, or if an answer could not be trusted."""
        transport = self._ib.client.conn.transport
        if not self._ib.client.isReady() or transport is None or transport.is_closing():
            raise BrokerConnectionError("not connected to TWS")
        if self.hearing.is_link_lost:
            raise BrokerConnectionError("TWS has lost its connection to IB (1100 or 2110)")

    def take_order_id(self) -> int:
        """The id is also above every request number, because errors name order ids and request numbers alike."""
        client = self._ib.client
        if client.isReady():
            self._ids.saw(client.getReqId() - 1)
        taken = self._ids.take()
        client.updateReqId(taken + 1)
        return taken

    def _give_up_if_spoiled(self) -> None:
        """Called when a question or a request about an order has ended."""
        if self.questions.is_spoiled and self.hearing.is_idle:
            self.close()

    @contextmanager
    def whole(self, what: str) -> Iterator[None]:
        """Raises `OutcomeUnknown` if, inside the block, a row arrived that the client library could not read."""
        undecoded = self.undecoded.count
        yield
        if self.undecoded.count != undecoded:
            raise OutcomeUnknown(f"the client library could not read a row of the {what}")

    # --- prices ------------------------------------------------------------------------------------------------------------

    def subscribe(self, contract: Fields, prices: Prices) -> Callable[[], None]:
        """Deliver the contract's ticks to `prices` until the returned function is called."""
        self.demand_link()
        number = self._ib.client.getReqId()
        self._ib.client.reqMktData(number, sdk.LIBRARY.Contract(**contract), "", False, False, [])
        self.hearing.prices[number] = prices

        def end() -> None:
            del self.hearing.prices[number]
            if self._ib.client.isReady():
                self._ib.client.cancelMktData(number)

        return end

    # --- requests about orders ---------------------------------------------------------------------------------------------

    async def place(self, prepared: PreparedOrder, awaited: Awaited) -> Sequence[ExecutionReport]:
        """Place a new order, or amend the one that TWS has under this id."""
        contract = sdk.LIBRARY.Contract(**prepared.contract)
        order = sdk.LIBRARY.Order(orderId=prepared.order_id, clientId=prepared.client_id, **prepared.order)
        self.hearing.sends(_row_of(prepared))
        return await self._request(
            prepared.order_id, lambda: self._ib.client.placeOrder(prepared.order_id, contract, order), awaited
        )

    async def cancel(self, order_id: int, awaited: Awaited) -> Sequence[ExecutionReport]:
        return await self._request(order_id, lambda: self._ib.client.cancelOrder(order_id), awaited)

    async def _request(self, order_id: int, send: Callable[[], None], awaited: Awaited) -> Sequence[ExecutionReport]:
        try:
            with self.hearing.awaiting(order_id, awaited):
                self._send(send)
                async with asyncio.timeout(self._timeout):
                    return await awaited.outcome
        except TimeoutError:
            raise BrokerTimeoutError(f"no message from TWS about order id {order_id} within {self._timeout:g} s") from None
        finally:
            self._give_up_if_spoiled()

    def _send(self, send: Callable[[], None]) -> None:
        """Raises `BrokerUnavailable` if nothing was sent. The library drops messages when the connection is gone."""
        self.demand_link()
        if self._is_throttled:
            raise BrokerRateLimitError("too many messages to TWS: the library is holding them back", 1.0)
        socket = self._ib.client.conn
        sent = socket.numMsgSent
        try:
            send()
        except ConnectionError as error:
            raise BrokerConnectionError(f"nothing was sent: {error}") from error
        if socket.numMsgSent == sent and not socket.isConnected():
            raise BrokerConnectionError("nothing was sent: the connection to TWS is gone")


def _unheard(*_: Any) -> None:
    """Ignores a message for which the library has no ticker; the library would log an error."""


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _row_of(prepared: PreparedOrder) -> TwsOrder:
    return TwsOrder(
        client_id=prepared.client_id,
        order_id=prepared.order_id,
        key=prepared.key,
        order=prepared.order,
        contract=prepared.contract,
    )
