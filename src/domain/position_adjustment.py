"""What changes a position without an order: recorded with who says so, on what evidence, and from when it holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import Amount, Price
from liveorder.domain.wording import plain, words


class AdjustmentReason(StrEnum):
    FEE_IN_KIND = "FEE_IN_KIND"
    """The broker kept a part of what was bought as its fee."""


class PositionAdjusted(Event):
    """Counts as no trade."""

    topic = "liveorder.PositionAdjusted@1"
    category = "RECONCILE"

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


def position_stream(account_id: str, instrument_key: str) -> UUID:
    """One stream for what happens to each position of an account."""
    return stream_id("position", account_id, instrument_key)
