"""Whose a position is: a strategy's own, or the account's whole. Chosen when a store is created, and changed by a setting, as an
event: what an order may close, and what would be a short sale, is judged at that level.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from liveorder.domain.events import Event

FLATTEN = "flatten"
"""The strategy of the orders by which `kill --flatten` closes what the broker holds, of all strategies alike."""


class PositionOwner(StrEnum):
    """Whose holding an order may reduce."""

    STRATEGY = "by_strategy"
    """Each strategy closes what it holds itself."""
    ACCOUNT = "by_account"
    """Any strategy closes what the account holds, as releases before 0.3 did."""


class PositionOwnerChosen(Event):
    """The setting `positions` says otherwise than the store did. Orders that are decided from here on are judged so."""

    topic = "liveorder.PositionOwnerChosen@1"
    category = "STORE"

    positions: PositionOwner

    def sentence(self) -> str:
        whose = "its strategy" if self.positions is PositionOwner.STRATEGY else "the whole account"
        return f"From here on an order may close what {whose} holds (positions = {self.positions.value})"


def position_owner(stream: Iterable[Event], at_creation: PositionOwner) -> PositionOwner:
    """The one that holds after these events of the store's stream."""
    chosen = [event.positions for event in stream if isinstance(event, PositionOwnerChosen)]
    return chosen[-1] if chosen else at_creation
