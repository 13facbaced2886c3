"""Every code of the table, and one that is not in it."""

from __future__ import annotations

import pytest

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
from liveorder.infrastructure.brokers.ibkr.failures import is_information, refusal_of


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (100, "Max rate of messages per second has been exceeded", BrokerRateLimitError),
        (103, "Duplicate order id", OutcomeUnknown),
        (110, "The price does not conform to the minimum price variation", OrderValidationError),
        (200, "No security definition has been found for the request", InvalidSymbolError),
        (201, "Order rejected - reason:The exchange is closed.", BrokerRefusal),
        (201, "Order rejected - reason:We are unable to accept your order. Insufficient buying power", InsufficientBalanceError),
        (201, "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. MINIMUM OF 2000 USD MARGIN REQUIRED", InsufficientBalanceError),
        (203, "The security is not available or allowed for this account", InvalidSymbolError),
        (321, "Error validating request: cause - Invalid time in force", OrderValidationError),
        (321, "Error validating request: cause - The API interface is currently in Read-Only mode.", BrokerAuthenticationError),
        (10147, "OrderId 5 that needs to be cancelled is not found.", OutcomeUnknown),
        (10148, "OrderId 5 that needs to be cancelled can not be cancelled", OutcomeUnknown),
        (322, "Error processing request", OutcomeUnknown),
        (99999, "nobody has heard of this", OutcomeUnknown),
    ],
)
def test_each_code_is_sorted_by_what_may_be_done_about_it(code: int, text: str, kind: type[BrokerError]) -> None:
    error = refusal_of(code, text)
    assert type(error) is kind
    assert str(code) in str(error)


@pytest.mark.parametrize("code", [399, 404, 10349, 2100, 2104, 2109, 2137, 2199])
def test_what_is_only_information_is_no_failure(code: int) -> None:
    assert is_information(code)


@pytest.mark.parametrize("code", [201, 202, 2102, 2110, 2200, 2099, 1100, 10147])
def test_other_codes_are_more_than_information(code: int) -> None:
    assert not is_information(code)
