"""What the operator settled for an account, and what follows for an order."""

from __future__ import annotations

import pytest

from liveorder.domain.account_config import AccountConfig, RetryPolicy
from liveorder.domain.errors import BrokerRateLimitError
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.risk_limits import RiskLimits
from tests.builders import FAILED, SENT, order_of, submission, then

FAILED_ONCE = order_of(SENT, FAILED)
FAILED_TWICE = then(FAILED_ONCE, submission(2), FAILED.model_copy(update={"request_id": submission(2).request_id}))


def not_begun(order: LiveOrder) -> LiveOrder:
    started = submission(order.starts + 1)
    begun = then(order, started)
    return then(begun, *requests.not_begun(begun, started.request_id, "the store was slow"))


@pytest.mark.parametrize(
    ("order", "seconds"),
    [
        (FAILED_ONCE, 1.0),
        (FAILED_TWICE, 0.0),
        (not_begun(order_of()), 1.0),
        (not_begun(not_begun(order_of())), 2.0),
        (not_begun(FAILED_ONCE), 1.0),
    ],
    ids=["failed once", "no attempt is left", "not begun", "not begun twice", "not begun after a failure"],
)
def test_the_wait_before_the_next_submission_doubles_with_what_went_before(order: LiveOrder, seconds: float) -> None:
    assert RetryPolicy(attempts=2).wait_for(order) == seconds


def test_a_broker_that_says_how_long_is_waited_for() -> None:
    assert RetryPolicy().wait_for(FAILED_ONCE, BrokerRateLimitError("slow", 7.5)) == 7.5


def test_an_order_is_reckoned_in_its_own_currency_where_that_has_limits() -> None:
    own, euros = RiskLimits(), RiskLimits(max_daily_trades=1)
    config = AccountConfig("U1", "USD", limits=own, limits_by_currency={"EUR": euros})
    assert (config.limits_in("EUR"), config.limits_in("USD"), config.limits_in("JPY")) == (
        ("EUR", euros),
        ("USD", own),
        ("USD", own),
    )
