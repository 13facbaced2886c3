"""A broker, its market data and its catalogue that answer at once, so that nearly all of what is measured is ours.

It acknowledges every order and fills it whole in the same breath, forgets nothing that it is asked about, and knows no faults:
for those there is the simulated venue, which is measured beside it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from liveorder.application.ports.broker import Absence, BrokerPosition, BrokerRequest, Prepared, SubmitRequest
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.execution_report import Accepted, Execution, ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import Side, TradingMode
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.infrastructure.clock import SystemClock

PRICE = Decimal("512.25")


class InstantBroker:
    """A `Broker`. `on_call` hears of every submit the moment it is called. One that `is_resting` acknowledges and never fills.

    A question of positions takes `answers_after` seconds.
    """

    name = "instant"
    capabilities: BrokerCapabilities = SIMULATED_CAPABILITIES

    def __init__(
        self, account_id: str, on_call: Callable[[], None] = lambda: None, *, is_resting: bool = False, answers_after: float = 0.0
    ) -> None:
        self._account_id, self.on_call, self._is_resting = account_id, on_call, is_resting
        self._answers_after = answers_after
        self._reports: asyncio.Queue[ExecutionReport] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._clock = SystemClock()
        self._instruments: dict[str, Instrument] = {}
        self._held: defaultdict[str, Decimal] = defaultdict(Decimal)
        """Signed units, by symbol."""

    async def connect(self) -> BrokerAccount:
        return await self.account()

    async def close(self) -> None:
        """Nothing is held."""

    def check(self, request: SubmitRequest) -> None:
        """Takes everything."""

    def prepare(self, request: BrokerRequest) -> Prepared:
        assert isinstance(request, SubmitRequest)
        self._instruments[request.instrument.symbol] = request.instrument
        fields = {
            "key": request.client_order_id,
            "symbol": request.instrument.symbol,
            "side": request.side.value,
            "type": request.order_type.value,
            "quantity": str(request.quantity),
        }
        return Prepared({}, json.dumps(fields))

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        self.on_call()
        order, number, at = json.loads(prepared.payload), next(self._numbers), self._clock.now()
        key, broker_order_id = order["key"], f"B{number}"
        if not self._is_resting:
            self._held[order["symbol"]] += Side(order["side"]).signed(Decimal(order["quantity"]))
            self._reports.put_nowait(
                Execution(
                    client_order_id=key,
                    broker_order_id=broker_order_id,
                    occurred_at=at,
                    execution_id=f"X{number}",
                    quantity=Decimal(order["quantity"]),
                    price=PRICE,
                    commission=Decimal("0.35"),
                )
            )
        return [Accepted(client_order_id=key, broker_order_id=broker_order_id, occurred_at=at)]

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return []

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]:
        return []

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        return Absence.INCONCLUSIVE

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        return []

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        return []

    async def positions(self) -> Sequence[BrokerPosition]:
        await asyncio.sleep(self._answers_after)
        return [BrokerPosition(self._instruments[symbol], units) for symbol, units in self._held.items() if units]

    async def account(self) -> BrokerAccount:
        return BrokerAccount(self._account_id, TradingMode.SIMULATION, "USD")

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        while True:
            yield await self._reports.get()


class StillMarket:
    """A `MarketData` and an `Instruments` with a few stocks whose price stands still."""

    def __init__(self, answers_after: float = 0.0) -> None:
        """A question of a price takes `answers_after` seconds."""
        self._clock, self._answers_after = SystemClock(), answers_after
        self._stocks = {symbol: Instrument(symbol=symbol, exchange="ARCA") for symbol in ("SPY", "QQQ", "IWM", "DIA")}

    async def latest(self, instrument: Instrument) -> Quote:
        if self._answers_after:
            await asyncio.sleep(self._answers_after)
        return Quote(last=Price(PRICE, self._clock.now()))

    async def resolve(self, query: InstrumentQuery) -> Instrument | None:
        return self._stocks.get(query.symbol)
