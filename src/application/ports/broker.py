"""The broker port: what adapters do, and what their answers prove."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import Product


class SubmitRequest(OrderTerms):
    """A new order for a broker: its terms, and of what. Exactly one of `quantity` and `notional` is set."""

    client_order_id: str
    account_id: str
    instrument: Instrument

    @classmethod
    def of(cls, terms: OrderTerms, client_order_id: str, account_id: str, instrument: Instrument) -> Self:
        return cls(client_order_id=client_order_id, account_id=account_id, instrument=instrument, **asdict(terms))


@dataclass(frozen=True, slots=True)
class CancelRequest:
    client_order_id: str
    broker_order_id: str | None
    account_id: str
    reference: Mapping[str, str] = field(default_factory=dict)
    """The reference that `prepare` returned for the order's submission."""


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """New terms for a working order. None leaves a term unchanged. `quantity` is the whole order's, including the filled part."""

    client_order_id: str
    broker_order_id: str | None
    account_id: str
    number: int
    """1 for the order's first replace. Part of the replacement's own key, if the broker needs one."""
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reference: Mapping[str, str] = field(default_factory=dict)


BrokerRequest: TypeAlias = SubmitRequest | CancelRequest | ReplaceRequest


class Prepared(Struct, frozen=True):
    """A prepared request. It is stored before it is sent, and every attempt sends it exactly as stored."""

    reference: Mapping[str, str]
    """The broker's future name of the request, if the broker lets us choose it (IB: client id and order id). May be empty."""
    payload: str
    """The exact content, as JSON text. Contains no secret."""


class Absence(StrEnum):
    """The two answers without an order."""

    ABSENT = "ABSENT"
    """Every query was answered completely and the order was in none. The caller decides whether that proves anything."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """A query failed, timed out or gave a doubtful answer. Proves nothing."""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """A position. `quantity` is signed: negative is short. `average_price` is the broker's, if it reports one."""

    instrument: Instrument
    quantity: Decimal
    average_price: Decimal | None = None
    product: Product | None = None
    """Set if the broker keeps positions separately by product. Then only an order with the same product reduces it."""

    @property
    def name(self) -> str:
        """The position's name for people."""
        return self.instrument.key + (f" {self.product}" if self.product is not None else "")

    def __str__(self) -> str:
        return f"{self.name} {self.quantity:f}"


class Broker(Protocol):
    """One connection to one account at one broker.

    `submit`, `cancel` and `replace` send a prepared request and return the broker's immediate answer (an `Accepted` with its order
    id, an `OrderRejected`, or nothing). Fills come through `reports()` and the queries, never as the return value. These methods
    raise:

    - `BrokerUnavailable` (or its kinds) if the request was certainly not received: it may be sent again;
    - `BrokerRefusal` (or its kinds) if the broker read and refused it: the order is closed as rejected; `DuplicateClientOrderId` if
      the broker already has an order with this key: that order is ours;
    - `OutcomeUnknown` for everything else, including an unreadable answer.

    An adapter never retries on its own, never blocks the event loop, and puts no secret into an error, a report or a payload.
    """

    @property
    def name(self) -> str:
        """Short and stable: `simulated`, `alpaca`, `kite`, `ibkr`. Stored with every order."""
        ...

    @property
    def capabilities(self) -> BrokerCapabilities: ...

    async def connect(self) -> BrokerAccount:
        """Authenticate and return the account. Raises `BrokerUnavailable` or `BrokerAuthenticationError`."""
        ...

    async def close(self) -> None: ...

    def check(self, request: SubmitRequest) -> None:
        """Raises what `prepare` would raise. For orders that are only validated: it uses up nothing, such as an order id of the
        broker.
        """
        ...

    def prepare(self, request: BrokerRequest) -> Prepared:
        """Fix the reference and the exact content. No I/O. Raises `OrderValidationError` if this broker cannot take the request."""
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
        """Every live order of the account, ours or not. Raises `BrokerError` if the complete list could not be fetched."""
        ...

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        """Fills, corrections and busts since `since` (UTC), as far back as the broker has them. Raises `BrokerError`."""
        ...

    async def positions(self) -> Sequence[BrokerPosition]:
        """All positions of the account, one per instrument and product. Raises `BrokerError`: a failed query does not mean
        *flat*.
        """
        ...

    async def account(self) -> BrokerAccount:
        """The account and its money, asked for now. Unreadable amounts are left out. Raises `BrokerError`."""
        ...

    def reports(self) -> AsyncIterator[ExecutionReport]:
        """The broker's pushed reports, until closed. They are hints: reports may be lost, repeated or reordered. May end when
        disconnected.
        """
        ...
