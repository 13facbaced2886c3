"""Interactive Brokers as a `Broker`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from liveorder.application.ports.broker import (
    Absence,
    BrokerPosition,
    BrokerRequest,
    CancelRequest,
    Prepared,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerError, BrokerRefusal, OrderValidationError
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.ibkr import orders, translation
from liveorder.infrastructure.brokers.ibkr.account_figures import figures_in, own_currency
from liveorder.infrastructure.brokers.ibkr.answers import to_cancel, to_replace, to_submission
from liveorder.infrastructure.brokers.ibkr.capabilities import CAPABILITIES, USUALLY_OUTSIDE_HOURS
from liveorder.infrastructure.brokers.ibkr.connection import TwsConnection, explained
from liveorder.infrastructure.brokers.ibkr.contracts import Contracts
from liveorder.infrastructure.brokers.ibkr.failures import PerhapsRefused
from liveorder.infrastructure.brokers.ibkr.instruments import IbkrInstruments
from liveorder.infrastructure.brokers.ibkr.orders import PreparedOrder, Reference
from liveorder.infrastructure.brokers.ibkr.rows import Fields
from liveorder.infrastructure.brokers.ibkr.search import Search, complete
from liveorder.infrastructure.brokers.ibkr.session import TwsSession


class IbkrBroker:
    """A `Broker`. Owns one TWS client id, under which it places, changes and cancels orders."""

    def __init__(
        self,
        access: AccountAccess,
        connection: TwsConnection,
        contracts: Contracts,
        instruments: IbkrInstruments,
        *,
        trades_outside_hours: bool = False,
    ) -> None:
        self._access, self._connection, self._contracts, self._instruments = access, connection, contracts, instruments
        usual_hours = USUALLY_OUTSIDE_HOURS if trades_outside_hours else {}
        self._capabilities = access.adjusted(replace(CAPABILITIES, usual_hours=usual_hours))
        self._zone = ZoneInfo(connection.address.time_zone)

    @property
    def name(self) -> str:
        return "ibkr"

    @property
    def capabilities(self) -> BrokerCapabilities:
        return self._capabilities

    async def connect(self) -> BrokerAccount:
        session = await self._connection.make()
        try:
            return await self._account(session)
        except BrokerError as error:
            raise explained(session, error) from error

    async def close(self) -> None:
        self._connection.close()
        await asyncio.sleep(0)  # the event loop reports the closed socket in its next iteration

    # --- requests -----------------------------------------------------------------------------------------------------------

    def check(self, request: SubmitRequest) -> None:
        self._content(request)

    def prepare(self, request: BrokerRequest) -> Prepared:
        match request:
            case SubmitRequest():
                return self._prepare_submission(request)
            case CancelRequest():
                client_id, order_id = self._named(request)
                return orders.cancellation(client_id, order_id, request.client_order_id, request.broker_order_id, request.reference)
            case ReplaceRequest():
                row = self._connection.orders.get(self._named(request))
                if row is None:
                    raise OrderValidationError("order: TWS has not reported its present terms; try again once it has been found")
                return orders.change(row, request, {"replace": str(request.number), **request.reference})

    def _prepare_submission(self, request: SubmitRequest) -> Prepared:
        fields, contract = self._content(request)
        client_id, order_id = self._connection.address.client_id, self._connection.take_order_id()
        return orders.submission(client_id, order_id, self._today(), fields, contract)

    def _content(self, request: SubmitRequest) -> tuple[Fields, Fields]:
        """The order and the contract to send. Raises `OrderValidationError`."""
        orders.check(request, self._access.account_id, self._capabilities)
        return orders.order_fields(request, self._connection.account), self._contracts.of(request.instrument)

    def _named(self, request: CancelRequest | ReplaceRequest) -> tuple[int, int]:
        """(client id, order id) of an order of ours, or of one that TWS reported. Raises `OrderValidationError`."""
        reference, client_id = Reference.read(request.reference), self._connection.address.client_id
        if reference is not None:
            identity = reference.client_id, reference.order_id
        else:
            row = self._connection.orders.by_perm_id(request.broker_order_id)
            identity = (row.client_id, row.order_id) if row is not None else (client_id, 0)
        if identity[0] != client_id or identity[1] <= 0:
            raise OrderValidationError(
                f"order {request.broker_order_id}: TWS lets only the client id that placed it change it "
                f"({identity[0]}, order id {identity[1]}; ours is {client_id}); use TWS, or connect under that client_id"
            )
        return identity

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """If TWS already has this order id, returns its state and sends nothing: sending would change the order."""
        order = orders.read(prepared.payload)
        self._connection.ids.saw(order.order_id)
        session = self._session()
        known = session.hearing.orders.get((order.client_id, order.order_id))
        if known is not None and known.key != order.key:
            raise OrderValidationError(f"order_id: {order.order_id} is another order's by now; send a new signal")
        if known is not None:
            return [translation.snapshot(known, session.hearing.executions.effective_of(known))]
        if order.client_id != self._connection.address.client_id:
            raise OrderValidationError(f"client_id: it was made ready under {order.client_id}; send a new signal")
        feed = session.hearing.feed
        try:
            return await session.place(order, to_submission())
        except PerhapsRefused as error:
            if await self._is_absent(session, order, prepared.reference) and session.hearing.feed is feed:
                raise BrokerRefusal(str(error)) from error
            raise

    async def _is_absent(self, session: TwsSession, order: PreparedOrder, reference: Mapping[str, str]) -> bool:
        """Whether TWS lists the order nowhere, and never reported it as an order."""
        try:
            found = await Search(order.key, None, Reference.read(reference)).made_in(session, self._today)
        except BrokerError:
            return False
        return found is Absence.ABSENT and session.hearing.orders.get((order.client_id, order.order_id)) is None

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        content = json.loads(prepared.payload)
        return await self._session().cancel(content["order_id"], to_cancel(content["key"], content["broker_order_id"]))

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        order = orders.read(prepared.payload)
        session = self._session()
        known = session.hearing.orders.get((order.client_id, order.order_id))
        if known is None or not translation.is_live(known):
            state = "not known to TWS" if known is None else known.status
            raise OrderValidationError(f"order: it is {state}; it was not changed")
        return await session.place(order, to_replace(order, known))

    def _session(self) -> TwsSession:
        """Raises `BrokerConnectionError`: then nothing was sent."""
        return self._connection.session

    # --- questions ----------------------------------------------------------------------------------------------------------

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        """While the connection is being re-established, waits for it, for at most one call's time-out."""
        ours = Reference.read(reference)
        self._connection.ids.saw(ours.order_id if ours is not None else 0)
        wanted = Search(client_order_id, broker_order_id, ours)
        try:
            async with asyncio.timeout(self._access.call_timeout_seconds):
                session = await self._connection.awaited()
                return await wanted.made_in(session, self._today)
        except Exception:  # noqa: BLE001 - after any failure the answer is that nothing is known
            return Absence.INCONCLUSIVE

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        session = self._session()
        with session.whole("open orders"):
            rows = await session.questions.open_orders()
            await complete(rows, session)
        executions = session.hearing.executions
        ours = [row for row in rows if self._is_ours(row.order.get("account", "")) and not translation.has_ended(row)]
        return [translation.snapshot(row, executions.effective_of(row)) for row in ours]

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        """Reaches back to IB's midnight at most. Times are whole seconds, as TWS reports them."""
        session = self._session()
        with session.whole("executions"):
            await session.questions.fetch_executions()
        executions, from_then = session.hearing.executions, since.replace(microsecond=0)
        return [
            executions.report_of(row)
            for row in executions
            if (row.at is None or row.at >= from_then) and self._is_ours(row.account)
        ]

    async def positions(self) -> Sequence[BrokerPosition]:
        session = self._session()
        with session.whole("positions"):
            positions = await session.questions.positions()
        ours = [each for each in positions if each.account == self._connection.account and each.position]
        return [await self._instruments.position(each) for each in ours]

    async def account(self) -> BrokerAccount:
        return await self._account(self._session())

    async def _account(self, session: TwsSession) -> BrokerAccount:
        asked_at = self._access.clock.now()
        values = await session.questions.account_values(self._connection.account)
        currency = own_currency(values, self._access.currency)
        mode = TradingMode.PAPER if self._connection.is_paper else TradingMode.LIVE
        return BrokerAccount(self._access.account_id, mode, currency, tuple(figures_in(values, currency, asked_at)))

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        """Reports since the last `connect`. Ends when the connection breaks, and when TWS has lost its connection to IB for a
        time.
        """
        feed = self._connection.feed
        if feed is None:
            return
        async for report in feed:
            yield report
        if self._connection.feed is feed:
            self._connection.feed = None

    def _is_ours(self, account: str) -> bool:
        return account in ("", self._connection.account)

    def _today(self) -> date:
        """IB's day. TWS no longer reports orders that ended before its midnight."""
        return self._access.clock.now().astimezone(self._zone).date()
