"""What TWS does to its clients, over its own wire: restarts, lost links, answers that are not whole, ids that are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from liveorder.application.ports.broker import Absence, Prepared
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    BrokerTimeoutError,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import (
    BrokerStatus,
    CancelRejected,
    Commission,
    Execution,
    OrderClosed,
    OrderSnapshot,
    ReplaceRejected,
)
from liveorder.domain.values import OrderType, TradingMode
from liveorder.infrastructure.brokers.ibkr import sdk
from liveorder.infrastructure.brokers.ibkr.answers import to_cancel, to_submission
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.twins.ibkr import wire
from tests.twins.ibkr.client import Client
from tests.twins.ibkr.trading import Trading
from tests.unit.ibkr.scene import PRICE, Scene, SetClock, scene, submission

A_DAY = timedelta(days=1)


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        yield played


# --- connecting ----------------------------------------------------------------------------------------------------------------


async def test_accounts_that_begin_with_d_are_for_paper() -> None:
    async with scene() as tws:
        assert (await tws.broker.connect()).mode is TradingMode.PAPER


async def test_other_accounts_are_live() -> None:
    async with scene() as tws:
        tws.twin.managed_accounts = "U7654321"
        assert (await tws.broker.connect()).mode is TradingMode.LIVE


async def test_of_several_accounts_one_must_be_meant() -> None:
    async with scene() as tws:
        tws.twin.managed_accounts = "DU1234567,DU2222222"
        with pytest.raises(BrokerAuthenticationError, match="set the one to trade"):
            await tws.broker.connect()
        meant = await tws.another(account="DU1234567", client_id=2)
        assert (await meant.broker.connect()).mode is TradingMode.PAPER
        await meant.broker.close()
        with pytest.raises(BrokerAuthenticationError, match="not U99"):
            await (await tws.another(account="U99", client_id=3)).broker.connect()


async def test_a_client_id_of_another_program_is_named() -> None:
    async with scene() as tws:
        tws.twin.client_ids_in_use = {1}
        with pytest.raises(BrokerConnectionError, match="client_id 1 is in use"):
            await tws.broker.connect()
        tws.twin.client_ids_in_use = set()
        await tws.broker.connect()


async def test_nobody_listening_is_told_as_such() -> None:
    async with scene() as tws, tws.twin.down():
        with pytest.raises(BrokerConnectionError, match="does not answer"):
            await tws.broker.connect()


async def test_a_tws_without_its_own_connection_is_none() -> None:
    async with scene() as tws:
        tws.twin.lose_link()
        with pytest.raises(BrokerConnectionError, match="1100"):
            await tws.broker.connect()


async def test_a_read_only_tws_says_what_to_change() -> None:
    async with scene() as tws:
        await tws.exchange.control.lay(Fault(kind=FaultKind.UNAUTHORIZED, on=Point.CONNECT, nth=1))
        with pytest.raises(BrokerAuthenticationError, match="Read-Only API"):
            await tws.broker.connect()
        await tws.broker.connect()


async def test_the_librarys_own_connect_works_with_the_twin() -> None:
    async with scene() as tws:
        ib = sdk.LIBRARY.IB()
        await ib.connectAsync("127.0.0.1", tws.twin.port, clientId=9, timeout=5)
        assert ib.managedAccounts() == ["DU1234567"]
        assert await ib.reqCurrentTimeAsync() is not None
        ib.disconnect()
        await asyncio.sleep(0)


# --- restarts and lost links ---------------------------------------------------------------------------------------------------


async def test_a_nightly_restart_is_survived(tws: Scene) -> None:
    placed = await tws.placed()
    async with tws.twin.down():
        await tws.reports_ended()
        with pytest.raises(BrokerConnectionError):
            await tws.broker.connect()
        with pytest.raises(BrokerConnectionError):
            await tws.broker.submit(tws.broker.prepare(submission("KEY2")))
        await tws.fill()
    await tws.connect()
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert found.filled_quantity == 4
    later = await tws.placed("KEY3")
    assert int(later.reference["order_id"]) > int(placed.reference["order_id"])


@pytest.mark.parametrize("code", [1100, 2110])
async def test_nothing_is_sent_while_the_link_is_lost(tws: Scene, code: int) -> None:
    """2110 is said by TWS of its own link to the server of IB."""
    ready = tws.broker.prepare(submission())
    tws.twin.lose_link(code)

    async def noticed() -> bool:
        try:
            await tws.broker.open_orders()
        except BrokerConnectionError as error:
            return "1100" in str(error)
        return False

    await tws.until(noticed)
    with pytest.raises(BrokerConnectionError, match="1100"):
        await tws.broker.submit(ready)
    assert not tws.twin.placed
    assert await tws.find(ready) is Absence.INCONCLUSIVE


@pytest.mark.parametrize("data_lost", [True, False])
async def test_reports_end_when_the_link_is_back_so_that_what_was_missed_is_asked_for(tws: Scene, data_lost: bool) -> None:
    placed = await tws.placed()
    tws.twin.lose_link()
    await tws.fill()
    tws.twin.regain_link(data_lost=data_lost)
    await tws.reports_ended()
    assert not tws.told_as(Execution)
    await tws.connect()
    (fill,) = [each for each in await tws.broker.executions_since(datetime.now(UTC) - A_DAY) if isinstance(each, Execution)]
    assert (fill.client_order_id, fill.quantity) == ("KEY1", Decimal(4))
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert found.filled_quantity == 4
    await tws.fill(quantity=6)
    await tws.until_told(Execution)


async def test_a_fill_that_only_a_question_brought_is_reported_too(tws: Scene) -> None:
    """The library fires no event for it."""
    await tws.exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT))
    await tws.placed()
    await tws.fill()
    await tws.broker.executions_since(datetime.now(UTC) - A_DAY)
    await tws.until_told(Execution)


# --- absence -------------------------------------------------------------------------------------------------------------------


async def test_an_order_is_absent_when_it_is_in_none_of_three_whole_answers(tws: Scene) -> None:
    assert await tws.find(tws.broker.prepare(submission())) is Absence.ABSENT


@pytest.mark.parametrize("end", ["open", "completed", "executions"])
async def test_an_answer_without_its_end_proves_nothing(tws: Scene, end: str) -> None:
    tws.twin.withheld = {end}
    assert await tws.find(tws.broker.prepare(submission())) is Absence.INCONCLUSIVE


async def test_a_row_that_cannot_be_read_proves_nothing(tws: Scene) -> None:
    placed = await tws.placed()
    tws.twin.garbles_open_orders = True
    assert await tws.find(tws.broker.prepare(submission("KEY2")), "KEY2") is Absence.INCONCLUSIVE
    with pytest.raises(OutcomeUnknown, match="could not read"):
        await tws.broker.open_orders()
    assert await tws.find(placed) is Absence.INCONCLUSIVE


async def test_a_lost_link_proves_nothing(tws: Scene) -> None:
    ready = tws.broker.prepare(submission())
    tws.twin.lose_link()
    assert await tws.find(ready) is Absence.INCONCLUSIVE


async def test_the_day_after_nothing_is_absent_any_more() -> None:
    clock = SetClock(datetime.now(UTC))
    async with scene(clock) as tws:
        await tws.connect()
        ready = tws.broker.prepare(submission())
        assert await tws.find(ready) is Absence.ABSENT
        clock.at += A_DAY
        assert await tws.find(ready) is Absence.INCONCLUSIVE


async def test_an_order_that_was_not_prepared_here_is_never_absent(tws: Scene) -> None:
    assert await tws.broker.find("KEY9", "1700000099", {}) is Absence.INCONCLUSIVE


async def test_questions_that_are_asked_together_have_each_the_whole_answer(tws: Scene) -> None:
    """Rows bear no number: what one question is told must not be missing from another's answer."""
    placed = await tws.placed()
    answers = await asyncio.gather(*(tws.broker.open_orders() for _ in range(5)), *(tws.find(placed) for _ in range(5)))
    assert all(len(listed) == 1 for listed in answers[:5])
    assert all(isinstance(found, OrderSnapshot) for found in answers[5:])
    ended = await tws.placed("KEY2")
    await tws.cancel(ended, "KEY2")
    found = await asyncio.gather(*(tws.find(ended, "KEY2") for _ in range(5)))
    assert {each.status for each in found if isinstance(each, OrderSnapshot)} == {BrokerStatus.CANCELLED}
    assert len(found) == 5


async def test_fills_of_the_day_before_are_not_asked_for_at_every_look(tws: Scene) -> None:
    await tws.exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT))
    tws.twin.withholds_executions = True
    await tws.placed()
    await tws.fill()
    (first,) = await tws.broker.open_orders()
    assert first.filled_quantity == 4
    tws.twin.withheld = {"executions"}
    (second,) = await tws.broker.open_orders()
    assert second.filled_quantity == 4


async def test_a_login_to_another_account_is_not_traded_on(tws: Scene) -> None:
    ready = tws.broker.prepare(submission())
    async with tws.twin.down():
        await tws.reports_ended()
        tws.twin.managed_accounts = "U7654321"
    with pytest.raises(BrokerAuthenticationError, match="not DU1234567"):
        await tws.broker.connect()
    with pytest.raises(BrokerConnectionError):
        await tws.broker.submit(ready)
    assert not tws.twin.placed


async def test_reports_end_when_tws_turns_read_only_so_that_the_connection_is_made_anew(tws: Scene) -> None:
    tws.twin.next_order_meets = (321, "The API interface is currently in Read-Only mode.")
    with pytest.raises(BrokerAuthenticationError, match="Read-Only API"):
        await tws.placed()
    await tws.reports_ended()
    await tws.connect()
    assert isinstance(await tws.find(await tws.placed("KEY2"), "KEY2"), OrderSnapshot)


async def test_an_unanswered_list_ends_the_connection_for_its_answer_may_come_as_the_next_ones(tws: Scene) -> None:
    placed = await tws.placed()
    tws.twin.withheld = {"open"}
    with pytest.raises(BrokerTimeoutError):
        await tws.broker.open_orders()
    await tws.reports_ended()
    tws.twin.withheld = set()
    await tws.connect()
    assert isinstance(await tws.find(placed), OrderSnapshot)


async def test_an_order_under_way_is_waited_for_before_the_connection_is_given_up(tws: Scene) -> None:
    session = tws.broker._connection.session
    tws.twin.withheld = {"open"}
    with session.hearing.awaiting(99, to_submission()):
        with pytest.raises(BrokerTimeoutError):
            await tws.broker.open_orders()
        session.demand_link()
        await session.cancel(98, to_cancel("KEY98", None))
        session.demand_link()
    await session.cancel(98, to_cancel("KEY98", None))
    await tws.reports_ended()


async def test_a_find_waits_for_a_connection_that_is_being_made_again(tws: Scene) -> None:
    placed = await tws.placed()
    tws.twin.hang_up()
    await tws.reports_ended()
    finding = asyncio.create_task(tws.find(placed))
    await tws.connect()
    assert isinstance(await finding, OrderSnapshot)


# --- finding -------------------------------------------------------------------------------------------------------------------


async def test_an_order_that_ended_is_found_among_the_completed(tws: Scene) -> None:
    placed = await tws.placed()
    await tws.fill()
    await tws.cancel(placed)
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert (found.status, found.filled_quantity, found.quantity) == (BrokerStatus.CANCELLED, Decimal(4), None)
    assert [each.quantity for each in found.executions] == [Decimal(4)]


async def test_an_order_whose_executions_do_not_come_is_told_with_its_total(tws: Scene) -> None:
    """On some builds of TWS the list stays empty."""
    await tws.exchange.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT))
    tws.twin.withholds_executions = True
    placed = await tws.placed()
    await tws.fill()
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert (found.filled_quantity, found.average_price, found.executions) == (Decimal(4), PRICE, ())


async def test_another_order_with_our_order_id_is_not_ours(tws: Scene) -> None:
    """The ids of a TWS that was reset come again."""
    placed = await tws.placed("KEY1")
    assert await tws.broker.find("KEY2", None, placed.reference) is Absence.ABSENT


async def test_orders_by_hand_are_listed_without_a_key(tws: Scene) -> None:
    await tws.exchange.control.place("DU1234567", "NASDAQ:AAPL", submission().side, Decimal(5), Decimal(150))
    (listed,) = await tws.broker.open_orders()
    assert (listed.client_order_id, listed.quantity, listed.symbol) == (None, Decimal(5), "AAPL")
    assert isinstance(await tws.broker.find("ADOPTED", listed.broker_order_id, {}), OrderSnapshot)


# --- sending -------------------------------------------------------------------------------------------------------------------


async def test_what_is_sent_is_the_text_that_was_prepared(tws: Scene) -> None:
    with pytest.raises(BrokerError):  # the venue has no such price
        await tws.placed(limit_price=Decimal("0.00000000000000000001"), quantity=Decimal(7))
    (fields,) = tws.twin.placed
    assert fields[16:20] == ["BUY", "7", "LMT", "0.00000000000000000001"]


async def test_the_same_bytes_again_do_not_change_a_live_order(tws: Scene) -> None:
    """TWS would take them as a change of it."""
    placed = await tws.placed()
    await tws.replace(placed, limit_price=Decimal(181))
    sent = len(tws.twin.placed)
    (answer,) = await tws.broker.submit(placed)
    assert isinstance(answer, OrderSnapshot)
    assert (answer.limit_price, len(tws.twin.placed)) == (Decimal(181), sent)


async def test_an_order_id_that_another_order_has_by_now_is_not_used(tws: Scene) -> None:
    placed = await tws.placed("KEY1")
    old = json.loads(placed.payload)
    old["order"]["orderRef"] = "KEY0"
    with pytest.raises(OrderValidationError, match="another order's"):
        await tws.broker.submit(Prepared(placed.reference, json.dumps(old)))
    assert len(tws.twin.placed) == 1


async def test_an_order_id_that_tws_calls_a_duplicate_proves_nothing(tws: Scene) -> None:
    tws.twin.next_order_meets = (103, "Duplicate order id")
    with pytest.raises(OutcomeUnknown, match="103"):
        await tws.placed()


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (110, "The price does not conform to the minimum price variation for this contract.", OrderValidationError),
        (201, "Order rejected - reason:Insufficient buying power", InsufficientBalanceError),
        (200, "No security definition has been found for the request", InvalidSymbolError),
        (100, "Max rate of messages per second has been exceeded", BrokerRateLimitError),
    ],
)
async def test_a_code_that_answers_an_order_is_sorted(tws: Scene, code: int, text: str, kind: type[BrokerError]) -> None:
    tws.twin.next_order_meets = (code, text)
    with pytest.raises(kind, match=str(code)):
        await tws.placed()


@pytest.mark.parametrize("code", [109, 387, 388, 463, 777, 2102, 10268, 10289])
async def test_an_order_that_tws_speaks_against_under_whatever_code_and_does_not_have_is_refused(tws: Scene, code: int) -> None:
    tws.twin.next_order_meets = (code, "The order is not to our liking")
    with pytest.raises(BrokerRefusal, match=f"TWS {code}: The order is not to our liking"):
        await tws.placed()
    assert len(tws.twin.placed) == 1


async def test_an_order_that_tws_speaks_against_and_has_is_in_doubt_until_it_is_asked_about(tws: Scene) -> None:
    tws.twin.next_order_is_warned = (777, "mind the gap")
    ready = tws.broker.prepare(submission())
    with pytest.raises(OutcomeUnknown, match="777"):
        await tws.broker.submit(ready)
    found = await tws.find(ready)
    assert isinstance(found, OrderSnapshot)
    assert found.status is BrokerStatus.WORKING


@pytest.mark.parametrize("end", ["open", "completed", "executions"])
async def test_an_order_that_tws_speaks_against_is_in_doubt_where_an_answer_is_not_whole(tws: Scene, end: str) -> None:
    tws.twin.next_order_meets = (777, "nobody has heard of this")
    tws.twin.withheld = {end}
    with pytest.raises(OutcomeUnknown, match="777"):
        await tws.placed()


@pytest.mark.parametrize("code", [1100, 2110])
async def test_an_order_that_tws_speaks_against_is_in_doubt_while_the_link_is_lost(tws: Scene, code: int) -> None:
    tws.twin.next_order_meets = (777, "nobody has heard of this")
    sending = asyncio.create_task(tws.placed())
    await asyncio.sleep(0)
    tws.broker._connection.session.hearing.error(-1, code, "Connectivity has been lost")
    with pytest.raises(OutcomeUnknown, match="777"):
        await sending


async def test_an_order_that_tws_spoke_of_before_it_spoke_against_it_is_in_doubt(tws: Scene) -> None:
    session = tws.broker._connection.session
    ready = tws.broker.prepare(submission())
    tws.twin.next_order_meets = (777, "nobody has heard of this")
    ids = {"orderId": ready.reference["order_id"], "clientId": "1", "permId": "1700000009"}
    contract = {"conId": "10001", "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
    order = {"action": "BUY", "totalQuantity": "10", "orderType": "LMT", "lmtPrice": "180.5", "tif": "DAY", "orderRef": "KEY1"}
    sending = asyncio.create_task(tws.broker.submit(ready))
    await asyncio.sleep(0)
    session._ib.client.decoder.interpret(wire.open_order(ids, contract, order, "Inactive"))
    with pytest.raises(OutcomeUnknown, match="777"):
        await sending


async def test_a_cancel_that_is_refused_is_no_word_about_the_submission(tws: Scene) -> None:
    tws.twin.next_order_meets = (10147, "OrderId 1 that needs to be cancelled is not found.")
    with pytest.raises(BrokerTimeoutError):
        await tws.placed()


@pytest.mark.parametrize("code", [399, 404, 2109, 10349])
async def test_information_about_an_order_is_no_answer(tws: Scene, code: int) -> None:
    tws.twin.next_order_meets = (code, "for your information")
    with pytest.raises(BrokerTimeoutError):
        await tws.placed()


async def test_an_unknown_contract_is_an_invalid_symbol(tws: Scene) -> None:
    with pytest.raises(InvalidSymbolError):
        await tws.placed(instrument=submission().instrument.but(symbol="NOPE"))


async def test_more_messages_than_the_library_lets_through_are_turned_away(tws: Scene) -> None:
    """What it held back could be sent at a time that nobody expects."""
    ready = tws.broker.prepare(submission())
    asking = [asyncio.create_task(tws.broker.executions_since(datetime.now(UTC))) for _ in range(60)]
    await asyncio.sleep(0)
    with pytest.raises(BrokerRateLimitError):
        await tws.broker.submit(ready)
    assert not tws.twin.placed
    await asyncio.gather(*asking, return_exceptions=True)


# --- cancels and changes -------------------------------------------------------------------------------------------------------


async def test_a_cancel_of_what_tws_does_not_know_is_refused_and_closes_nothing(tws: Scene) -> None:
    (answer,) = await tws.cancel(tws.broker.prepare(submission()))
    assert isinstance(answer, CancelRejected)
    assert "10147" in answer.reason


async def test_a_cancel_of_a_filled_order_is_refused(tws: Scene) -> None:
    placed = await tws.placed()
    await tws.fill(quantity=10)
    (answer,) = await tws.cancel(placed)
    assert isinstance(answer, CancelRejected)


async def test_a_cancel_closes_the_order(tws: Scene) -> None:
    placed = await tws.placed()
    (answer,) = await tws.cancel(placed)
    assert isinstance(answer, OrderClosed)


async def test_a_change_repeats_the_order_under_its_own_id(tws: Scene) -> None:
    placed = await tws.placed(order_type=OrderType.STOP_LIMIT, stop_price=Decimal(210), limit_price=Decimal(211))
    await tws.replace(placed, stop_price=Decimal(209))
    first, second = tws.twin.placed
    assert second[1] == first[1]
    assert second[16:22] == ["BUY", "10", "STP LMT", "211", "209", "DAY"]
    assert second[26] == "KEY1"


@pytest.mark.parametrize("code", [201, 2102])
async def test_a_change_that_is_refused_leaves_the_order(tws: Scene, code: int) -> None:
    """2102: it is still being processed."""
    placed = await tws.placed()
    tws.twin.next_order_meets = (code, "Order rejected - reason:no")
    (answer,) = await tws.replace(placed, limit_price=Decimal(181))
    assert isinstance(answer, ReplaceRejected)
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert found.limit_price == PRICE


async def test_a_price_that_the_order_has_not_cannot_be_changed(tws: Scene) -> None:
    placed = await tws.placed(order_type=OrderType.TRAILING_STOP, limit_price=None, trail_amount=Decimal(2))
    with pytest.raises(OrderValidationError, match="stop_price"):
        await tws.replace(placed, stop_price=Decimal(1))


# --- fills ---------------------------------------------------------------------------------------------------------------------


async def test_a_commission_that_comes_later_is_told_apart() -> None:
    async with scene(reports_commission_apart=True) as tws:
        await tws.connect()
        await tws.placed()
        await tws.fill()
        (fill,) = await tws.until_told(Execution)
        (commission,) = await tws.until_told(Commission)
        assert commission.execution_id == fill.execution_id
        assert fill.commission is None


async def test_a_commission_of_the_largest_double_is_not_told(tws: Scene) -> None:
    tws.twin.commission_is_untold = True
    await tws.placed()
    await tws.fill()
    await tws.until_told(Execution)
    (fill,) = await tws.broker.executions_since(datetime.now(UTC) - A_DAY)
    assert fill.commission is None
    assert not tws.told_as(Commission)


@pytest.mark.parametrize("told", ["%Y%m%d-%H:%M:%S", "%Y%m%d %H:%M:%S MEZ", "%Y%m%d %H:%M:%S Middle-earth/Shire"])
async def test_a_fill_counts_whatever_its_time_is_told_as(tws: Scene, told: str) -> None:
    tws.twin.tell_times_as(told)
    placed = await tws.placed()
    await tws.fill()
    await tws.until_told(Execution)
    found = await tws.find(placed)
    assert isinstance(found, OrderSnapshot)
    assert [each.quantity for each in found.executions] == [Decimal(4)]
    (fill,) = await tws.broker.executions_since(datetime.now(UTC) - A_DAY)
    assert (fill.quantity, fill.commission is None) == (Decimal(4), False)
    assert await tws.find(tws.broker.prepare(submission("KEY2")), "KEY2") is Absence.ABSENT


async def test_an_order_that_is_thrown_out_after_it_was_shown_is_rejected(tws: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """TWS shows it, speaks against it under a code that nobody lists, calls it inactive and has it nowhere any more."""

    async def shown_and_thrown_out(self: Trading, client: Client, fields: list[str]) -> None:
        order_id, order = int(fields[1]), wire.order_placed(fields)
        ids = {"orderId": str(order_id), "clientId": str(client.client_id), "permId": "777"}
        contract = wire.contract_asked(fields, 2)
        client.tell(wire.open_order(ids, contract, order, "PreSubmitted"))
        client.tell(wire.order_status(ids, "PreSubmitted", "0", order["totalQuantity"], "0"))
        client.tell(wire.error(order_id, 436, "You must specify an allocation."))
        client.tell(wire.order_status(ids, "Inactive", "0", order["totalQuantity"], "0"))

    monkeypatch.setattr(Trading, "place", shown_and_thrown_out)
    placed = await tws.placed()

    async def is_rejected() -> bool:
        found = await tws.find(placed)
        told = (found.status, found.reason) if isinstance(found, OrderSnapshot) else None
        return told == (BrokerStatus.REJECTED, "TWS 436: You must specify an allocation.")

    await tws.until(is_rejected)
