"""An order as the venue keeps it: its terms, its state, every trade, and its planned acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter

from liveorder.domain.values import ZERO, OrderType, Product, Side, TimeInForce, TradingHours, total
from liveorder.testing.venue.numbers import Price, Quantity


class NewOrder(BaseModel):
    """A new order. `instrument` is a key such as ``NASDAQ:AAPL``. Without `client_order_id` it was placed elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str
    instrument: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    client_order_id: str | None = None
    quantity: Quantity | None = None
    notional: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    trail_amount: Quantity | None = None
    trail_percent: Quantity | None = None
    limit_offset: Quantity | None = None
    product: Product | None = None
    hours: TradingHours = TradingHours.REGULAR
    expires_at: AwareDatetime | None = None

    @property
    def is_immediate(self) -> bool:
        """Whether the part that does not trade at once is cancelled."""
        return self.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


class ReplacedTerms(BaseModel):
    """A replace. None leaves a term unchanged. `replace_id` makes resending the same replace harmless."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replace_id: str | None = None
    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None


class OrderState(StrEnum):
    PENDING = "PENDING"
    """Accepted, not in the market yet."""
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def is_live(self) -> bool:
        return self is OrderState.PENDING or self is OrderState.WORKING


class Due(StrEnum):
    """Planned acts on an order. Of two at the same time, the earlier in this list comes first."""

    WORK = "WORK"
    FILL = "FILL"
    REPLACE = "REPLACE"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"


_TURNS = {due: turn for turn, due in enumerate(Due)}


class TradeKind(StrEnum):
    FILL = "FILL"
    CORRECTION = "CORRECTION"
    BUST = "BUST"


@dataclass(frozen=True, slots=True)
class Trade:
    """One line of the venue's trade record. A correction has its own id; a bust names the execution it undoes."""

    number: int
    kind: TradeKind
    execution_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime
    corrects: str | None = None
    commission_currency: str | None = None
    """None: the instrument's currency."""
    in_kind: Decimal = ZERO
    """Bought units that were kept as the fee."""


@dataclass(slots=True, eq=False)
class VenueOrder:
    """`quantity`, `limit_price` and `stop_price` are the present terms; `placed` has the original ones."""

    order_id: str
    placed: NewOrder
    accepted_at: datetime
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    expires_at: datetime | None = None
    state: OrderState = OrderState.PENDING
    cause: str | None = None
    reason: str = ""
    triggered: bool = False
    rested: bool = False
    """True once it rested in the book, so that it trades at its own limit from then on."""
    filled_quantity: Decimal = ZERO
    trades: list[Trade] = field(default_factory=list)
    due: dict[Due, datetime] = field(default_factory=dict)
    wanted: ReplacedTerms | None = None
    replace_ids: list[str] = field(default_factory=list)
    replaced_after: dict[int, int] = field(default_factory=dict)
    """By the number of a replace: how many trades there were when it took effect."""

    @property
    def remaining(self) -> Decimal:
        return max(self.quantity - self.filled_quantity, ZERO)

    def effective_trades(self) -> list[Trade]:
        """The effective fills after corrections and busts, each under its latest id."""
        effective: dict[str, Trade] = {}
        for trade in self.trades:
            effective.pop(trade.corrects or trade.execution_id, None)
            if trade.kind is not TradeKind.BUST:
                effective[trade.execution_id] = trade
        return list(effective.values())

    def superseded_by(self, trade: Trade) -> list[str]:
        """The ids that the corrected execution had corrected in turn, back to the original fill."""
        if trade.corrects is None:
            return []
        corrected = {each.execution_id: each.corrects for each in self.trades if each.corrects is not None}
        names, name = list[str](), corrected.get(trade.corrects)
        while name is not None:
            names.append(name)
            name = corrected.get(name)
        return names

    def record(self, trade: Trade) -> None:
        self.trades.append(trade)
        if trade.kind is TradeKind.FILL:
            self.filled_quantity += trade.quantity
        else:
            self.filled_quantity = total(each.quantity for each in self.effective_trades())

    def average_price(self) -> Decimal | None:
        """Σqp/Σq over the effective trades. None while nothing is filled."""
        trades = self.effective_trades()
        quantity = total(trade.quantity for trade in trades)
        return total(trade.quantity * trade.price for trade in trades) / quantity if quantity else None

    def take_due(self, now: datetime) -> Due | None:
        """The next act that is due by `now`; it is no longer due after this call."""
        ripe = [(at, _TURNS[due], due) for due, at in self.due.items() if at <= now]
        if not ripe:
            return None
        due = min(ripe)[2]
        del self.due[due]
        return due


STORED_ORDER = TypeAdapter(VenueOrder)
"""The format of an order in the journal."""
