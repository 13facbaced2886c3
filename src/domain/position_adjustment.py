"""What changes a position without an order: recorded with who says so, on what evidence, and from when it holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.instrument import Instrument
from liveorder.domain.record import Later
from liveorder.domain.values import ZERO, Amount, Price, Product
from liveorder.domain.wording import plain, words

TRANSFER = "TRANSFER"


class AdjustmentReason(StrEnum):
    FEE_IN_KIND = "FEE_IN_KIND"
    """The broker kept a part of what was bought as its fee."""


class PositionChange(NamedTuple):
    """What a position event does to the position of one strategy: units that come or go at a price, or are paid as a fee."""

    account_id: str
    strategy_name: str
    instrument: Instrument
    reason: str
    quantity: Decimal
    """Signed units."""
    price: Decimal
    """What one of them is worth."""
    effective_at: datetime
    fee: Decimal = ZERO
    """Units that are paid away, each worth `price`."""
    product: Product | None = None
    """Under which the units are held, where the broker keeps a position for each."""


class PositionEvent(Event):
    """Changes positions of an account in one instrument. Counts as no trade."""

    category = "RECONCILE"

    def changes(self) -> Sequence[PositionChange]:
        """One for each strategy whose position it changes."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it changes")


class PositionAdjusted(PositionEvent):
    topic = "liveorder.PositionAdjusted@1"

    account_id: str
    strategy_name: str
    instrument: Instrument
    reason: AdjustmentReason
    quantity: Amount
    """Signed units by which the position changes."""
    price: Price
    """What one of them was worth."""
    effective_at: datetime
    """UTC; when the broker's position was first seen to be so, where nobody tells since when it was."""
    evidence: str

    def sentence(self) -> str:
        changed = f"{self.quantity:+f} {self.instrument.symbol} of {self.strategy_name} on account {self.account_id}"
        return f"Position adjusted for a {words(self.reason)}: {changed}, {plain(self.price)} each: {self.evidence}"

    def changes(self) -> Sequence[PositionChange]:
        assert self.reason is AdjustmentReason.FEE_IN_KIND  # another reason is booked in another way
        whose = self.account_id, self.strategy_name, self.instrument
        return (PositionChange(*whose, self.reason, ZERO, self.price, self.effective_at, self.quantity.copy_negate()),)


class PositionTransferred(PositionEvent):
    """Units go from one strategy's position to another's. The account holds as many as before."""

    topic = "liveorder.PositionTransferred@1"

    account_id: str
    from_strategy: str
    to_strategy: str
    instrument: Instrument
    quantity: Amount
    """Signed units, as `from_strategy` holds them: negative are units that it is short of."""
    price: Price
    """At which they go: `from_strategy` realises the difference to what they cost it, and they cost `to_strategy` this."""
    effective_at: datetime
    """UTC."""
    evidence: str
    transfer_id: str
    """Of the command that asked for it, or what it is derived from. The same id of the same position is one transfer."""
    product: Later[Product | None] = None
    """Under which the units are held, where the broker keeps a position for each."""

    def sentence(self) -> str:
        under = f" under {self.product}" if self.product is not None else ""
        units = f"{plain(self.quantity)} {self.instrument.symbol}{under} on account {self.account_id}"
        return f"{units} went from {self.from_strategy} to {self.to_strategy}, {plain(self.price)} each: {self.evidence}"

    def changes(self) -> Sequence[PositionChange]:
        terms = self.price, self.effective_at, ZERO, self.product
        return (
            PositionChange(self.account_id, self.from_strategy, self.instrument, TRANSFER, self.quantity.copy_negate(), *terms),
            PositionChange(self.account_id, self.to_strategy, self.instrument, TRANSFER, self.quantity, *terms),
        )


def position_stream(account_id: str, instrument_key: str) -> UUID:
    """One stream for what happens to each position of an account."""
    return stream_id("position", account_id, instrument_key)
