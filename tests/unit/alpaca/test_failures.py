"""Every way in which a request fails, through alpaca-py, and what it is taken for."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    DuplicateClientOrderId,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import CancelIsPending, CancelRejected, ReplaceRejected
from liveorder.infrastructure.brokers.alpaca.assembly import brokerage
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.twins.alpaca.customer import access, section
from tests.twins.alpaca.server import KEY as API_KEY
from tests.twins.alpaca.server import SECRET
from tests.unit.alpaca.stage import KEY, live, order_json, order_of

PAGE = "<html><body>Bad Gateway</body></html>"


def told(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, told(40010001, "client_order_id must be unique"), DuplicateClientOrderId),
        (422, told(40010001, "invalid time_in_force"), OrderValidationError),
        (422, told(42210000, "invalid limit_price 290.123. sub-penny increment"), OrderValidationError),
        (422, told(42210000, 'asset "NOPE" not found'), InvalidSymbolError),
        (422, told(42210000, "asset AAPL is not active"), InvalidSymbolError),
        (403, told(40310000, "insufficient buying power"), InsufficientBalanceError),
        (403, told(40310000, "insufficient qty available for order (requested: 10, available: 0)"), InsufficientBalanceError),
        (403, told(40310000, "account is not allowed to short"), OrderValidationError),
        (403, told(40310000, "potential wash trade detected"), OrderValidationError),
        (401, told(40110000, "request is not authorized"), BrokerAuthenticationError),
        (401, PAGE, BrokerAuthenticationError),
        (403, {"message": "forbidden."}, BrokerAuthenticationError),
        (403, told(40310100, "trade denied due to pattern day trading protection"), OrderValidationError),
        (403, told(40310000, "short sales of this asset are forbidden"), OrderValidationError),
        (429, told(42910000, "rate limit exceeded"), BrokerRateLimitError),
        (429, PAGE, BrokerRateLimitError),
        (400, told(40010000, "request body format is invalid"), OrderValidationError),
        (500, told(50010000, "internal server error occurred"), OutcomeUnknown),
        (504, PAGE, OutcomeUnknown),
        (502, "", OutcomeUnknown),
        (403, PAGE, OutcomeUnknown),
        (404, PAGE, OutcomeUnknown),
        (408, told(0, "timeout"), OutcomeUnknown),
        (301, "", OutcomeUnknown),
        (200, "not json", OutcomeUnknown),
        (200, "", OutcomeUnknown),
        (200, "null", OutcomeUnknown),
        (200, {"id": "61e69015"}, OutcomeUnknown),
        (200, order_json(filled_qty="much", qty="NaN"), OutcomeUnknown),
        (207, [{"id": "61e69015", "status": 200}, {"id": "2", "status": 500}], OutcomeUnknown),
    ],
)
async def test_an_answer_to_a_new_order_is_sorted(status: int, body: Any, expected: type[BrokerError]) -> None:
    async with live() as here:
        here.twin.say("POST", "/v2/orders", status, body)
        with pytest.raises(expected) as raised:
            await here.submit()
        assert isinstance(raised.value, BrokerRefusal) == issubclass(expected, BrokerRefusal)
        sent = [path for method, path, _ in here.twin.requests if method == "POST"]
        assert sent == ["/v2/orders"], "it is sent once"


async def test_how_long_to_wait_is_told_where_alpaca_tells_it() -> None:
    async with live() as here:
        await here.venue.lay(Fault(kind=FaultKind.RATE_LIMITED, seconds=7))
        with pytest.raises(BrokerRateLimitError) as raised:
            await here.submit()
        assert raised.value.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(kind=FaultKind.REQUEST_LOST), OutcomeUnknown),
        (Fault(kind=FaultKind.REQUEST_LOST, silent=True), OutcomeUnknown),
        (Fault(kind=FaultKind.ACKNOWLEDGEMENT_GARBLED), OutcomeUnknown),
    ],
)
async def test_a_connection_that_breaks_or_hangs_leaves_the_outcome_unknown(fault: Fault, expected: type[BrokerError]) -> None:
    async with live(timeout_seconds=0.5) as here:
        await here.venue.lay(fault)
        with pytest.raises(expected):
            await here.submit()


async def test_orders_and_cancels_do_not_wait_behind_questions_that_hang() -> None:
    async with live() as here:
        await here.venue.lay(Fault(kind=FaultKind.REQUEST_LOST, on=Point.FIND, silent=True))
        questions = [asyncio.create_task(here.broker.find(f"K{number}", None, {})) for number in range(20)]
        (accepted,) = await here.submit()
        assert isinstance((await here.cancel(accepted.broker_order_id))[0], CancelIsPending)
        assert not [each for each in questions if each.done()]
        for each in questions:
            each.cancel()


async def test_where_nobody_listens_nothing_was_received() -> None:
    async with live() as here, here.twin.away():
        with pytest.raises(BrokerConnectionError):
            await here.submit()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, told(40410000, "order not found"), Absence.ABSENT),
        (404, "", Absence.ABSENT),
        (404, PAGE, Absence.INCONCLUSIVE),
        (401, told(40110000, "request is not authorized"), Absence.INCONCLUSIVE),
        (403, {"message": "forbidden."}, Absence.INCONCLUSIVE),
        (429, told(42910000, "rate limit exceeded"), Absence.INCONCLUSIVE),
        (500, PAGE, Absence.INCONCLUSIVE),
        (200, "", Absence.INCONCLUSIVE),
        (200, "[]", Absence.INCONCLUSIVE),
        (200, "{}", Absence.INCONCLUSIVE),
    ],
)
async def test_only_alpacas_own_not_found_is_an_absence(status: int, body: Any, expected: Absence) -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/orders:by_client_order_id", status, body)
        assert await here.broker.find(KEY, None, {}) is expected


async def test_an_order_whose_replacement_cannot_be_seen_is_neither_there_nor_absent() -> None:
    async with live() as here:
        here.twin.say("GET", "/v2/orders:by_client_order_id", 200, order_json(status="replaced", replaced_by="beef"))
        here.twin.say("GET", "/v2/orders/beef", 404, told(40410000, "order not found"))
        assert await here.broker.find(KEY, None, {}) is Absence.INCONCLUSIVE


async def test_a_circle_of_replacements_ends() -> None:
    async with live() as here:
        circle = order_json(status="replaced", replaced_by="61e69015", id="61e69015")
        here.twin.say("GET", "/v2/orders:by_client_order_id", 200, circle)
        here.twin.say("GET", "/v2/orders/61e69015", 200, circle)
        assert await here.broker.find(KEY, None, {}) is Absence.INCONCLUSIVE


@pytest.mark.parametrize("ask", ["open_orders", "positions", "account"])
@pytest.mark.parametrize(("status", "body"), [(500, PAGE), (200, "{}"), (200, "[1]"), (200, "null"), (200, '[{"qty": "1"}]')])
async def test_a_list_that_could_not_be_had_whole_is_no_list(ask: str, status: int, body: Any) -> None:
    paths = {"open_orders": "/v2/orders", "positions": "/v2/positions", "account": "/v2/account"}
    async with live() as here:
        here.twin.say("GET", paths[ask], status, body)
        with pytest.raises(BrokerError):
            await getattr(here.broker, ask)()


# --- cancels and replaces ------------------------------------------------------------------------------------------------------


async def test_a_cancel_that_alpaca_refuses_is_told_as_refused() -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        order_id = accepted.broker_order_id
        here.twin.say("DELETE", f"/v2/orders/{order_id}", 422, told(42210000, 'order is already in "filled" state'))
        (answer,) = await here.cancel(order_id)
        assert isinstance(answer, CancelRejected)
        assert "filled" in answer.reason
        assert (answer.client_order_id, answer.broker_order_id) == (KEY, order_id)


async def test_a_cancel_by_an_id_that_was_replaced_reaches_the_live_order() -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        await here.replace(accepted.broker_order_id, limit_price=Decimal(151))
        (answer,) = await here.cancel(accepted.broker_order_id)
        assert isinstance(answer, CancelIsPending)
        assert answer.broker_order_id != accepted.broker_order_id
        (order,) = await here.venue.orders()
        assert order.status == "CANCELLED"


async def test_a_cancel_by_our_key_alone_reaches_the_order() -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        (answer,) = await here.cancel(None)
        assert answer == CancelIsPending(client_order_id=KEY, broker_order_id=accepted.broker_order_id)


async def test_a_cancel_by_our_key_that_cannot_look_first_was_not_sent() -> None:
    async with live() as here:
        await here.submit()
        here.twin.say("GET", "/v2/orders:by_client_order_id", 500, PAGE)
        with pytest.raises(BrokerConnectionError):
            await here.cancel(None)
        assert not [path for method, path, _ in here.twin.requests if method == "DELETE"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, told(42210000, "order is not open")),
        (403, told(40310000, "insufficient buying power")),
        (404, told(40410000, "order not found")),
    ],
)
async def test_a_replace_that_alpaca_refuses_is_told_as_refused(status: int, body: Any) -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        here.twin.say("PATCH", f"/v2/orders/{accepted.broker_order_id}", status, body)
        (answer,) = await here.replace(accepted.broker_order_id, limit_price=Decimal(151))
        assert isinstance(answer, ReplaceRejected)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, told(40010001, "client_order_id must be unique"), OutcomeUnknown),
        (401, told(40110000, "request is not authorized"), BrokerAuthenticationError),
        (500, PAGE, OutcomeUnknown),
        (200, "", OutcomeUnknown),
        (429, told(42910000, "rate limit exceeded"), BrokerRateLimitError),
    ],
)
async def test_a_replace_that_may_have_arrived_is_not_told_as_refused(status: int, body: Any, expected: type[BrokerError]) -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        here.twin.say("PATCH", f"/v2/orders/{accepted.broker_order_id}", status, body)
        with pytest.raises(expected):
            await here.replace(accepted.broker_order_id, limit_price=Decimal(151))


async def test_a_replace_that_cannot_look_first_was_not_sent() -> None:
    async with live() as here:
        (accepted,) = await here.submit()
        here.twin.say("GET", f"/v2/orders/{accepted.broker_order_id}", 500, PAGE)
        with pytest.raises(BrokerConnectionError):
            await here.replace(accepted.broker_order_id, limit_price=Decimal(151))
        assert not [path for method, path, _ in here.twin.requests if method == "PATCH"]


# --- secrets -------------------------------------------------------------------------------------------------------------------


async def test_no_secret_is_in_any_error_repr_or_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with live() as here:
        errors = [await _failure(here, status) for status in (401, 403, 404, 422, 429, 500)]
        async with here.twin.away():
            errors.append(await _failure(here, 200))
        chained = [each for error in errors for each in (error, error.__cause__, error.__context__)]
        shown = [f"{each} {each!r} {vars(each) if each else ''}" for each in chained]
        shown += [repr(here.broker), repr(here.brokerage), *here.log.written, *(record.getMessage() for record in caplog.records)]
        shown += [here.broker.prepare(order_of()).payload]
        assert len(caplog.records) > 0
        assert not [text for text in shown if SECRET in text or API_KEY in text]


async def _failure(here: Any, status: int) -> BrokerError:
    here.twin.say("POST", "/v2/orders", status, told(40010001, "no"))
    with pytest.raises(BrokerError) as raised:
        await here.submit()
    return raised.value


async def test_refused_credentials_keep_the_stream_from_opening() -> None:
    async with live() as here:
        here.twin.updates.lets_in = False
        other = brokerage(access(), section(here.twin))
        with pytest.raises(BrokerAuthenticationError) as raised:
            await other.broker.connect()
        assert "stream" in str(raised.value)
        assert SECRET not in str(raised.value)
        await other.broker.close()
