"""What the operator settled for an account, and what follows for an order."""

from __future__ import annotations

import pytest

from liveorder.domain.account_config import AccountConfig, RetryPolicy
from liveorder.domain.errors import BrokerConnectionError, BrokerError, BrokerRateLimitError, BrokerTimeoutError, InvalidSymbolError
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.outcomes import Answered, NotBegun, NotReceived, Outcome, Unknown
from liveorder.domain.risk_limits import RiskLimits
from tests.builders import ACKNOWLEDGED, FAILED, SENT, cancelled, order_of, submission, then

DELAYED, AWAY = NotBegun("the store was slow"), NotReceived(BrokerConnectionError("refused"))
LOST = Unknown(BrokerTimeoutError("no answer"))
FAILED_ONCE = order_of(SENT, FAILED)
FAILED_TWICE = then(FAILED_ONCE, submission(2), FAILED.but(request_id=submission(2).request_id))


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


@pytest.mark.parametrize(
    ("outcome", "attempts", "seconds"),
    [
        (DELAYED, 0, 0.0),
        (DELAYED, 9, 0.0),
        (AWAY, 1, 1.0),
        (AWAY, 2, None),
        (LOST, 1, None),
        (Answered(()), 1, None),
        (None, 1, None),
    ],
)
def test_a_cancel_is_asked_for_again_until_it_may_have_arrived(
    outcome: Outcome | None, attempts: int, seconds: float | None
) -> None:
    assert RetryPolicy(attempts=2).wait_to_cancel_again(order_of(SENT), outcome, attempts) == seconds
    assert RetryPolicy(attempts=2).wait_to_cancel_again(order_of(SENT, ACKNOWLEDGED, cancelled()), outcome, attempts) is None


def test_a_replace_is_decided_anew_only_where_nothing_left() -> None:
    again = [RetryPolicy(attempts=2).replaces_again(outcome, 1) for outcome in (DELAYED, AWAY, LOST, Answered(()))]
    assert again == [True, False, False, False]
    assert not RetryPolicy(attempts=2).replaces_again(DELAYED, 2)


@pytest.mark.parametrize(
    ("error", "attempts", "left", "seconds"),
    [
        (BrokerConnectionError("refused"), 1, 30.0, 1.0),
        (BrokerConnectionError("refused"), 2, 30.0, 2.0),
        (BrokerConnectionError("refused"), 3, 30.0, None),
        (BrokerConnectionError("refused"), 2, 2.0, 2.0),
        (BrokerConnectionError("refused"), 2, 1.9, None),
        (BrokerRateLimitError("slow", 31.0), 1, 30.0, None),
        (InvalidSymbolError("no such symbol"), 1, 30.0, None),
    ],
)
def test_a_question_is_put_again_while_it_makes_sense(
    error: BrokerError, attempts: int, left: float, seconds: float | None
) -> None:
    assert RetryPolicy(attempts=3).wait_to_ask_again(attempts, error, left) == seconds


def test_attempts_are_used_up_by_failures_and_not_by_delays_of_ours() -> None:
    orders = (order_of(), FAILED_ONCE, FAILED_TWICE, not_begun(not_begun(order_of())))
    assert [RetryPolicy(attempts=2).is_used_up_by(order) for order in orders] == [False, False, True, False]


def test_an_order_is_reckoned_in_its_own_currency_where_that_has_limits() -> None:
    own, euros = RiskLimits(), RiskLimits(max_daily_trades=1)
    config = AccountConfig("U1", "USD", limits=own, limits_by_currency={"EUR": euros})
    assert (config.limits_in("EUR"), config.limits_in("USD"), config.limits_in("JPY")) == (
        ("EUR", euros),
        ("USD", own),
        ("USD", own),
    )
