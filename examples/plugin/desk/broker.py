"""A paper desk: market orders fill at once at the prices of the settings, and are kept as lines of a file."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from liveorder.plugins import (
    Absence,
    Accepted,
    AccountAccess,
    BrokerAccount,
    Brokerage,
    BrokerCapabilities,
    BrokerPlugin,
    BrokerPosition,
    BrokerRefusal,
    BrokerRequest,
    BrokerStatus,
    DuplicateClientOrderId,
    Execution,
    ExecutionReport,
    Instrument,
    InstrumentQuery,
    KeySupport,
    OrderSnapshot,
    OrderType,
    OrderValidationError,
    Prepared,
    Price,
    Quote,
    Side,
    SubmitRequest,
)


class Settings(BaseModel):
    """`[brokers.desk]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    book: Path
    prices: dict[str, Decimal]


class Desk:
    """A `Broker`, with its `MarketData` and `Instruments`. Its file is a local one, so that nothing blocks for long."""

    name = "desk"

    def __init__(self, access: AccountAccess, settings: Settings) -> None:
        self._access, self._settings = access, settings
        declared = BrokerCapabilities(
            key_support=KeySupport.UNIQUE,
            key_memory_seconds=86400.0,
            trusts_absence=True,
            order_types=frozenset({OrderType.MARKET}),
            replaces=False,
        )
        self.capabilities = access.adjusted(declared)
        self._pushed: asyncio.Queue[ExecutionReport | None] = asyncio.Queue()

    async def connect(self) -> BrokerAccount:
        return await self.account()

    async def close(self) -> None:
        self._pushed.put_nowait(None)

    # --- requests ---

    def check(self, request: SubmitRequest) -> None:
        self.prepare(request)

    def prepare(self, request: BrokerRequest) -> Prepared:
        """All of it is settled here: what is sent again is the same bytes."""
        if not isinstance(request, SubmitRequest):
            raise OrderValidationError("request: what the desk filled cannot be changed; send another order")
        if request.order_type is not OrderType.MARKET or request.quantity is None:
            raise OrderValidationError("order_type: the desk fills market orders for a quantity; use MARKET")
        order = {
            "ref": request.client_order_id,
            "symbol": request.instrument.symbol,
            "side": request.side.value,
            "quantity": str(request.quantity),
        }
        return Prepared({}, json.dumps(order))

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        order = json.loads(prepared.payload)
        if any(row["ref"] == order["ref"] for row in self._book()):
            raise DuplicateClientOrderId(f"desk: there is an order {order['ref']} already")
        row = order | {"price": str(self._settings.prices[order["symbol"]]), "at": self._access.clock.now().isoformat()}
        with self._settings.book.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._pushed.put_nowait(_execution(row))
        return [Accepted(client_order_id=row["ref"], broker_order_id=_broker_id(row))]

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        raise BrokerRefusal("desk: every order is filled at once")

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        raise BrokerRefusal("desk: every order is filled at once")

    # --- questions ---

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        try:
            found = [row for row in self._book() if row["ref"] == client_order_id]
        except (OSError, ValueError):
            return Absence.INCONCLUSIVE
        return _snapshot(found[0]) if found else Absence.ABSENT

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return []

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return [_execution(row) for row in self._book() if datetime.fromisoformat(row["at"]) >= since]

    async def positions(self) -> Sequence[BrokerPosition]:
        held: dict[str, Decimal] = {}
        for row in self._book():
            signed = Decimal(row["quantity"]) * (1 if row["side"] == Side.BUY else -1)
            held[row["symbol"]] = held.get(row["symbol"], Decimal(0)) + signed
        return [BrokerPosition(self._instrument(symbol), quantity) for symbol, quantity in held.items() if quantity]

    async def account(self) -> BrokerAccount:
        return BrokerAccount(self._access.account_id, self._access.mode, self._access.currency)

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        while (report := await self._pushed.get()) is not None:
            yield report

    # --- prices and instruments ---

    async def latest(self, instrument: Instrument) -> Quote | None:
        price = self._settings.prices.get(instrument.symbol)
        return None if price is None else Quote(last=Price(price, self._access.clock.now()))

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        return self._instrument(query.symbol) if query.symbol in self._settings.prices else None

    def _instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol=symbol, exchange="DESK", currency=self._access.currency)

    def _book(self) -> list[dict[str, Any]]:
        if not self._settings.book.exists():
            return []
        return [json.loads(line) for line in self._settings.book.read_text(encoding="utf-8").splitlines()]


def _broker_id(row: Mapping[str, str]) -> str:
    return f"D-{row['ref']}"


def _execution(row: Mapping[str, str]) -> Execution:
    return Execution(
        client_order_id=row["ref"],
        broker_order_id=_broker_id(row),
        execution_id=f"X-{row['ref']}",
        quantity=Decimal(row["quantity"]),
        price=Decimal(row["price"]),
        occurred_at=datetime.fromisoformat(row["at"]).astimezone(UTC),
    )


def _snapshot(row: Mapping[str, str]) -> OrderSnapshot:
    quantity = Decimal(row["quantity"])
    return OrderSnapshot(
        client_order_id=row["ref"],
        broker_order_id=_broker_id(row),
        status=BrokerStatus.FILLED,
        quantity=quantity,
        filled_quantity=quantity,
        average_price=Decimal(row["price"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        order_type=OrderType.MARKET,
        executions=(_execution(row),),
    )


def brokerage(access: AccountAccess, settings: Settings) -> Brokerage:
    desk = Desk(access, settings)
    return Brokerage(broker=desk, market_data=desk, instruments=desk)


PLUGIN = BrokerPlugin(Settings, brokerage)
