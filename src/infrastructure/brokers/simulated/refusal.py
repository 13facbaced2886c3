"""The venue's refusals, by their codes on the wire."""

from __future__ import annotations

from enum import StrEnum

from liveorder.domain.errors import LiveOrderError


class RefusalCode(StrEnum):
    MALFORMED = "malformed"
    """The request could not be read."""
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_SYMBOL = "unknown_symbol"
    INVALID_ORDER = "invalid_order"
    """A field is off the instrument's grid, missing, or contradicts another."""
    INSUFFICIENT_BALANCE = "insufficient_balance"
    DUPLICATE = "duplicate"
    """An order with this client key exists."""
    STREAMS_DOWN = "streams_down"
    TOO_LATE = "too_late"
    """The order is already closed."""


class VenueRefusal(LiveOrderError):
    """The venue read the request and refused it."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message
