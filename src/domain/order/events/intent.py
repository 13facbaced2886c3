"""Our intent, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import not_
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import Field

from liveorder.domain.events import PERSON, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import Closing
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import close_as
from liveorder.domain.order.events.base import OrderEvent
from liveorder.domain.order.vocabulary import RejectReason
from liveorder.domain.values import Amount, OrderRole, OrderType, Price, Product, Quantity, Side, TimeInForce, TradingHours
from liveorder.domain.wording import in_brackets, listed, plain

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


def _is_none(value: object) -> bool:
    """Of fields that came later: not written where there is nothing, so that what earlier versions stored stays as it is."""
    return value is None


def _is_regular(value: object) -> bool:
    return value is TradingHours.REGULAR


_EXITS_AND_LINKS = ("stop_loss", "take_profit", "oco_group", "parent_order_id")


class Requested(OrderEvent):
    """The whole intent. Exactly one of `quantity` and `notional` is set."""

    topic = "liveorder.Requested@1"
    category = "SIGNAL"

    order_id: UUID
    client_order_id: str
    signal_id: str
    signal_fingerprint: str
    namespace: str
    session_id: str
    """The run of the service that took the signal."""
    account_id: str
    strategy_name: str
    broker: str
    instrument: Instrument
    side: Side
    order_type: OrderType
    quantity: Quantity | None = None
    notional: Amount | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    trail_amount: Price | None = None
    trail_percent: Price | None = None
    limit_offset: Price | None = Field(default=None, exclude_if=_is_none)
    time_in_force: TimeInForce = TimeInForce.DAY
    hours: TradingHours = Field(default=TradingHours.REGULAR, exclude_if=_is_regular)
    expires_at: datetime | None = None
    product: Product | None = None
    role: OrderRole = OrderRole.ENTRY
    parent_order_id: UUID | None = None
    oco_group: str | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    protection: str | None = None
    """`external` when somebody else guards the position."""
    tags: tuple[str, ...] = ()
    decision_price: Price | None = None
    """The price that sizing and risk reckoned with."""
    score: Amount | None = None
    signal_at: datetime | None = None
    """When the signal was made, or failing that published: its age counts from here."""
    valid_until: datetime | None = None
    """After this it is stale, however young."""
    timeout_seconds: float | None = None
    """Set on the order itself; None leaves it to the rule for its type."""
    is_shadow: bool = False
    """Decided on live data, never sent."""
    reduces_only: bool = Field(default=False, exclude_if=not_)
    """Judged so that it can only reduce the position, whatever else happens."""
    passes_halt: bool = False
    """An operator's order that only reduces a position, approved although a halt stood."""

    @property
    def unattended(self) -> tuple[str, ...]:
        """The exits and links that are asked for and that nothing acts on: this package does not yet, and nobody else is named."""
        return () if self.protection is not None else tuple(name for name in _EXITS_AND_LINKS if getattr(self, name) is not None)

    @property
    def unattended_note(self) -> str:
        """Of these, for people; empty without any."""
        return f"nothing places {' and '.join(self.unattended)} yet" if self.unattended else ""

    def sentence(self) -> str:
        size = plain(self.quantity) if self.quantity is not None else f"{plain(self.notional)} {self.instrument.currency} of"
        kind = self.order_type.replace("_", " ").lower()
        prices = {
            "limit": self.limit_price,
            "stop": self.stop_price,
            "trail": self.trail_amount,
            "trail %": self.trail_percent,
            "limit offset": self.limit_offset,
        }
        hours = ", extended hours" if self.hours is TradingHours.EXTENDED else ""
        shadow = " (shadow: not to be sent)" if self.is_shadow else ""
        note = f"; {self.unattended_note}" if self.unattended else ""
        return (
            f"Order requested by {self.strategy_name}: {self.side} {size} {self.instrument.key} at {kind}"
            f"{listed(prices)}, {self.time_in_force}{hours}{shadow}{note}"
        )

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.quantity = self.quantity
        order.limit_price, order.stop_price = self.limit_price, self.stop_price
        order.requested_at = item.envelope.recorded_at
        order.is_persons = item.envelope.actor.startswith(PERSON)


class Refused(OrderEvent):
    """We will not send it: a rule, an invalid order, or no attempts left."""

    topic = "liveorder.Refused@1"
    category = "RISK"
    notice = NoticeEvent.REFUSED

    reason: RejectReason
    code: str
    """The rule's name: `daily_trade_count`, `stale_signal`, `retries_exhausted`."""
    message: str
    measured: str | None = None
    limit: str | None = None

    def sentence(self) -> str:
        measured = in_brackets(f"measured {self.measured}, limit {self.limit}") if self.measured is not None else ""
        return f"Order refused by {self.code}: {self.message}{measured}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.reject_reason, order.error_message = self.reason, self.message
        close_as(order, Closing.REJECTED)


class Approved(OrderEvent):
    """Every rule passed, on these figures."""

    topic = "liveorder.Approved@1"
    category = "RISK"

    figures: Mapping[str, str] = Field(default_factory=dict)

    def sentence(self) -> str:
        return f"Risk rules passed{listed(self.figures)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.is_approved = True
