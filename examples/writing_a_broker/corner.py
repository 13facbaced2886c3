"""Corner Exchange: limit and market orders for the day, over HTTP and JSON. It pushes nothing and changes no order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from requests import RequestException, Session

from liveorder.plugins import (
    Absence,
    Accepted,
    BlockingCalls,
    BrokerAccount,
    BrokerAuthenticationError,
    BrokerCapabilities,
    BrokerConnectionError,
    BrokerError,
    BrokerPosition,
    BrokerRateLimitError,
    BrokerRefusal,
    BrokerRequest,
    BrokerStatus,
    CancelRejected,
    CancelRequest,
    CloseCause,
    DuplicateClientOrderId,
    Execution,
    ExecutionReport,
    Instrument,
    InsufficientBalanceError,
    InvalidSymbolError,
    KeySupport,
    OrderClosed,
    OrderSnapshot,
    OrderType,
    OrderValidationError,
    OutcomeUnknown,
    Prepared,
    Side,
    SubmitRequest,
    TradingMode,
    figures,
)
from liveorder.plugins.http import error_of, one_try_session

T = TypeVar("T")

CAPABILITIES = BrokerCapabilities(
    key_support=KeySupport.UNIQUE,
    key_memory_seconds=86400.0,
    trusts_absence=True,
    replaces=False,
    requests_per_second=5.0,
)
"""What its manual promises. What it does not promise stays at the pessimistic default."""

_REFUSALS: dict[str, type[BrokerError]] = {
    "DUPLICATE_REF": DuplicateClientOrderId,
    "NO_FUNDS": InsufficientBalanceError,
    "NO_SUCH_SYMBOL": InvalidSymbolError,
    "BAD_ORDER": OrderValidationError,
}
_STATUSES = {
    "NEW": BrokerStatus.PENDING,
    "OPEN": BrokerStatus.WORKING,
    "DONE": BrokerStatus.FILLED,
    "CANCELLED": BrokerStatus.CANCELLED,
    "LAPSED": BrokerStatus.EXPIRED,
    "REFUSED": BrokerStatus.REJECTED,
}
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, InvalidOperation)


class CornerExchange:
    """A `Broker`."""

    name = "corner"
    capabilities = CAPABILITIES

    def __init__(self, address: str, token: str, account_id: str, *, timeout_seconds: float = 5.0) -> None:
        self._address, self._account_id = address, account_id
        self._session: Session = one_try_session(timeout_seconds)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._calls = BlockingCalls("corner")
        self._closed = asyncio.Event()

    # --- life ---

    async def connect(self) -> BrokerAccount:
        return await self.account()

    async def close(self) -> None:
        self._closed.set()
        self._calls.close()
        self._session.close()

    # --- requests ---

    def check(self, request: SubmitRequest) -> None:
        self.prepare(request)

    def prepare(self, request: BrokerRequest) -> Prepared:
        match request:
            case SubmitRequest():
                return Prepared({}, json.dumps(_order(request)))
            case CancelRequest(broker_order_id=str()):
                return Prepared({}, json.dumps({"ref": request.client_order_id, "id": request.broker_order_id}))
        raise OrderValidationError("request: Corner Exchange cancels by its own order id, and changes no order; cancel it instead")

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        answer = await self._call("POST", "/orders", json.loads(prepared.payload))
        return [_read(answer, lambda: Accepted(client_order_id=answer["ref"], broker_order_id=answer["id"]))]

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        asked = json.loads(prepared.payload)
        named = {"client_order_id": asked["ref"], "broker_order_id": asked["id"]}
        try:
            await self._call("DELETE", f"/orders/{asked['id']}")
        except BrokerRefusal as refusal:
            return [CancelRejected(**named, reason=str(refusal))]
        return [OrderClosed(**named, cause=CloseCause.REQUESTED)]

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        raise OrderValidationError("request: Corner Exchange changes no order")

    # --- questions ---

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        try:
            orders = await self._list("/orders", _snapshot, ref=client_order_id)
        except BrokerError:
            return Absence.INCONCLUSIVE
        return orders[0] if orders else Absence.ABSENT

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return await self._list("/orders", _snapshot, open="yes")

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return await self._list("/fills", _execution, since=since.isoformat())

    async def positions(self) -> Sequence[BrokerPosition]:
        return await self._list("/positions", _position)

    async def account(self) -> BrokerAccount:
        """It tells cash, and nothing else of the account's money: what is not told is left out."""
        answer = await self._call("GET", "/account")
        return _read(answer, lambda: self._account(answer))

    def _account(self, answer: Any) -> BrokerAccount:
        cash = figures(datetime.fromisoformat(answer["at"]), answer["currency"], cash=Decimal(answer["cash"]))
        return BrokerAccount(self._account_id, TradingMode(answer["kind"]), answer["currency"], cash)

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        """Nothing is pushed: the engine asks."""
        await self._closed.wait()
        nothing: tuple[ExecutionReport, ...] = ()
        for report in nothing:
            yield report

    # --- the wire ---

    async def _list(self, path: str, read: Callable[[Any], T], **asked: str) -> list[T]:
        answer = await self._call("GET", path, **asked)
        return _read(answer, lambda: [read(row) for row in answer["rows"]])

    async def _call(self, method: str, path: str, body: Any = None, **asked: str) -> Any:
        return await self._calls.run(self._exchange, method, path, body, asked)

    def _exchange(self, method: str, path: str, body: Any, asked: Mapping[str, str]) -> Any:
        try:
            response = self._session.request(method, self._address + path, json=body, params=asked)
        except RequestException as failure:
            raise error_of(failure, self.name) from None
        match response.status_code:
            case 200 | 201:
                return _read(None, response.json)
            case 401:
                raise BrokerAuthenticationError("corner: the token is not accepted; make a new one")
            case 429:
                raise BrokerRateLimitError("corner: too many requests")
            case 503:
                raise BrokerConnectionError("corner: closed for maintenance, and says so before it reads")
            case 409 | 422:
                told = _read(None, response.json)
                raise _REFUSALS.get(told.get("code"), BrokerRefusal)(f"corner: {told.get('text')}")
        raise OutcomeUnknown(f"corner: answered {response.status_code}")


def _order(request: SubmitRequest) -> dict[str, str]:
    """Raises `OrderValidationError` for what the exchange does not have."""
    for field, value, known in (
        ("order_type", request.order_type, CAPABILITIES.order_types),
        ("time_in_force", request.time_in_force, CAPABILITIES.times_in_force),
    ):
        if value not in known:
            raise OrderValidationError(f"{field}: Corner Exchange has no {value}; use one of {', '.join(sorted(known))}")
    if request.quantity is None or request.quantity % 1:
        raise OrderValidationError("quantity: Corner Exchange takes whole units; give a whole quantity")
    order = {"ref": request.client_order_id, "symbol": request.instrument.symbol, "side": request.side.value.lower()}
    order["quantity"] = str(request.quantity)
    return order if request.limit_price is None else order | {"limit": str(request.limit_price)}


def _snapshot(row: Mapping[str, Any]) -> OrderSnapshot:
    limit = row.get("limit")
    return OrderSnapshot(
        client_order_id=row["ref"],
        broker_order_id=row["id"],
        status=_STATUSES.get(row["status"], BrokerStatus.UNKNOWN),
        native_status=row["status"],
        quantity=Decimal(row["quantity"]),
        filled_quantity=Decimal(row["filled"]),
        average_price=None if row["average"] is None else Decimal(row["average"]),
        limit_price=None if limit is None else Decimal(limit),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        side=Side(row["side"].upper()),
        symbol=row["symbol"],
        reason=row["text"],
    )


def _execution(row: Mapping[str, Any]) -> Execution:
    return Execution(
        client_order_id=row["ref"],
        broker_order_id=row["order"],
        execution_id=row["id"],
        quantity=Decimal(row["quantity"]),
        price=Decimal(row["price"]),
        occurred_at=datetime.fromisoformat(row["at"]),
    )


def _position(row: Mapping[str, Any]) -> BrokerPosition:
    return BrokerPosition(Instrument(symbol=row["symbol"], exchange="NASDAQ", calendar="XNYS"), Decimal(row["quantity"]))


def _read(answer: Any, read: Callable[[], T]) -> T:
    """What cannot be read is not known: a guess could be a second order."""
    try:
        return read()
    except _UNREADABLE as error:
        raise OutcomeUnknown(f"corner: an answer that cannot be read ({type(error).__name__})") from None
