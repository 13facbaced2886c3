"""The kinds of notices to people. Each kind of event names its notice, if it makes one."""

from __future__ import annotations

from enum import StrEnum


class NoticeEvent(StrEnum):
    """Kinds of notices that people can switch on or off."""

    FILL = "fill"
    """An order is completely filled, or it ended with a partial fill."""
    PARTIAL = "partial"
    """An order is partially filled, and the rest is open."""
    REJECTED = "rejected"
    """The broker rejected an order."""
    REFUSED = "refused"
    """One of our limits refused an order."""
    EXIT_REFUSED = "exit_refused"
    """An exit was refused, by one of our limits or by the broker, or not sent after all: the position stays as it is."""
    REVERSAL_INCOMPLETE = "reversal_incomplete"
    """A position was closed, or was to be, and the order that was to open the other side is not sent."""
    UNGUARDED = "unguarded"
    """Units are still held whose exit was cancelled to make way for an order that does not close them, or ended before it did."""
    POSITION_UNCONFIRMED = "position_unconfirmed"
    """An exit goes out by our own book, since its broker did not say in time what the account holds."""
    CANCELLED = "cancelled"
    DOUBT = "doubt"
    """The outcome of a request is unknown, or a person has to look at an order."""
    CORRECTED = "corrected"
    """A fill or an order differs from what was reported earlier."""
    HALT = "halt"
    """Trading is halted or resumed, or auto-trading is switched."""
    DEAD_LETTER = "dead_letter"
    """A signal cannot be used."""
    UNMATCHED = "unmatched"
    """The broker reports something about an order that is not known here."""
    NOT_LISTENING = "not_listening"
    """The address of `[http]` cannot be listened at."""

    @property
    def category(self) -> str:
        """`EXECUTION`, `RISK` or `WARNING`, as in the log. `WARNING` is for what should not happen, or stops trading."""
        return _CATEGORY.get(self, "WARNING")

    @property
    def is_alert(self) -> bool:
        """Whether people are notified of it by default."""
        return self.category == "WARNING"


_CATEGORY = {
    NoticeEvent.FILL: "EXECUTION",
    NoticeEvent.PARTIAL: "EXECUTION",
    NoticeEvent.REJECTED: "EXECUTION",
    NoticeEvent.CANCELLED: "EXECUTION",
    NoticeEvent.REFUSED: "RISK",
}
