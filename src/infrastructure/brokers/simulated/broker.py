"""A broker whose exchange is the simulated venue. It is as reliable or unreliable as its settings say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from liveorder.application.ports.broker import (
    Absence,
    BrokerPosition,
    BrokerRequest,
    CancelRequest,
    Prepared,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import BrokerConnectionError, BrokerError, OrderValidationError
from liveorder.domain.execution_report import CancelRejected, ExecutionReport, OrderSnapshot, ReplaceRejected
from liveorder.domain.values import OrderType, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.simulated import translation
from liveorder.infrastructure.brokers.simulated.transport import ReportFeed, Transport
from liveorder.infrastructure.brokers.simulated.wire import Message, plain

T = TypeVar("T")

SIMULATED_CAPABILITIES = BrokerCapabilities(
    key_support=KeySupport.UNIQUE,
    crosses_zero=True,
    key_memory_seconds=10 * 365 * 86400.0,
    lookup_lag_seconds=0.0,
    position_lag_seconds=0.0,
    delivery_bound_seconds=5.0,
    clock_skew_seconds=0.0,
    trusts_absence=True,
    atomic_replace=True,
    order_types=frozenset(OrderType),
    times_in_force=frozenset(each for each in TimeInForce if not each.is_for_an_auction),
    hours=frozenset(TradingHours),
    notional=True,
    fractional=True,
    requests_per_second=1e6,
    requests_per_minute=6e7,
)
"""The capabilities of a venue with default settings. For others, see `liveorder.testing.venue.capabilities`."""

_TOO_LATE = frozenset({"too_late", "unknown_order", "invalid_order"})
"""The codes with which the venue refuses a cancel or a replace and leaves the order unchanged."""


class SimulatedBroker:
    """A `Broker`. `request_timeout_seconds` is the maximum wait for an answer, by the transport's clock.

    Reports are buffered from `connect` on, so that none is missed before `reports()` is called. If the venue's key support is NONE,
    `find` can still ask by the venue's order id.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        account_id: str = "SIM",
        capabilities: BrokerCapabilities = SIMULATED_CAPABILITIES,
        request_timeout_seconds: float = 5.0,
        name: str = "simulated",
    ) -> None:
        self._transport, self._account_id = transport, account_id
        self._capabilities, self._timeout, self._name = capabilities, request_timeout_seconds, name
        self._feed: ReportFeed | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> BrokerCapabilities:
        return self._capabilities

    async def connect(self) -> BrokerAccount:
        account = await self._ask_about("connect", translation.account_of)
        await self._open_feed()
        return account

    async def close(self) -> None:
        if self._feed is not None:
            self._feed.close()
        await self._transport.close()

    # --- requests -----------------------------------------------------------------------------------------------------------

    def prepare(self, request: BrokerRequest) -> Prepared:
        match request:
            case SubmitRequest():
                self.check(request)
                return _prepared({}, "submit", **_submit_fields(request))
            case CancelRequest():
                return _prepared({}, "cancel", **_order_fields(request))
            case ReplaceRequest():
                reference = {"replace_id": f"{request.client_order_id}/{request.number}"}
                changes = {"quantity": request.quantity, "limit_price": request.limit_price, "stop_price": request.stop_price}
                return _prepared(reference, "replace", **_order_fields(request), terms=plain(**reference, **changes))

    def check(self, request: SubmitRequest) -> None:
        can = self._capabilities
        if request.account_id != self._account_id:
            raise OrderValidationError(f"account_id: this connection is to {self._account_id}, not {request.account_id}")
        if request.order_type not in can.order_types:
            raise OrderValidationError(f"order_type: {self._name} has no {request.order_type} orders")
        if request.time_in_force not in can.times_in_force:
            raise OrderValidationError(f"time_in_force: {self._name} has no {request.time_in_force}")
        if request.notional is not None and not can.notional:
            raise OrderValidationError(f"notional: {self._name} takes quantities only")
        if request.quantity is not None and request.quantity % 1 and not can.fractional:
            raise OrderValidationError(f"quantity: {self._name} takes whole units only, not {request.quantity}")

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return [translation.read(await self._ask(prepared.payload), translation.submitted)]

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """A cancel refused by the venue becomes a `CancelRejected`, not an error."""
        answer = await self._transport.ask(prepared.payload, self._timeout)
        if answer.get("error") in _TOO_LATE:
            return [CancelRejected(**_addressee(prepared), reason=answer["message"])]
        return [translation.read(answer, translation.cancelled)]

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        """A replace refused by the venue becomes a `ReplaceRejected`, not an error."""
        answer = await self._transport.ask(prepared.payload, self._timeout)
        if answer.get("error") in _TOO_LATE:
            return [ReplaceRejected(**_addressee(prepared), reason=answer["message"])]
        return [translation.read(answer, translation.replaced)]

    # --- questions ----------------------------------------------------------------------------------------------------------

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        asked = plain(client_order_id=client_order_id, broker_order_id=broker_order_id)
        try:
            return await self._ask_about("find", _found, **asked)
        except BrokerError:
            return Absence.INCONCLUSIVE

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return await self._ask_about("open_orders", lambda answer: [translation.snapshot_of(order) for order in answer["orders"]])

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return await self._ask_about(
            "executions", lambda answer: [translation.report_of(each) for each in answer["executions"]], since=since.isoformat()
        )

    async def positions(self) -> Sequence[BrokerPosition]:
        return await self._ask_about(
            "positions", lambda answer: [translation.position_of(position) for position in answer["positions"]]
        )

    async def account(self) -> BrokerAccount:
        return await self._ask_about("account", translation.account_of)

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        """Ends with the stream. Called again, it opens another stream, and ends at once if that fails.

        One reader at a time. A cancelled reader leaves its unread reports to the next.
        """
        try:
            feed = await self._open_feed()
        except BrokerConnectionError:
            return
        async for message in feed:
            yield translation.read(message, translation.report_of)
        self._feed = None

    async def _open_feed(self) -> ReportFeed:
        if self._feed is None:
            self._feed = await self._transport.subscribe(self._account_id)
        return self._feed

    async def _ask_about(self, verb: str, read: Callable[[Message], T], **fields: Any) -> T:
        return translation.read(await self._ask(json.dumps({"verb": verb, "account": self._account_id} | fields)), read)

    async def _ask(self, line: str) -> Message:
        return await self._transport.ask(line, self._timeout)


def _found(answer: Message) -> OrderSnapshot | Absence:
    if answer.get("inconclusive"):
        return Absence.INCONCLUSIVE
    return Absence.ABSENT if answer["order"] is None else translation.snapshot_of(answer["order"])


def _prepared(reference: Mapping[str, str], verb: str, **fields: Any) -> Prepared:
    return Prepared(reference, json.dumps({"verb": verb} | fields))


def _submit_fields(request: SubmitRequest) -> Message:
    return plain(
        account=request.account_id,
        client_order_id=request.client_order_id,
        instrument=request.instrument.key,
        side=request.side.value,
        order_type=request.order_type.value,
        time_in_force=request.time_in_force.value,
        quantity=request.quantity,
        notional=request.notional,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_amount=request.trail_amount,
        trail_percent=request.trail_percent,
        limit_offset=request.limit_offset,
        product=request.product.value if request.product else None,
        hours=request.hours.value if request.hours is TradingHours.EXTENDED else None,
        expires_at=request.expires_at,
    )


def _order_fields(request: CancelRequest | ReplaceRequest) -> Message:
    return plain(account=request.account_id, client_order_id=request.client_order_id, broker_order_id=request.broker_order_id)


def _addressee(prepared: Prepared) -> dict[str, Any]:
    fields = json.loads(prepared.payload)
    return {"client_order_id": fields.get("client_order_id"), "broker_order_id": fields.get("broker_order_id")}
