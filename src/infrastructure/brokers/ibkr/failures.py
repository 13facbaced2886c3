"""TWS's message codes, sorted by what the caller may do. A code that is not listed here ends no order: the engine asks TWS about
the order.
"""

from __future__ import annotations

from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)

RATE_EXCEEDED = 100
DUPLICATE_ORDER_ID = 103
UNKNOWN_CONTRACT = 200
ORDER_REJECTED = 201
ORDER_CANCELLED = 202
INVALID_REQUEST = 321
CLIENT_ID_IN_USE = 326
CANNOT_CANCEL_NOT_FOUND = 10147
CANNOT_CANCEL_STATE = 10148
LINK_LOST = frozenset({1100, 2110})
"""TWS has no connection to IB. 1100 reports this to every client; 2110 reports the lost link to IB's server."""
LINK_BACK_DATA_LOST = 1101
LINK_BACK = 1102

OF_CHANGES = frozenset({DUPLICATE_ORDER_ID, 104, 105, 329, 2102})
"""Codes for a change that had no effect: the order id belongs to an order that ended, the order is filled, the change does not fit
it, or TWS has not finished processing it.
"""
_OF_CANCELS = frozenset({ORDER_CANCELLED, CANNOT_CANCEL_NOT_FOUND, CANNOT_CANCEL_STATE})

_INFORMATION = frozenset({399, 404, 10167, 10349})
"""Codes reported for an order that stands: held for a short sale, a warning, delayed data, a time in force that TWS set."""
_REFUSALS: dict[int, type[BrokerRefusal]] = {
    110: OrderValidationError,
    UNKNOWN_CONTRACT: InvalidSymbolError,
    203: InvalidSymbolError,
    ORDER_REJECTED: BrokerRefusal,
    INVALID_REQUEST: OrderValidationError,
}
TOO_MANY_LINES = 101
PARTLY_SUBSCRIBED = frozenset({10090, 10091})
_NOT_SUBSCRIBED = PARTLY_SUBSCRIBED | {354, 10089, 10168, 10186}
_OTHER_SESSION = 10197
_ABOUT_MONEY = ("insufficient", "margin", "funds", "buying power", "equity with loan")


def is_information(code: int) -> bool:
    return code in _INFORMATION or (2100 <= code < 2200 and code not in OF_CHANGES | LINK_LOST)


def says_read_only(code: int, text: str) -> bool:
    """The API is in read-only mode: nothing can be sent, and answers may be incomplete."""
    return code == INVALID_REQUEST and "read-only" in text.lower()


def refusal_of(code: int, text: str) -> BrokerError:
    """What an error about a request that was just sent means for the request.

    103 (duplicate order id) does not refuse the order: an earlier attempt may have placed it, or another order may have used the
    id.
    """
    message = f"TWS {code}: {text}"
    if says_read_only(code, text):
        return BrokerAuthenticationError(f"{message}; untick Read-Only API in its settings")
    if code == RATE_EXCEEDED:
        return BrokerRateLimitError(message, 1.0)
    if code == ORDER_REJECTED and any(word in text.lower() for word in _ABOUT_MONEY):
        return InsufficientBalanceError(message)
    return _REFUSALS.get(code, OutcomeUnknown)(message)


class PerhapsRefused(OutcomeUnknown):
    """TWS reported an error about an order that was just sent, under a code that is not in the table. The order was refused if TWS
    has it nowhere.
    """


def of_submission(code: int, text: str) -> BrokerError | None:
    """None for errors about a cancel of the order, or those that its status will repeat."""
    if code in _OF_CANCELS:
        return None
    error = refusal_of(code, text)
    is_in_doubt = isinstance(error, OutcomeUnknown) and code != DUPLICATE_ORDER_ID
    return PerhapsRefused(str(error)) if is_in_doubt else error


def of_prices(code: int, text: str) -> BrokerError:
    """What an error about a price subscription means for it."""
    message = f"TWS {code}: {text}"
    if code in _NOT_SUBSCRIBED:
        return BrokerRefusal(f'{message}; subscribe to it at IB, or set market_data = "delayed" in [ibkr]')
    if code == _OTHER_SESSION:
        return BrokerRefusal(f"{message}; end the other session of this login")
    return BrokerRateLimitError(message, 1.0) if code == TOO_MANY_LINES else refusal_of(code, text)


def refuses(code: int) -> bool:
    """Whether the code is a final refusal."""
    return code in _REFUSALS
