"""The broker: who trades for us, and what may be believed of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeAlias

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderRole, OrderType, Product, Side, TimeInForce, TradingHours


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """All that a broker needs to know of a new order. Exactly one of `quantity` and `notional` is set."""

    client_order_id: str
    account_id: str
    instrument: Instrument
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_percent: Decimal | None = None
    limit_offset: Decimal | None = None
    product: Product | None = None
    hours: TradingHours = TradingHours.REGULAR
    expires_at: datetime | None = None
    role: OrderRole = OrderRole.ENTRY
    reduces_only: bool = False
    """It can only reduce the position; a broker that can be told so refuses it where it would not."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    client_order_id: str
    broker_order_id: str | None
    account_id: str
    reference: Mapping[str, str] = field(default_factory=dict)
    """What `prepare` gave for the order's submission."""


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """New terms for a working order; None leaves a term as it is. `quantity` is of the whole order, filled part included."""

    client_order_id: str
    broker_order_id: str | None
    account_id: str
    number: int
    """1 for the order's first replace; makes the replacement's own key, where a broker wants one."""
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reference: Mapping[str, str] = field(default_factory=dict)


BrokerRequest: TypeAlias = SubmitRequest | CancelRequest | ReplaceRequest


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request made ready: stored as it is before it is sent, and sent as it is stored, on every attempt."""

    reference: Mapping[str, str]
    """How the broker will name the request where it lets us choose (IB: client id and order id). May be empty."""
    payload: str
    """The exact content, as JSON text. Holds no secret."""


class Absence(StrEnum):
    """The two ways of not finding an order."""

    ABSENT = "ABSENT"
    """Every query came back whole and the order was in none. Whether that is to be believed is for the caller to say."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """A query failed, timed out or came back doubtful. Means nothing."""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """`quantity` is signed: negative is short. `average_price` as the broker counts it, if it tells."""

    instrument: Instrument
    quantity: Decimal
    average_price: Decimal | None = None
    product: Product | None = None
    """Where the broker keeps what is held under each apart: only an order under the same takes it off."""

    @property
    def name(self) -> str:
        """For people."""
        return self.instrument.key + (f" {self.product}" if self.product is not None else "")

    def __str__(self) -> str:
        return f"{self.name} {self.quantity:f}"


class Broker(Protocol):
    """One connection to one account at one broker.

    `submit`, `cancel` and `replace` send a prepared request and return what the broker answered at once (an `Accepted` with its
    order id, an `OrderRejected`, nothing). Fills come through `reports()` and the queries, never as the return value. They raise

    - `BrokerUnavailable` (or its kinds) when the request surely was not received: it may be sent again;
    - `BrokerRefusal` (or its kinds) when the broker read it and will not take it: the order is closed as rejected;
      `DuplicateClientOrderId` when it holds an order with this key already: that order is ours;
    - `OutcomeUnknown` for anything else, also an answer that could not be read.

    An adapter never retries by itself, never blocks the event loop, and puts no secret into an error, a report or a payload.
    """

    @property
    def name(self) -> str:
        """Short and stable: `simulated`, `alpaca`, `kite`, `ibkr`. Stored with every order."""
        ...

    @property
    def capabilities(self) -> BrokerCapabilities: ...

    async def connect(self) -> BrokerAccount:
        """Authenticate and tell which account this is. Raises `BrokerUnavailable` or `BrokerAuthenticationError`."""
        ...

    async def close(self) -> None: ...

    def check(self, request: SubmitRequest) -> None:
        """Raises what `prepare` would raise. For orders that are only looked at: nothing is used up, no number of the broker's."""
        ...

    def prepare(self, request: BrokerRequest) -> Prepared:
        """Settle reference and exact content. No I/O. Raises `OrderValidationError` for what this broker cannot do."""
        ...

    async def submit(self, prepared: Prepared) -> Sequence[ExecutionReport]: ...

    async def cancel(self, prepared: Prepared) -> Sequence[ExecutionReport]: ...

    async def replace(self, prepared: Prepared) -> Sequence[ExecutionReport]: ...

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        """The order that carries our key. A failed query is INCONCLUSIVE, never an exception and never ABSENT."""
        ...

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        """Every live order of the account, ours or not. Raises `BrokerError` when the list could not be had whole."""
        ...

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        """Fills, corrections and busts since `since` (UTC), as far back as the broker remembers. Raises `BrokerError`."""
        ...

    async def positions(self) -> Sequence[BrokerPosition]:
        """All positions of the account, one of each instrument and product. Raises `BrokerError`: a failed query is not *flat*."""
        ...

    async def account(self) -> BrokerAccount:
        """Which account this is and its money, asked for now. An amount that cannot be read is left out. Raises `BrokerError`."""
        ...

    def reports(self) -> AsyncIterator[ExecutionReport]:
        """What the broker pushes, until closed. A hint: it may lose, repeat and reorder. May end when disconnected."""
        ...
