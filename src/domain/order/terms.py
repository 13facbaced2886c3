"""What is ordered of an instrument: the one description of it, from the signal to what is shown."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from liveorder.domain.record import Later, Record
from liveorder.domain.values import (
    Amount,
    OrderRole,
    OrderType,
    PositionEffect,
    Price,
    Product,
    Quantity,
    Side,
    TimeInForce,
    TradingHours,
)
from liveorder.domain.wording import in_brackets, listed, plain

_EXITS_AND_LINKS = ("stop_loss", "take_profit", "oco_group", "parent_order_id")


class OrderTerms(Record):
    """Exactly one of `quantity` and `notional` is set, but for an order that was refused before it was sized. Stored and shown
    flat, among the fields of what has them.

    `quantity` and `notional` are what the signal came to. What it asked for stands beside them: by `percent`, `risk_percent`,
    `target_quantity` or `target_percent`, or, where it came to another amount, by `asked_quantity` or `asked_notional`.
    Of the closing leg of a reversal `asked_quantity` is what both legs come to, where the signal says how much is traded.

    A field that a `Signal` has by the same name is taken from there. One that is added here is stored, judged, shown, and in
    the request that an adapter gets; it has a default, and is not written where it is that.
    """

    side: Side
    order_type: OrderType
    quantity: Quantity | None = None
    notional: Amount | None = None
    position_effect: Later[PositionEffect | None] = None
    """CLOSE: judged so that it never takes its strategy's position beyond zero."""
    percent: Later[Amount | None] = None
    risk_percent: Later[Amount | None] = None
    target_quantity: Later[Amount | None] = None
    target_percent: Later[Amount | None] = None
    asked_quantity: Later[Quantity | None] = None
    asked_notional: Later[Amount | None] = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    trail_amount: Price | None = None
    trail_percent: Price | None = None
    limit_offset: Later[Price | None] = None
    time_in_force: TimeInForce = TimeInForce.DAY
    hours: Later[TradingHours] = TradingHours.REGULAR
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
    symbol_name: Later[str | None] = None
    """What people call the instrument."""
    decision_price: Price | None = None
    """The price that sizing and risk reckoned with."""
    decision_equity: Later[Amount | None] = None
    """The account's equity that it was sized by."""
    score: Amount | None = None
    signal_at: datetime | None = None
    """When the signal was made, or failing that published: its age counts from here."""
    valid_until: datetime | None = None
    """After this it is stale, however young."""
    timeout_seconds: float | None = None
    """Set on the order itself; None leaves it to the rule for its type."""
    is_shadow: bool = False
    """Decided on live data, never sent."""
    reduces_only: Later[bool] = False
    """Judged so that it can only reduce the account's position, whatever else happens."""
    passes_halt: bool = False
    """Approved although a halt stood, since it only reduces a position: an operator's, or what guards one and waited when a kill
    came.
    """
    asked_order_type: Later[OrderType | None] = None
    """What was asked for, where the order came to be a market exit because its stop was passed already; so are the next two."""
    asked_stop_price: Later[Price | None] = None
    asked_limit_price: Later[Price | None] = None

    @property
    def stale_after(self) -> datetime | None:
        """After this nothing is sent: not after the order's own end either."""
        return min((each for each in (self.valid_until, self.expires_at) if each is not None), default=None)

    @property
    def is_exit(self) -> bool:
        """Whether it is said to close or to guard a position, or can only reduce one."""
        return self.position_effect is PositionEffect.CLOSE or self.reduces_only or self.role is not OrderRole.ENTRY

    @property
    def has_target(self) -> bool:
        return self.target_quantity is not None or self.target_percent is not None

    @property
    def unattended(self) -> tuple[str, ...]:
        """The exits and links that are asked for and that nothing acts on: this package does not yet, and nobody else is named."""
        return () if self.protection is not None else tuple(name for name in _EXITS_AND_LINKS if getattr(self, name) is not None)

    @property
    def unattended_note(self) -> str:
        """Of these, for people; empty without any."""
        return f"nothing places {' and '.join(self.unattended)} yet" if self.unattended else ""

    @property
    def is_unsized(self) -> bool:
        """It was refused before it was known how much it would be."""
        return self.quantity is None and self.notional is None and self.position_effect is not None

    @property
    def asked_note(self) -> str:
        """What the signal asked for where that is another amount, for people; else empty."""
        asked = {
            "quantity": self.asked_quantity,
            "notional": self.asked_notional,
            "percent": self.percent,
            "risk_percent": self.risk_percent,
            "target_quantity": self.target_quantity,
            "target_percent": self.target_percent,
            "equity": self.decision_equity,
        }
        return listed(asked).removeprefix(", ")

    def in_words(self, key: str, currency: str) -> str:
        """`BUY 100 ARCA:SPY at limit, limit 9.5, DAY`."""
        size = f" {plain(self.quantity)}" if self.quantity is not None else f" {plain(self.notional)} {currency} of"
        if self.is_unsized:
            size = ""
        kind = _spelled(self.order_type)
        prices = {
            "limit": self.limit_price,
            "stop": self.stop_price,
            "trail": self.trail_amount,
            "trail %": self.trail_percent,
            "limit offset": self.limit_offset,
        }
        asked = {"stop": self.asked_stop_price, "limit": self.asked_limit_price}
        kind += f" (asked as {_spelled(self.asked_order_type)}{listed(asked)}, which is passed)" if self.asked_order_type else ""
        hours = ", extended hours" if self.hours is TradingHours.EXTENDED else ""
        shadow = " (shadow: not to be sent)" if self.is_shadow else ""
        note = f"; {self.unattended_note}" if self.unattended else ""
        effect = f", {self.position_effect}" if self.position_effect is not None else ""
        amount = in_brackets(self.asked_note)
        return f"{self.side}{size} {key} at {kind}{listed(prices)}, {self.time_in_force}{hours}{effect}{amount}{shadow}{note}"


def _spelled(kind: OrderType) -> str:
    return kind.replace("_", " ").lower()
