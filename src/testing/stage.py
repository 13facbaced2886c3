"""The stage of a case: an adapter, and control over the broker's side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from liveorder.application.ports.broker import Absence, Broker, CancelRequest, Prepared, ReplaceRequest, SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import Accepted, Execution, ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Side, TimeInForce
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills, Keys, PriceSource, VenueAccount, VenueSettings

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 0.02


def stage_settings(*accounts: VenueAccount, keys: Keys = Keys(), **changes: Any) -> VenueSettings:  # noqa: B008 - frozen
    """Settings of a venue for a stage: prices do not move, and fills are made by hand."""
    return VenueSettings(prices=PriceSource(volatility=0), fills=Fills(automatic=False), accounts=accounts, keys=keys, **changes)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order of ours, prepared or sent."""

    request: SubmitRequest
    prepared: Prepared
    broker_order_id: str | None = None

    @property
    def key(self) -> str:
        return self.request.client_order_id


@asynccontextmanager
async def turned_away(stage: Stage) -> AsyncIterator[None]:
    """Inside the block, the venue reports that it is unavailable."""
    await stage.venue.lay(*(Fault(kind=FaultKind.UNAVAILABLE, on=point) for point in Point if point.is_request))
    yield
    await stage.venue.clear_faults()


@dataclass
class Stage:
    """A connected adapter (`brokerage`) on `account_id`, and the venue at the other end of its connection.

    The venue fills an order only on command, or if it crosses `price`. `reopened` makes a new adapter, as after our restart.
    `cannot` names cases that the broker cannot fulfil, with the reason; they are run too, and must fail.
    """

    brokerage: Brokerage
    account_id: str
    venue: VenueControl
    instrument: Instrument
    price: Decimal
    """The instrument's price at the venue. It does not move."""
    reopened: Callable[[], Awaitable[Brokerage]]
    cannot: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Secrets that may appear in no payload or error."""
    venue_account: str = ""
    """The venue's name of the account. If empty, the same as `account_id`."""
    unreachable: Callable[[Stage], AbstractAsyncContextManager[None]] = turned_away
    """Inside the block, nothing can be sent to the broker."""
    patience_seconds: float = 5.0
    """Maximum wait for anything that a case expects."""
    pushed: list[ExecutionReport] = field(default_factory=list)
    """The reports that `reports()` has yielded so far."""
    _numbers: count[int] = field(default_factory=count)
    _following: asyncio.Task[None] | None = None

    @property
    def broker(self) -> Broker:
        return self.brokerage.broker

    @property
    def capabilities(self) -> BrokerCapabilities:
        return self.broker.capabilities

    @property
    def at_venue(self) -> str:
        return self.venue_account or self.account_id

    # --- our side --------------------------------------------------------------------------------------------------------------

    def request(self, **changes: Any) -> SubmitRequest:
        """A resting day order that buys ten, with a new key. `changes` are fields of `SubmitRequest`."""
        key = f"CONTRACT{next(self._numbers):012d}"
        resting = SubmitRequest(
            client_order_id=key,
            account_id=self.account_id,
            instrument=self.instrument,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity=Decimal(10),
            limit_price=self.below(),
        )
        return resting.but(**changes)

    def below(self, share: str = "0.9") -> Decimal:
        """A price on the grid below the market, where a buy rests."""
        return self.instrument.round_price(self.price * Decimal(share), Side.BUY)

    def above(self, share: str = "1.1") -> Decimal:
        return self.instrument.round_price(self.price * Decimal(share), Side.SELL)

    def ready(self, request: SubmitRequest | None = None) -> Placed:
        """Prepare an order without sending it."""
        wanted = request or self.request()
        self.broker.check(wanted)
        return Placed(wanted, self.broker.prepare(wanted))

    async def send(self, placed: Placed) -> list[ExecutionReport]:
        """Send the order. Every call sends the same bytes. Raises what the adapter raises."""
        return list(await self.broker.submit(placed.prepared))

    async def submit(self, request: SubmitRequest | None = None) -> Placed:
        """Prepare and send an order."""
        placed = self.ready(request)
        reports = await self.send(placed)
        ids = [each.broker_order_id for each in reports if isinstance(each, Accepted)]
        return replace(placed, broker_order_id=next(iter(ids), None))

    async def rest(self, **changes: Any) -> Placed:
        """Send an order and wait until the adapter finds it working."""
        placed = await self.submit(self.request(**changes))
        found = await self.found(placed, lambda order: order.broker_order_id is not None)
        return replace(placed, broker_order_id=found.broker_order_id)

    async def cancel(self, placed: Placed) -> list[ExecutionReport]:
        request = CancelRequest(placed.key, placed.broker_order_id, self.account_id, placed.prepared.reference)
        return list(await self.broker.cancel(self.broker.prepare(request)))

    async def replace(self, placed: Placed, number: int = 1, **terms: Decimal) -> list[ExecutionReport]:
        reference = placed.prepared.reference
        request = ReplaceRequest(placed.key, placed.broker_order_id, self.account_id, number, **terms, reference=reference)
        return list(await self.broker.replace(self.broker.prepare(request)))

    async def find(self, placed: Placed) -> OrderSnapshot | Absence:
        return await self.broker.find(placed.key, placed.broker_order_id, placed.prepared.reference)

    async def certain(self, placed: Placed) -> OrderSnapshot | Absence:
        """The first conclusive answer. Raises `TimeoutError` if there is none in time."""

        async def look() -> OrderSnapshot | Absence | None:
            answer = await self.find(placed)
            return None if answer is Absence.INCONCLUSIVE else answer

        return await self.within(look)

    async def found(
        self, placed: Placed, when: Callable[[OrderSnapshot], bool] = lambda order: True, what: str = "as expected"
    ) -> OrderSnapshot:
        """The order once it is found and `when` holds for it. Raises `TimeoutError`, which names the last answer."""

        async def look() -> OrderSnapshot | None:
            answer = await self.find(placed)
            last[0] = answer
            return answer if isinstance(answer, OrderSnapshot) and when(answer) else None

        last: list[object] = [None]
        try:
            return await self.within(look)
        except TimeoutError:
            raise TimeoutError(f"the order was not found {what}; the last answer of find() was {last[0]}") from None

    async def executions(self, placed: Placed, since: datetime) -> list[Execution]:
        """The order's executions by backfill. Matched by the broker's id if the broker reports no key with a fill."""
        reports = await self.broker.executions_since(since)
        return [each for each in reports if isinstance(each, Execution) and self.concerns(placed, each)]

    def concerns(self, placed: Placed, report: ExecutionReport) -> bool:
        if report.client_order_id is not None:
            return report.client_order_id == placed.key
        return report.broker_order_id is not None and report.broker_order_id == placed.broker_order_id

    def pushed_of(self, placed: Placed, kind: type[T]) -> list[T]:
        return [each for each in self.pushed if isinstance(each, kind) and self.concerns(placed, each)]

    async def within(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """The first result of `look` that is not None. Raises `TimeoutError` if there is none within the patience."""
        async with asyncio.timeout(self.patience_seconds):
            while (seen := await look()) is None:  # noqa: ASYNC110 - between two sides there is no event to share
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return seen

    # --- the other side --------------------------------------------------------------------------------------------------------

    async def taken(self, placed: Placed | str) -> list[OrderSnapshot]:
        """Every order that the venue ever accepted with the key. More than one breaks the promise."""
        return await self.venue.orders_by_key(placed if isinstance(placed, str) else placed.key)

    async def venue_id(self, placed: Placed) -> str:
        (order,) = await self.taken(placed)
        return str(order.broker_order_id)

    async def fill(self, placed: Placed, quantity: int, price: Decimal | None = None) -> str:
        """Fill the order by hand at the venue. Returns the venue's execution id."""
        return await self.venue.fill(await self.venue_id(placed), Decimal(quantity), price or self.below())

    async def connected(self) -> None:
        """Reconnect, as the engine would: try until it works."""

        async def tried() -> bool | None:
            try:
                await self.broker.connect()
            except BrokerError:
                return None
            return True

        await self.within(tried)

    # --- life ------------------------------------------------------------------------------------------------------------------

    async def reopen(self) -> None:
        """Replace the adapter by a new, connected one. The old one is closed."""
        await self._stop()
        self.brokerage = await self.reopened()
        await self.broker.connect()
        self._follow()

    def _follow(self) -> None:
        self._following = asyncio.create_task(self._take_in())

    async def _take_in(self) -> None:
        """Follow the reports as the engine does: when the stream ends, reconnect and follow the next one."""
        while True:
            async for report in self.broker.reports():
                self.pushed.append(report)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with suppress(BrokerError):
                await self.broker.connect()

    async def _stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self.broker.close()


@asynccontextmanager
async def on_stage(stage: Stage) -> AsyncIterator[Stage]:
    """Inside the block, the stage is connected and its reports are followed."""
    await stage.broker.connect()
    stage._follow()
    try:
        yield stage
    finally:
        await stage._stop()
