"""Alpaca's payloads, told through alpaca-py by a server, become our reports: nothing raises, and nothing is dropped unseen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Execution,
    ExecutionBusted,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderReplaced,
    OrderSnapshot,
    OrderTriggered,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.values import OrderType, Side
from tests.unit.alpaca.stage import KEY, Live, event_json, live, order_json

D = Decimal
ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
NEXT = "904837e3-3b76-47ec-b432-046db621571b"


async def told(order: Any) -> OrderSnapshot:
    """What `find` makes of this order."""
    async with live() as here:
        here.twin.say("GET", "/v2/orders:by_client_order_id", 200, order)
        return await here.found()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending_new", BrokerStatus.PENDING),
        ("accepted", BrokerStatus.PENDING),
        ("accepted_for_bidding", BrokerStatus.PENDING),
        ("pending_review", BrokerStatus.PENDING),
        ("held", BrokerStatus.PENDING),
        ("new", BrokerStatus.WORKING),
        ("partially_filled", BrokerStatus.WORKING),
        ("stopped", BrokerStatus.WORKING),
        ("suspended", BrokerStatus.WORKING),
        ("calculated", BrokerStatus.WORKING),
        ("pending_cancel", BrokerStatus.WORKING),
        ("pending_replace", BrokerStatus.WORKING),
        ("filled", BrokerStatus.FILLED),
        ("canceled", BrokerStatus.CANCELLED),
        ("expired", BrokerStatus.EXPIRED),
        ("rejected", BrokerStatus.REJECTED),
        ("replaced", BrokerStatus.UNKNOWN),
        ("quantum_superposed", BrokerStatus.UNKNOWN),
    ],
)
async def test_every_status_is_told_and_an_unknown_one_is_flagged(status: str, expected: BrokerStatus) -> None:
    snapshot = await told(order_json(status=status))
    assert (snapshot.status, snapshot.native_status) == (expected, status)
    assert snapshot.cancel_pending == (status == "pending_cancel")
    assert snapshot.replace_pending == (status == "pending_replace")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "done_for_day", "time_in_force": "gtc"}, BrokerStatus.WORKING),
        ({"status": "done_for_day", "time_in_force": "day"}, BrokerStatus.EXPIRED),
        ({"status": "canceled", "time_in_force": "ioc"}, BrokerStatus.EXPIRED),
        ({"status": "canceled", "time_in_force": "ioc", "cancel_requested_at": "2021-03-16T18:38:01Z"}, BrokerStatus.CANCELLED),
    ],
)
async def test_an_order_that_its_time_in_force_ended_expired(fields: dict[str, str], expected: BrokerStatus) -> None:
    assert (await told(order_json(**fields))).status is expected


async def test_an_order_is_told_with_its_terms() -> None:
    snapshot = await told(order_json(filled_qty="4", filled_avg_price="149.505", status="partially_filled"))
    assert (snapshot.client_order_id, snapshot.broker_order_id, snapshot.symbol) == (KEY, ID, "AAPL")
    assert (snapshot.side, snapshot.order_type) == (Side.BUY, OrderType.LIMIT)
    assert (snapshot.quantity, snapshot.filled_quantity, snapshot.average_price) == (D(10), D(4), D("149.505"))
    assert (snapshot.limit_price, snapshot.stop_price) == (D(150), None)
    assert snapshot.occurred_at == datetime(2021, 3, 16, 22, 38, 1, 942282, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ({"qty": 10, "filled_qty": 4}, "filled_quantity", D(4)),
        ({"qty": "0.123456789"}, "quantity", D("0.123456789")),
        ({"qty": None, "notional": "500"}, "quantity", None),
        ({"qty": None, "notional": "500", "filled_qty": "2.5", "status": "filled"}, "quantity", D("2.5")),
        ({"filled_qty": None}, "filled_quantity", D(0)),
        ({"filled_avg_price": "0"}, "average_price", None),
        ({"filled_avg_price": 149.505}, "average_price", D("149.505")),
        ({"updated_at": None}, "occurred_at", None),
        ({"updated_at": "yesterday"}, "occurred_at", None),
        ({"symbol": "SOLUSD", "asset_class": "crypto"}, "symbol", None),
        ({"symbol": "BTC/USD", "asset_class": "crypto"}, "symbol", "BTC/USD"),
        ({"symbol": "AAPL250321P00200000", "asset_class": "us_option"}, "symbol", "AAPL"),
        ({"symbol": "", "side": "", "type": "", "order_class": "mleg"}, "side", None),
        ({"side": "sell_short"}, "side", Side.SELL),
        ({"type": "iceberg"}, "order_type", None),
        ({"time_in_force": "gtx"}, "status", BrokerStatus.WORKING),
        ({"a_field_of_tomorrow": {"x": 1}}, "status", BrokerStatus.WORKING),
    ],
)
async def test_odd_values_are_read(fields: dict[str, Any], attribute: str, expected: object) -> None:
    assert getattr(await told(order_json(**fields)), attribute) == expected


async def test_an_answer_without_optional_fields_is_read() -> None:
    snapshot = await told({"id": ID, "client_order_id": KEY, "status": "new"})
    assert (snapshot.status, snapshot.quantity, snapshot.filled_quantity) == (BrokerStatus.WORKING, None, D(0))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "accepted"}, Accepted(client_order_id=KEY, broker_order_id=ID, effective_quantity=D(10))),
        ({"status": "pending_new", "qty": None, "notional": "500"}, Accepted(client_order_id=KEY, broker_order_id=ID)),
        ({"status": "who_knows"}, Accepted(client_order_id=KEY, broker_order_id=ID, effective_quantity=D(10))),
    ],
)
async def test_the_answer_to_a_new_order_says_that_it_is_there(fields: dict[str, Any], expected: Accepted) -> None:
    async with live() as here:
        here.twin.say("POST", "/v2/orders", 200, order_json(**fields))
        assert await here.submit() == [expected]


async def test_an_order_that_is_rejected_at_once_is_told_as_rejected() -> None:
    async with live() as here:
        here.twin.say("POST", "/v2/orders", 200, order_json(status="rejected"))
        (rejected,) = await here.submit()
        assert isinstance(rejected, OrderRejected)
        assert rejected.reason


# --- the stream ----------------------------------------------------------------------------------------------------------------


def plain(report: ExecutionReport) -> ExecutionReport:
    """Without its time."""
    assert report.occurred_at == datetime(2021, 3, 16, 18, 38, 2, 123456, tzinfo=UTC)
    fields = {name: getattr(report, name) for name in report.__struct_fields__}
    return type(report)(**fields | {"occurred_at": None})


async def pushed(here: Live, event: dict[str, Any] | str, count: int = 1) -> list[ExecutionReport]:
    await here.twin.updates.push(event)
    return await here.next_reports(count)


NAMED: dict[str, Any] = {"client_order_id": KEY, "broker_order_id": ID}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (event_json("new"), Accepted(**NAMED)),
        (event_json("accepted"), Accepted(**NAMED)),
        (event_json("pending_new"), Accepted(**NAMED)),
        (event_json("stopped"), Accepted(**NAMED)),
        (event_json("suspended"), Accepted(**NAMED)),
        (event_json("calculated"), Accepted(**NAMED)),
        (event_json("held"), Accepted(**NAMED)),
        (event_json("pending_review"), Accepted(**NAMED)),
        (
            event_json("partial_fill", execution_id="e1", quantity="4", price="149.5", filled_qty="4"),
            Execution(**NAMED, execution_id=f"{ID}:4", quantity=D(4), price=D("149.5")),
        ),
        (
            event_json("fill", execution_id="e2", quantity=6, price=149.25, filled_qty="10.0"),
            Execution(**NAMED, execution_id=f"{ID}:10", quantity=D(6), price=D("149.25")),
        ),
        (event_json("canceled", cancel_requested_at="2021-03-16T18:38:01Z"), OrderClosed(**NAMED, cause=CloseCause.REQUESTED)),
        (event_json("canceled", time_in_force="fok"), OrderClosed(**NAMED, cause=CloseCause.EXPIRED)),
        (event_json("canceled"), OrderClosed(**NAMED, cause=CloseCause.BY_BROKER)),
        (event_json("expired"), OrderClosed(**NAMED, cause=CloseCause.EXPIRED)),
        (event_json("done_for_day"), OrderClosed(**NAMED, cause=CloseCause.DONE_FOR_DAY)),
        (event_json("rejected"), OrderRejected(**NAMED, reason="rejected by Alpaca, which does not say why")),
        (event_json("pending_cancel"), CancelIsPending(**NAMED)),
        (event_json("pending_replace"), ReplaceIsPending(**NAMED)),
        (event_json("order_cancel_rejected"), CancelRejected(**NAMED, reason="alpaca: order_cancel_rejected")),
        (event_json("order_replace_rejected"), ReplaceRejected(**NAMED, reason="alpaca: order_replace_rejected")),
        (
            event_json("replaced", status="replaced", replaced_by=NEXT),
            OrderReplaced(client_order_id=KEY, broker_order_id=NEXT),
        ),
        (
            event_json("new", id=NEXT, replaces=ID, client_order_id=f"{KEY}-r1"),
            Accepted(client_order_id=KEY, broker_order_id=NEXT),
        ),
        (
            event_json("fill", id=NEXT, replaces=ID, client_order_id="by-hand", quantity="1", price="1", filled_qty="1"),
            Execution(client_order_id=None, broker_order_id=NEXT, execution_id=f"{NEXT}:1", quantity=D(1), price=D(1)),
        ),
    ],
)
async def test_each_event_is_a_report(event: dict[str, Any], expected: ExecutionReport) -> None:
    async with live() as here:
        (report,) = await pushed(here, event)
        assert plain(report) == expected


async def test_a_rejected_replacement_leaves_the_order_as_it_was() -> None:
    async with live() as here:
        (report,) = await pushed(here, event_json("rejected", id=NEXT, replaces=ID, client_order_id=f"{KEY}-r1"))
        assert report == ReplaceRejected(client_order_id=KEY, reason="alpaca: rejected")


async def test_an_order_for_an_amount_learns_its_quantity_when_it_is_filled() -> None:
    async with live() as here:
        event = event_json("fill", qty=None, notional="500", quantity="2.5", price="200", filled_qty="2.5")
        accepted, execution = await pushed(here, event, 2)
        assert plain(accepted) == Accepted(**NAMED, effective_quantity=D("2.5"))
        assert isinstance(execution, Execution)


@pytest.mark.parametrize(
    "event",
    [
        event_json("nobody_knows_this", filled_qty="3", filled_avg_price="149"),
        event_json("replaced", filled_qty="3", filled_avg_price="149"),
        event_json("trade_bust", previous_execution_id="never-told", filled_qty="3", filled_avg_price="149"),
        event_json("trade_correct", previous_execution_id="never-told", filled_qty="3", filled_avg_price="149"),
    ],
)
async def test_an_event_that_cannot_be_placed_is_an_unknown_state_with_its_totals(event: dict[str, Any]) -> None:
    async with live() as here:
        (report,) = await pushed(here, event)
        assert isinstance(report, OrderSnapshot)
        assert (report.status, report.native_status) == (BrokerStatus.UNKNOWN, event["event"])
        assert (report.client_order_id, report.filled_quantity, report.limit_price) == (KEY, D(3), None)


async def test_a_stop_that_is_restated_was_triggered() -> None:
    async with live() as here:
        triggered, snapshot = await pushed(here, event_json("restated", type="stop", limit_price=None, stop_price="160"), 2)
        assert plain(triggered) == OrderTriggered(**NAMED)
        assert isinstance(snapshot, OrderSnapshot)
        assert snapshot.stop_price == 160


async def test_busts_and_corrections_name_the_fill_by_our_id() -> None:
    async with live() as here:
        await pushed(here, event_json("partial_fill", execution_id="e1", quantity="4", price="149", filled_qty="4"))
        (corrected,) = await pushed(
            here,
            event_json("trade_correct", execution_id="e2", previous_execution_id="e1", quantity="3", price="149", filled_qty="3"),
        )
        assert isinstance(corrected, ExecutionCorrected)
        assert (corrected.corrects, corrected.execution_id) == (f"{ID}:4", f"{ID}:4:e2")
        (busted,) = await pushed(here, event_json("trade_bust", execution_id="e3", previous_execution_id="e2", filled_qty="0"))
        assert isinstance(busted, ExecutionBusted)
        assert busted.execution_id == f"{ID}:4:e2"


@pytest.mark.parametrize(
    "event",
    [
        {"event": "fill"},
        {"order": order_json()},
        event_json("fill", quantity="much", price="1", filled_qty="1"),
        event_json("fill", filled_qty="1"),
        {"event": "new", "order": None},
        {"event": ["new"], "order": order_json()} | {"order": order_json(client_order_id=7, replaces="x")},
        {"event": None, "order": []},
    ],
)
async def test_an_event_that_cannot_be_read_is_logged_and_the_next_is_told(event: dict[str, Any]) -> None:
    async with live() as here:
        await here.twin.updates.push(event)
        (report,) = await pushed(here, event_json("new"))
        assert isinstance(report, Accepted)
        (line,) = here.log.written
        assert line.startswith("WARNING")


@pytest.mark.parametrize(
    "noise",
    [
        "",
        "not json",
        "[]",
        "3",
        "{}",
        '{"stream": "listening"}',
        '{"stream": "trade_updates", "data": null}',
        '{"stream": "trade_updates", "data": [1]}',
    ],
)
async def test_noise_on_the_stream_ends_nothing(noise: str) -> None:
    async with live() as here:
        await here.twin.updates.push(noise)
        (report,) = await pushed(here, event_json("new"))
        assert isinstance(report, Accepted)


async def test_text_frames_are_read_as_binary_ones_are() -> None:
    async with live() as here:
        here.twin.updates.binary = False
        (report,) = await pushed(here, event_json("new"))
        assert isinstance(report, Accepted)
