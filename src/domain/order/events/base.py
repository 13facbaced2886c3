"""What every event of an order's stream is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from liveorder.domain.events import Event, RecordedEvent

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class LineType(StrEnum):
    """`event_type` of an event's line in the log, by which programs sort lines."""

    SUBMISSION = "SUBMISSION"
    """The first attempt to send an order; the call follows. Each order that was sent has one."""
    RETRY = "RETRY"
    """A later attempt."""
    STATUS_CHANGE = "STATUS_CHANGE"
    FILL = "FILL"
    """A fill, its correction, or its commission."""
    CANCELLATION = "CANCELLATION"
    ERROR = "ERROR"
    """A request failed, was refused, or has an unknown outcome; or an order has to be looked at."""


class OrderEvent(Event):
    """An event of an order: it also says what it does to the order."""

    category: ClassVar[str] = "EXECUTION"
    line_type: ClassVar[LineType] = LineType.STATUS_CHANGE

    @property
    def log_type(self) -> LineType:
        """Where the event alone decides: most are as all of their kind."""
        return self.line_type

    def log_sentence(self, before: LiveOrder | None, after: LiveOrder) -> str:
        """The message of its line in the log, of an order that was `before` and is `after`; most say what they always do."""
        return self.sentence()

    def log_fields(self) -> Mapping[str, object]:
        """Figures of its own, for programs that read the log."""
        return {}

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        """Changes `order`, which is a copy that the fold owns. Never refuses; `item` is this event in its place."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does to an order")
