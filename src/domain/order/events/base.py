"""What every event of an order's stream is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from liveorder.domain.events import Event, RecordedEvent

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class OrderEvent(Event):
    """An event of an order: it also says what it does to the order."""

    category: ClassVar[str] = "EXECUTION"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        """Changes `order`, which is a copy that the fold owns. Never refuses; `item` is this event in its place."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does to an order")
