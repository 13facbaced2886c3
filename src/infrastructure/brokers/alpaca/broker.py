"""Alpaca as a `Broker`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from liveorder.application.ports.broker import Absence, BrokerPosition, BrokerRequest, Prepared, SubmitRequest
from liveorder.application.ports.brokerage import AccountAccess
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRefusal,
    DuplicateClientOrderId,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import (
    CancelIsPending,
    CancelRejected,
    ExecutionReport,
    OrderSnapshot,
    ReplaceRejected,
)
from liveorder.infrastructure.brokers.alpaca import payloads, translation
from liveorder.infrastructure.brokers.alpaca.account_book import AlpacaQuestions
from liveorder.infrastructure.brokers.alpaca.chains import Chains
from liveorder.infrastructure.brokers.alpaca.failures import NotFound
from liveorder.infrastructure.brokers.alpaca.rest import Rest
from liveorder.infrastructure.brokers.alpaca.stream import TradeUpdateStream
from liveorder.infrastructure.brokers.alpaca.trade_updates import TradeUpdates
from liveorder.infrastructure.brokers.alpaca.translation import Message

_WOULD_TRADE_AGAIN = (
    "part-filled, and Alpaca's replacement might trade the whole quantity again: not sent; cancel the order and send another, "
    "or see alpaca.replacement_counts_fills"
)


class AlpacaBroker:
    """One account. A replacement is a separate order at Alpaca; here both are one order, under its own key.

    `counts_fills`: whether the operator knows that a replacement's quantity includes earlier fills. If not, a part-filled order is
    not replaced, since the replacement might trade the whole quantity again.
    """

    def __init__(
        self,
        access: AccountAccess,
        rest: Rest,
        book: AlpacaQuestions,
        new_stream: Callable[[], TradeUpdateStream],
        capabilities: BrokerCapabilities,
        on_close: Callable[[], None],
        *,
        counts_fills: bool = False,
    ) -> None:
        self._access, self._rest, self._book, self._new_stream = access, rest, book, new_stream
        self._capabilities, self._on_close, self._counts_fills = capabilities, on_close, counts_fills
        self._chains, self._updates = Chains(rest), TradeUpdates()
        self._stream: TradeUpdateStream | None = None

    @property
    def name(self) -> str:
        return "alpaca"

    @property
    def capabilities(self) -> BrokerCapabilities:
        return self._capabilities

    async def connect(self) -> BrokerAccount:
        """When this returns, the stream is open: pushes and the questions asked afterwards leave no gap."""
        account = await self.account()
        if self._stream is None or not self._stream.is_open:
            await self._open_stream()
        return account

    async def _open_stream(self) -> None:
        if self._stream is not None:
            await self._stream.close()
        stream = self._new_stream()
        await stream.open()
        self._stream = stream

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.close()
        self._on_close()

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        """Ends when the connection is lost, or at once if there is none; `connect` opens the next one. One reader at a time."""
        if self._stream is None:
            return
        async for event in self._stream.events():
            for report in self._reports_of(event):
                yield report

    def _reports_of(self, event: Message) -> Sequence[ExecutionReport]:
        try:
            return self._updates.reports_of(event)
        except translation.UNREADABLE as error:
            sentence = f"An event of Alpaca's stream could not be read ({type(error).__name__}); the next poll reports the order"
            self._access.log.write("WARNING", sentence, account_id=self._access.account_id, event=str(event.get("event"))[:50])
            return ()

    # --- requests --------------------------------------------------------------------------------------------------------------

    def check(self, request: SubmitRequest) -> None:
        self.prepare(request)

    def prepare(self, request: BrokerRequest) -> Prepared:
        return payloads.prepared(request, self._access.account_id, self._capabilities)

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return [await translation.readable(self._submitted(json.loads(prepared.payload)))]

    async def _submitted(self, order: Message) -> ExecutionReport:
        return translation.submitted(translation.row_of(await self._rest.post("/orders", order)))

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """Cancel by Alpaca's id. If that is unknown or no longer live, cancel the order that replaced it."""
        asked = json.loads(prepared.payload)
        key, order_id = asked["client_order_id"], asked["order_id"]
        answer = await self._cancelled(key, order_id) if order_id is not None else _no_such_order(key)
        if isinstance(answer, CancelIsPending):
            return [answer]
        chain = await self._looked_at(self._chains.by_key(key))
        is_other = chain is not None and chain[-1]["id"] != order_id
        return [await self._cancelled(key, chain[-1]["id"]) if chain is not None and is_other else answer]

    async def _cancelled(self, key: str, order_id: str) -> CancelIsPending | CancelRejected:
        """Alpaca accepts a cancel and reports later whether it was in time."""
        named: dict[str, Any] = {"client_order_id": key, "broker_order_id": order_id}
        try:
            await self._rest.delete(f"/orders/{order_id}")
        except BrokerAuthenticationError:
            raise
        except (BrokerRefusal, NotFound) as refusal:
            return CancelRejected(**named, reason=str(refusal))
        return CancelIsPending(**named)

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """Alpaca answers before it accepts the replacement, so its answer proves nothing. The stream or a later question does."""
        asked = json.loads(prepared.payload)
        named: dict[str, Any] = {"client_order_id": asked["client_order_id"], "broker_order_id": asked["order_id"]}
        if not self._counts_fills and await self._is_part_filled(asked["order_id"]):
            return [ReplaceRejected(**named, reason=_WOULD_TRADE_AGAIN)]
        try:
            await translation.readable(self._replaced(asked["order_id"], asked["terms"]))
        except DuplicateClientOrderId as error:
            raise OutcomeUnknown(f"{error}: this replacement is there already") from None
        except BrokerAuthenticationError:
            raise
        except (BrokerRefusal, NotFound) as refusal:
            return [ReplaceRejected(**named, reason=str(refusal))]
        return []

    async def _replaced(self, order_id: str, terms: Message) -> str:
        """Alpaca's id of the replacement. Reading it proves that the answer contains one."""
        return str(translation.row_of(await self._rest.patch(f"/orders/{order_id}", terms))["id"])

    async def _is_part_filled(self, order_id: str) -> bool:
        return any(translation.filled(each) for each in await self._looked_at(self._chains.by_id(order_id)) or ())

    async def _looked_at(self, question: Awaitable[list[Message] | None]) -> list[Message] | None:
        """Ask before sending. If the question fails, nothing is sent, so the failure is definite."""
        try:
            return await translation.readable(question)
        except OutcomeUnknown as error:
            raise BrokerConnectionError(f"not sent, since the order could not be looked at first: {error}") from None

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        """Look up by our key, which the order keeps through every replacement. An order placed elsewhere is found by Alpaca's
        id.
        """
        try:
            chain = await self._chains.by_key(client_order_id)
            if chain is None and broker_order_id is not None:
                chain = await self._chains.by_id(broker_order_id)
            return Absence.ABSENT if chain is None else await self._book.snapshot(chain)
        except (BrokerError, *translation.UNREADABLE):
            return Absence.INCONCLUSIVE

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return await translation.readable(self._open_orders())

    async def _open_orders(self) -> Sequence[OrderSnapshot]:
        """Leaves out replacements that are not accepted yet: until then the order they replace stands."""
        chains = [[*await self._chains.before(order), order] for order in await self._book.open_orders()]
        return [await self._book.snapshot(chain) for chain in chains if all(map(translation.is_replaced, chain[:-1]))]

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return await translation.readable(self._book.executions_since(since))

    async def positions(self) -> Sequence[BrokerPosition]:
        return await translation.readable(self._book.positions())

    async def account(self) -> BrokerAccount:
        return await translation.readable(self._book.account())


def _no_such_order(key: str) -> CancelRejected:
    return CancelRejected(client_order_id=key, reason="alpaca: no order has this key")
