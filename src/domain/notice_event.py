"""What people may want to hear of at once, or not. Each kind of event says which of these it is, if any."""

from __future__ import annotations

from enum import StrEnum


class NoticeEvent(StrEnum):
    """What people may want to hear of, or not."""

    FILL = "fill"
    """An order is filled whole, or a part of it when nothing is open any more."""
    PARTIAL = "partial"
    """A part of an order is filled, and the rest is open."""
    REJECTED = "rejected"
    """By the broker."""
    REFUSED = "refused"
    """By a limit of ours."""
    CANCELLED = "cancelled"
    DOUBT = "doubt"
    """Nobody knows what became of a request, or a person has to look at an order."""
    CORRECTED = "corrected"
    """A fill or an order is otherwise than it was reported."""
    HALT = "halt"
    """Trading is halted or resumed, or auto-trading is switched."""
    DEAD_LETTER = "dead_letter"
    """A signal cannot be used."""
    UNMATCHED = "unmatched"
    """The broker reports what is of no order known here."""

    @property
    def category(self) -> str:
        """`EXECUTION`, `RISK` or `WARNING`, as in the log. `WARNING` is of what should not happen, or stops trading."""
        return _CATEGORY.get(self, "WARNING")

    @property
    def is_alert(self) -> bool:
        """Whether people hear of it unless they say otherwise."""
        return self.category == "WARNING"


_CATEGORY = {
    NoticeEvent.FILL: "EXECUTION",
    NoticeEvent.PARTIAL: "EXECUTION",
    NoticeEvent.REJECTED: "EXECUTION",
    NoticeEvent.CANCELLED: "EXECUTION",
    NoticeEvent.REFUSED: "RISK",
}
