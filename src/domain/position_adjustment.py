"""What changes a position without an order: recorded with who says so, on what evidence, and from when it holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import Amount, Price


class AdjustmentReason(StrEnum):
    FEE_IN_KIND = "FEE_IN_KIND"
    """The broker kept a part of what was bought as its fee."""


class PositionAdjusted(Event):
    """Counts as no trade."""

    topic: ClassVar[str] = "liveorder.PositionAdjusted@1"

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


def position_stream(account_id: str, instrument_key: str) -> UUID:
    """One stream for what happens to each position of an account."""
    return stream_id("position", account_id, instrument_key)
