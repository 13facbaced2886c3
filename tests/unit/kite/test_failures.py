"""Each failure of a call, sorted by what may be done about it: surely not received, refused for good, or not known."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from kiteconnect import exceptions
from requests import ConnectionError as BrokenConnection
from requests import ConnectTimeout, ReadTimeout, RequestException
from urllib3.exceptions import MaxRetryError, NewConnectionError

from liveorder.application.ports.broker import Absence, CancelRequest, ReplaceRequest
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    BrokerTimeoutError,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import CancelRejected, ReplaceRejected
from liveorder.infrastructure.brokers.kite.failures import error_of
from tests.twins.kite.client import ACCOUNT
from tests.unit.kite.canned import SECRETS, Answer, Canned, broker_on, error, success
from tests.unit.kite.stage import KEY, order

IP_REFUSAL = "IP 203.0.113.7 is not allowed to place orders for this app. Update allowed IPs on the developer console."


def _refused_connection() -> RequestException:
    reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]  # the pool is only for its message
    return BrokenConnection(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]  # likewise


FAILURES: list[tuple[Answer | Exception, type[BrokerError]]] = [
    # surely not received
    (_refused_connection(), BrokerConnectionError),
    (ConnectTimeout(), BrokerConnectionError),
    (error(429, "NetworkException", "Too many requests"), BrokerRateLimitError),
    (error(429, "GeneralException", "Too many requests"), BrokerRateLimitError),
    # not known
    (ReadTimeout(), BrokerTimeoutError),
    (BrokenConnection("Remote end closed connection without response"), OutcomeUnknown),
    (error(503, "NetworkException", "Gateway timed out."), OutcomeUnknown),
    (error(400, "NetworkException", "OMS not reachable"), OutcomeUnknown),
    (error(502, "DataException"), OutcomeUnknown),
    (error(500, "GeneralException", "Something went wrong"), OutcomeUnknown),
    (error(502, "OrderException"), OutcomeUnknown),
    (error(500, "SomethingNew"), OutcomeUnknown),
    (Answer("<html>Bad gateway</html>", 502, "text/html"), OutcomeUnknown),
    (Answer('{"status": "succ'), OutcomeUnknown),
    (Answer("null"), OutcomeUnknown),
    (Answer('{"status": "success"}'), OutcomeUnknown),
    (Answer('{"status": "error"}', 400), OutcomeUnknown),
    (success("null"), OutcomeUnknown),
    (success("{}"), OutcomeUnknown),
    (success('{"order_id": null}'), OutcomeUnknown),
    (success('{"order_id": 1.5}'), OutcomeUnknown),
    (Answer("", 302), OutcomeUnknown),
    # refused for good
    (error(403, "TokenException", "Incorrect `api_key` or `access_token`."), BrokerAuthenticationError),
    (error(403, "UserException", "Account is suspended"), BrokerAuthenticationError),
    (error(403, "PermissionException", IP_REFUSAL), BrokerAuthenticationError),
    (error(400, "InputException", IP_REFUSAL), BrokerAuthenticationError),
    (error(403, "PermissionException", "Your ip address is unknown"), BrokerAuthenticationError),
    (error(403, "PermissionException", "Segment is not enabled"), OrderValidationError),
    (error(400, "MarginException", "Insufficient funds."), InsufficientBalanceError),
    (error(400, "HoldingException", "Insufficient holdings."), InsufficientBalanceError),
    (error(400, "InputException", "Invalid `tradingsymbol`."), InvalidSymbolError),
    (error(400, "InputException", "The instrument you are placing an order for has either expired"), InvalidSymbolError),
    (error(400, "InputException", "Invalid `quantity`."), OrderValidationError),
    (error(400, "OrderException", "Order value exceeds the limit"), OrderValidationError),
]


async def _failure(canned: Canned) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        await canned.broker.submit(canned.broker.prepare(order()))
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind"), FAILURES, ids=lambda each: getattr(each, "body", None) or getattr(each, "__name__", None)
)
async def test_a_placement_that_fails_is_sorted(
    answer: Answer | Exception, kind: type[BrokerError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canned = broker_on({"/orders/regular": answer})
    failure = await _failure(canned)
    assert type(failure) is kind
    assert failure.__cause__ is None
    assert failure.__context__ is None
    told = f"{failure!r} {failure} {canned.log.lines} {caplog.text} {canned.broker!r}"
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize(
    "answer", [answer for answer, _ in FAILURES if not (isinstance(answer, Answer) and answer == success("{}"))]
)
async def test_a_question_that_fails_is_inconclusive(answer: Answer | Exception) -> None:
    canned = broker_on({"/orders": answer})
    prepared = canned.broker.prepare(order())
    assert await canned.broker.find(KEY, None, prepared.reference) is Absence.INCONCLUSIVE
    with pytest.raises(BrokerError):
        await canned.broker.open_orders()


@pytest.mark.parametrize("message", ["Order cannot be cancelled as it is being processed.", "Couldn't find that `order_id`."])
async def test_a_cancel_or_change_that_kite_refuses_is_told_as_refused(message: str) -> None:
    canned = broker_on({"/1912345678901234567": error(400, "OrderException", message)})
    cancel = canned.broker.prepare(CancelRequest(KEY, "1912345678901234567", ACCOUNT))
    (refused,) = await canned.broker.cancel(cancel)
    assert isinstance(refused, CancelRejected)
    assert message in refused.reason
    change = canned.broker.prepare(ReplaceRequest(KEY, "1912345678901234567", ACCOUNT, 1))
    assert isinstance((await canned.broker.replace(change))[0], ReplaceRejected)


async def test_an_address_that_kite_does_not_know_is_alerted_once_with_the_remedy() -> None:
    canned = broker_on({"/orders/regular": error(403, "PermissionException", IP_REFUSAL)})
    await _failure(canned)
    await _failure(canned)
    (alert,) = canned.log.of("ERROR")
    assert "IP Whitelist" in alert


async def test_a_token_in_kites_own_words_is_blotted_out() -> None:
    canned = broker_on({"/orders/regular": error(403, "TokenException", f"token {SECRETS[2]} of {SECRETS[0]} is not valid")})
    failure = await _failure(canned)
    assert not any(secret in f"{failure} {canned.log.lines}" for secret in SECRETS)


def test_what_the_client_does_not_know_is_still_what_others_took_it_for() -> None:
    broker_on({})
    for name in ("MarginException", "HoldingException", "UserException"):
        missing: Any = getattr(exceptions, name)
        assert issubclass(missing, exceptions.GeneralException)


async def test_after_closing_nothing_is_sent() -> None:
    canned = broker_on({})
    prepared = canned.broker.prepare(order())
    await canned.broker.close()
    assert await canned.broker.find(KEY, None, prepared.reference) is Absence.INCONCLUSIVE
    with pytest.raises(BrokerConnectionError):
        await canned.broker.submit(prepared)


def test_our_own_mistakes_are_not_known() -> None:
    assert type(error_of(ZeroDivisionError("api_key"))) is OutcomeUnknown
    assert "api_key" not in str(error_of(ZeroDivisionError("api_key")))
