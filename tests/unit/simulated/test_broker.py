"""The simulated broker keeps the promises of the `Broker` port, on both transports."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence, CancelRequest, ReplaceRequest
from liveorder.domain.broker_account import BrokerAccount, Figure, FigureKind, figures
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    DuplicateClientOrderId,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Commission,
    Execution,
    ExecutionCorrected,
    OrderClosed,
    OrderRejected,
    OrderReplaced,
    OrderRestated,
    OrderSnapshot,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import OrderType, Side, TimeInForce, TradingHours, TradingMode
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES, SimulatedBroker
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.settings import Fills, Keys, VenueAccount, VenueSettings
from tests.unit.simulated.stage import AAPL, BY_HAND, START, STILL, VirtualClock, limit_order, market_order, stage

D = Decimal


async def test_connecting_tells_which_account_this_is(reach: str) -> None:
    async with stage(reach) as live:
        money = figures(START, "USD", equity=D(1_000_000), cash=D(1_000_000))
        expected = BrokerAccount("SIM", TradingMode.SIMULATION, "USD", money)
        assert await live.broker.connect() == expected
        assert await live.broker.account() == expected


async def test_a_limited_account_tells_what_it_can_still_buy_for(reach: str) -> None:
    """Cash, less what open buys would take. One that is not limited has no such figure: no buy is too dear for it."""
    limited = VenueSettings(prices=STILL, accounts=(VenueAccount(cash=D(5000), is_limited=True),))
    async with stage(reach, limited) as live:
        await live.broker.submit(live.broker.prepare(limit_order()))
        account = await live.broker.account()
        assert [account.cash, account.buying_power] == [*figures(START, "USD", cash=D(5000), buying_power=D(3500))]


async def test_cash_of_another_currency_stands_beside_the_accounts_own(reach: str) -> None:
    infosys = Instrument(symbol="INFY", exchange="NSE", currency="INR")
    async with stage(reach) as live:
        await live.broker.submit(live.broker.prepare(market_order(instrument=infosys)))
        account = await live.broker.account()
        assert account.figure(FigureKind.CASH, currency="INR") == Figure(FigureKind.CASH, D(-15_000), "INR", START)


async def test_an_account_that_is_not_here_is_refused(reach: str) -> None:
    async with stage(reach) as live:
        stranger = SimulatedBroker(live.transport, account_id="NOBODY")
        with pytest.raises(BrokerAuthenticationError):
            await stranger.connect()


async def test_what_is_prepared_is_the_same_each_time_and_sent_as_it_is(reach: str) -> None:
    async with stage(reach) as live:
        prepared = live.broker.prepare(limit_order())
        assert prepared == live.broker.prepare(limit_order())
        assert json.loads(prepared.payload)["limit_price"] == "150"
        await live.broker.submit(prepared)
        with pytest.raises(DuplicateClientOrderId):
            await live.broker.submit(prepared)
        assert await live.orders_with() == 1


@pytest.mark.parametrize(
    ("capabilities", "fields"),
    [
        ({"order_types": frozenset({OrderType.LIMIT})}, {}),
        ({"times_in_force": frozenset({TimeInForce.GTC})}, {}),
        ({"fractional": False}, {"quantity": D("1.5")}),
        ({"notional": False}, {"quantity": None, "notional": D(100)}),
        ({}, {"account_id": "OTHER"}),
    ],
)
async def test_what_the_broker_cannot_do_is_refused_before_it_is_sent(capabilities: dict[str, Any], fields: Any) -> None:
    async with stage("in_process", capabilities=replace(SIMULATED_CAPABILITIES, **capabilities)) as live:
        with pytest.raises(OrderValidationError):
            live.broker.prepare(market_order().but(**fields))


@pytest.mark.parametrize("support", KeySupport)
def test_the_broker_declares_what_the_venues_keys_are_good_for(support: KeySupport) -> None:
    keys = Keys(support=support, memory_seconds=60, lookup_lag_seconds=3)
    declared = capabilities_of(VenueSettings(keys=keys))
    assert declared.key_support is support
    assert declared.lookup_lag_seconds == 3
    assert declared.key_memory_seconds == (60 if support is KeySupport.UNIQUE else 0)
    assert declared.trusts_absence is (support is not KeySupport.NONE)
    broker = SimulatedBroker(Tcp("127.0.0.1", 1, VirtualClock()), capabilities=declared)
    assert (broker.name, broker.capabilities) == ("simulated", declared)


async def test_a_fill_has_one_execution_id_on_every_path(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, fills=BY_HAND)) as live:
        (accepted,) = await live.submit(limit_order())
        assert isinstance(accepted, Accepted)
        assert accepted.broker_order_id is not None
        await live.control.fill(accepted.broker_order_id, D(4), D(149))
        _, pushed = await live.reports(2)
        assert isinstance(pushed, Execution)
        found = await live.broker.find("K1", None, {})
        assert isinstance(found, OrderSnapshot)
        assert found.executions == (pushed,)
        assert await live.broker.open_orders() == [found]
        assert await live.broker.executions_since(START) == [pushed]
        assert await live.broker.executions_since(START + timedelta(seconds=1)) == []


async def test_a_snapshot_tells_the_whole_order(reach: str) -> None:
    async with stage(reach) as live:
        await live.submit(limit_order())
        found = await live.broker.find("K1", None, {})
        assert found == OrderSnapshot(
            client_order_id="K1",
            broker_order_id="V1",
            occurred_at=START,
            status=BrokerStatus.WORKING,
            quantity=D(10),
            limit_price=D(150),
            symbol="AAPL",
            exchange="NASDAQ",
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            hours=TradingHours.REGULAR,
            native_status="WORKING",
        )


async def test_refusals_name_what_is_wrong(reach: str) -> None:
    accounts = (VenueAccount(cash=D(100), is_limited=True),)
    async with stage(reach, VenueSettings(prices=STILL, accounts=accounts)) as live:
        with pytest.raises(InvalidSymbolError):
            await live.submit(market_order(instrument=Instrument(symbol="NONE", exchange="NYSE")))
        with pytest.raises(InsufficientBalanceError):
            await live.submit(market_order())
        with pytest.raises(OrderValidationError):
            await live.submit(market_order(quantity="0.5"))


async def test_a_rejected_order_is_answered_and_told(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, rejection_probability=1.0)) as live:
        (answer,) = await live.submit(market_order())
        assert isinstance(answer, OrderRejected)
        assert await live.reports(1) == [answer]


async def test_a_cancel_is_done_or_pending_or_too_late(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, cancel_delay_seconds=2)) as live:
        await live.submit(limit_order())
        assert isinstance((await live.cancel())[0], CancelIsPending)
        await live.clock.pass_time(2)
        *_, closed = await live.reports(3)
        assert isinstance(closed, OrderClosed)
        assert closed.cause is CloseCause.REQUESTED
        assert isinstance((await live.cancel())[0], CancelRejected)
        assert isinstance((await live.cancel("NONE"))[0], CancelRejected)
    async with stage(reach) as live:
        await live.submit(limit_order())
        assert isinstance((await live.cancel())[0], OrderClosed)


async def test_a_cancel_that_meets_the_fill_is_refused(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, fills=Fills(delay_seconds=1), cancel_delay_seconds=0.0)) as live:
        await live.submit(market_order())
        await live.clock.pass_time(1)
        assert isinstance((await live.cancel())[0], CancelRejected)


async def test_a_replace_is_done_or_pending_or_refused(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, replace_delay_seconds=2)) as live:
        await live.submit(limit_order())
        assert isinstance((await live.replace(quantity=D(20)))[0], ReplaceIsPending)
        assert isinstance((await live.replace(number=2, quantity=D(30)))[0], ReplaceRejected)
        await live.clock.pass_time(2)
        *_, replaced = await live.reports(3)
        assert isinstance(replaced, OrderReplaced)
        assert replaced.quantity == D(20)
    async with stage(reach) as live:
        await live.submit(limit_order())
        for _ in range(2):
            (answer,) = await live.replace(limit_price=D(160))
            assert isinstance(answer, OrderReplaced)
            assert (answer.quantity, answer.limit_price) == (D(10), D(160))


async def test_requests_name_the_order_by_the_venues_id_where_it_is_known(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, keys=Keys(support=KeySupport.NONE))) as live:
        await live.submit(limit_order())
        change = live.broker.prepare(ReplaceRequest("K1", "V1", "SIM", 1, quantity=D(5)))
        assert isinstance((await live.broker.replace(change))[0], OrderReplaced)
        cancel = live.broker.prepare(CancelRequest("K1", "V1", "SIM"))
        assert isinstance((await live.broker.cancel(cancel))[0], OrderClosed)


async def test_keys_that_cannot_be_asked_for_make_every_find_by_key_inconclusive(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, keys=Keys(support=KeySupport.NONE))) as live:
        await live.submit(limit_order())
        assert await live.broker.find("K1", None, {}) is Absence.INCONCLUSIVE
        assert isinstance(await live.broker.find("K1", "V1", {}), OrderSnapshot)
        assert [order.client_order_id for order in await live.broker.open_orders()] == [None]


async def test_a_new_order_is_missing_from_searches_until_the_lag_has_passed(reach: str) -> None:
    keys = Keys(support=KeySupport.SEARCHABLE, lookup_lag_seconds=3)
    async with stage(reach, VenueSettings(prices=STILL, keys=keys)) as live:
        await live.submit(limit_order())
        assert await live.broker.find("K1", None, {}) is Absence.ABSENT
        assert await live.broker.open_orders() == []
        await live.clock.pass_time(3)
        assert isinstance(await live.broker.find("K1", None, {}), OrderSnapshot)
        assert len(await live.broker.open_orders()) == 1


async def test_orders_and_positions_made_elsewhere_are_listed(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.place("SIM", AAPL.key, Side.SELL, D(3))
        resting = await live.control.place("SIM", AAPL.key, Side.BUY, D(1), D(100))
        (position,) = await live.broker.positions()
        assert (position.instrument, position.quantity, position.average_price) == (AAPL, D(-3), D(200))
        (order,) = await live.broker.open_orders()
        assert (order.client_order_id, order.broker_order_id) == (None, resting)


async def test_what_the_exchange_does_unasked_is_told(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, fills=BY_HAND, reports_commission_apart=True)) as live:
        await live.submit(limit_order())
        await live.control.restate("V1", quantity=D(8), reason="odd lots")
        await live.control.split("V1", D(2))
        await live.control.correct(await live.control.fill("V1", D(4), D(75)), D(4), D(74))
        await live.control.close_order("V1", "DONE_FOR_DAY")
        _, restated, split, fill, commission, _, _, closed = await live.reports(8)
        assert isinstance(restated, OrderRestated)
        assert (restated.quantity, restated.split_ratio) == (D(8), None)
        assert isinstance(split, OrderRestated)
        assert (split.quantity, split.limit_price, split.split_ratio) == (D(16), D(75), D(2))
        assert isinstance(fill, Execution)
        assert fill.commission is None
        assert isinstance(commission, Commission)
        assert isinstance(closed, OrderClosed)
        assert closed.cause is CloseCause.DONE_FOR_DAY


async def test_a_correction_names_all_that_it_stands_for(reach: str) -> None:
    """An answer lists it without those that were corrected, of which one may have been missed."""
    async with stage(reach, VenueSettings(prices=STILL, fills=BY_HAND)) as live:
        await live.submit(limit_order())
        first = await live.control.fill("V1", D(4), D(75))
        second = await live.control.correct(first, D(3), D(75))
        third = await live.control.correct(second, D(2), D(75))
        told = (await live.reports(4))[2:]
        found = await live.broker.find("K1", "V1", {})
        assert isinstance(found, OrderSnapshot)
        assert [(each.corrects, each.supersedes) for each in told if isinstance(each, ExecutionCorrected)] == [
            (first, ()),
            (second, (first,)),
        ]
        assert [(each.execution_id, getattr(each, "supersedes", None)) for each in found.executions] == [(third, (first,))]


async def test_every_order_is_kept_for_the_record(reach: str) -> None:
    async with stage(reach) as live:
        await live.submit(market_order())
        await live.submit(limit_order("K2"))
        assert [order.client_order_id for order in await live.control.orders()] == ["K1", "K2"]
        assert await live.control.orders("another account") == []
        assert await live.control.now() == START
        with pytest.raises(OutcomeUnknown):
            await live.control.bust("X9")


async def test_market_data_is_the_venues_price(reach: str) -> None:
    async with stage(reach) as live:
        market_data = SimulatedMarketData(live.transport)
        await live.control.post_price(AAPL.key, D("201.25"))
        quote = await market_data.latest(AAPL)
        assert quote == Quote(last=Price(D("201.25"), START))
        with pytest.raises(InvalidSymbolError, match="NYSE:NONE is not listed here"):
            await market_data.latest(Instrument(symbol="NONE", exchange="NYSE"))


async def test_many_requests_at_once_each_get_their_own_answer(reach: str) -> None:
    async with stage(reach) as live:
        answers = await asyncio.gather(*[live.submit(market_order(f"K{number}")) for number in range(50)])
        assert [answer[0].client_order_id for answer in answers] == [f"K{number}" for number in range(50)]


async def test_an_order_that_is_due_trades_without_being_asked_about(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL, fills=Fills(delay_seconds=90, max_quantity=D(5)))) as live:
        await live.submit(market_order())
        await live.clock.pass_time(180)
        _, first, second = await live.reports(3)
        assert (first.occurred_at, second.occurred_at) == (START + timedelta(seconds=90), START + timedelta(seconds=180))


async def test_reports_end_when_the_broker_is_closed(reach: str) -> None:
    async with stage(reach) as live:
        await live.broker.close()
        assert await live.rest_of_reports() == []


async def test_nothing_is_sent_to_a_venue_that_is_not_there() -> None:
    broker = SimulatedBroker(Tcp("127.0.0.1", 1, VirtualClock()))
    with pytest.raises(BrokerConnectionError):
        await broker.connect()
    with pytest.raises(BrokerConnectionError):
        await broker.submit(broker.prepare(market_order()))
    assert await broker.find("K1", None, {}) is Absence.INCONCLUSIVE
    assert [report async for report in broker.reports()] == []


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"verb": "find"}',
        '{"verb": "subscribe"}',
        '{"verb": "dance"}',
        '{"verb": "admin.dance"}',
        '{"verb": "submit"}',
    ],
)
async def test_a_request_that_makes_no_sense_is_answered_with_an_error(reach: str, line: str) -> None:
    async with stage(reach) as live:
        assert "error" in await live.transport.ask(line, 5.0)


async def test_a_malformed_fault_is_refused(reach: str) -> None:
    async with stage(reach) as live:
        answer = await live.transport.ask('{"verb": "admin.fault", "fault": {"kind": "earthquake"}}', 5.0)
        assert answer["error"] == "malformed"
        assert issubclass(OutcomeUnknown, BrokerError)
