"""The broker: who trades for us, and what may be believed of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Protocol, TypeAlias

from pydantic import Field

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OrderRole, OrderType, Product, Side, TimeInForce, TradingHours

Part = Annotated[Decimal, Field(ge=0, lt=1)]


class KeySupport(StrEnum):
    """What our key on an order is good for at this broker, from best to worst."""

    UNIQUE = "UNIQUE"
    """The broker refuses a second order with the key: a resend of the same bytes is safe within its memory."""
    SEARCHABLE = "SEARCHABLE"
    """An order can be found by the key, after a bounded lag; a second one would be taken."""
    NONE = "NONE"
    """The key cannot be asked for. What is not known stays in doubt until a report or a person settles it."""


@dataclass(frozen=True, slots=True)
class BrokerCapabilities:
    """What a broker can do and how far its silence may be trusted. The defaults are the pessimistic ones. Times in seconds."""

    key_support: KeySupport = KeySupport.NONE
    key_memory_seconds: float = 0.0
    """How long a unique key is remembered; a resend after that is not safe."""
    lookup_lag_seconds: float = 0.0
    """An order that exists can be missing from a search for so long, and an answer can be so old."""
    account_lag_seconds: float = 0.0
    """What `account` tells of money can be so old, where that is longer."""
    delivery_bound_seconds: float = 60.0
    """A request that left us arrives within this time or never."""
    clock_skew_seconds: float = 5.0
    trusts_absence: bool = False
    """Whether *not found* may be believed at all, once lag and bound have passed."""
    atomic_replace: bool = False
    """Whether a replace can never leave two live orders."""
    order_types: frozenset[OrderType] = frozenset({OrderType.MARKET, OrderType.LIMIT})
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.DAY})
    usual_times_in_force: Mapping[AssetClass, Mapping[OrderType, TimeInForce]] = field(default_factory=dict)
    """Of orders whose signal names none, where that is not DAY."""
    hours: frozenset[TradingHours] = frozenset({TradingHours.REGULAR})
    usual_hours: Mapping[OrderType, TradingHours] = field(default_factory=dict)
    """Of orders whose signal names none, where those are not the regular ones."""
    contract_ids: bool = False
    """Whether a contract has a trading class and a number (`trading_class`, `con_id`) by which it can be asked for."""
    replaces: bool = True
    """Whether a working order can be given new terms at all."""
    notional: bool = False
    notional_for: frozenset[AssetClass] = frozenset(AssetClass)
    """Of which an order for an amount of money may be, where `notional` says that there are such orders."""
    fractional: bool = False
    reduce_only_for: frozenset[AssetClass] = frozenset()
    """Of which the broker can be told that an order may only reduce the position: it refuses one that would open."""
    fees_in_kind: Mapping[AssetClass, Part] = field(default_factory=dict)
    """The largest part of a buy that the broker keeps as its fee, out of what was bought, without telling it with the fill."""
    requests_per_second: float = 10.0
    requests_per_minute: float = 200.0
    quiet_poll_seconds: float = 0.0
    """Of a broker that takes many questions amiss: its open orders are asked for no more often than this while its stream lives
    and no request of theirs is without an answer."""
    open_orders_are_complete: bool = True
    """Whether `open_orders` lists every live order of the account, also those placed elsewhere."""

    @property
    def money_lag_seconds(self) -> float:
        """The longer of both lags: a figure of money contains what happened so long before it was asked for."""
        return max(self.lookup_lag_seconds, self.account_lag_seconds)

    def usual_time_in_force(self, asset_class: AssetClass, order_type: OrderType) -> TimeInForce:
        return self.usual_times_in_force.get(asset_class, {}).get(order_type, TimeInForce.DAY)

    def usual_hours_of(self, order_type: OrderType) -> TradingHours:
        return self.usual_hours.get(order_type, TradingHours.REGULAR)


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
