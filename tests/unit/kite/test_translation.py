"""Kite's rows, with everything that is odd about them, become reports: nothing raises, nothing unknown goes unseen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CloseCause,
    Execution,
    OrderClosed,
    OrderRejected,
    OrderSnapshot,
    ReplaceIsPending,
)
from liveorder.domain.values import OrderType, Product, Side
from liveorder.infrastructure.brokers.kite.translation import execution_of, is_open, news_of, snapshot_of
from tests.unit.kite.canned import broker_on, success
from tests.unit.kite.stage import KEY, order_row, trade_row

D = Decimal


def test_a_row_tells_the_whole_order() -> None:
    assert snapshot_of(order_row(), [trade_row()]) == OrderSnapshot(
        client_order_id=KEY,
        broker_order_id="1912345678901234567",
        occurred_at=datetime(2026, 11, 20, 3, 46, 40, tzinfo=UTC),
        status=BrokerStatus.FILLED,
        filled_quantity=D(10),
        average_price=D("1400.05"),
        quantity=D(10),
        limit_price=D("1400.05"),
        symbol="RELIANCE",
        exchange="NSE",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        product=Product.CNC,
        executions=(execution_of(trade_row(), KEY),),
        native_status="COMPLETE",
    )


def test_an_execution_is_known_by_exchange_trade_and_order() -> None:
    assert execution_of(trade_row(), KEY) == Execution(
        client_order_id=KEY,
        broker_order_id="1912345678901234567",
        occurred_at=datetime(2026, 11, 20, 3, 46, 40, tzinfo=UTC),
        execution_id="NSE:70123456:1912345678901234567",
        quantity=D(10),
        price=D("1400.05"),
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PUT ORDER REQ RECEIVED", BrokerStatus.PENDING),
        ("PUT ORDER REQUEST RECEIVED", BrokerStatus.PENDING),
        ("AMO REQ RECEIVED", BrokerStatus.PENDING),
        ("VALIDATION PENDING", BrokerStatus.PENDING),
        ("OPEN PENDING", BrokerStatus.PENDING),
        ("OPEN", BrokerStatus.WORKING),
        ("TRIGGER PENDING", BrokerStatus.WORKING),
        ("MODIFY VALIDATION PENDING", BrokerStatus.WORKING),
        ("MODIFY PENDING", BrokerStatus.WORKING),
        ("MODIFIED", BrokerStatus.WORKING),
        ("CANCEL PENDING", BrokerStatus.WORKING),
        ("UPDATE", BrokerStatus.WORKING),
        ("COMPLETE", BrokerStatus.FILLED),
        ("REJECTED", BrokerStatus.REJECTED),
        ("CANCELLED", BrokerStatus.CANCELLED),
        ("SOMETHING NEW", BrokerStatus.UNKNOWN),
        (None, BrokerStatus.UNKNOWN),
    ],
)
def test_every_status_is_folded_and_an_unknown_one_is_flagged(word: str | None, status: BrokerStatus) -> None:
    row = order_row(status=word, filled_quantity=0)
    found = snapshot_of(row)
    assert (found.status, found.native_status) == (status, word or "")
    assert found.cancel_pending is (word == "CANCEL PENDING")
    assert found.replace_pending is (word in ("MODIFY VALIDATION PENDING", "MODIFY PENDING"))
    assert is_open(row) is (word not in ("COMPLETE", "REJECTED", "CANCELLED"))


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"order_id": 1912345678901234567}, "broker_order_id", "1912345678901234567"),
        ({"order_type": "MARKET", "price": 0}, "limit_price", None),
        ({"order_type": "MARKET", "price": D("1400.05")}, "limit_price", None),
        ({"order_type": "SL", "trigger_price": D("1399.95")}, "stop_price", D("1399.95")),
        ({"order_type": "SL-M", "trigger_price": D("1399.95"), "price": 0}, "order_type", OrderType.STOP),
        ({"order_type": "SOMETHING"}, "order_type", None),
        ({"transaction_type": "SOMETHING"}, "side", None),
        ({"filled_quantity": 0, "average_price": 0}, "average_price", None),
        ({"filled_quantity": None}, "filled_quantity", D(0)),
        ({"status": "CANCELLED", "filled_quantity": 4, "pending_quantity": 6}, "filled_quantity", D(4)),
        ({"order_timestamp": None, "exchange_update_timestamp": None, "exchange_timestamp": None}, "occurred_at", None),
        ({"exchange_update_timestamp": "0001-01-01 00:00:00"}, "occurred_at", datetime(2026, 11, 20, 3, 46, 39, tzinfo=UTC)),
        ({"guid": None, "meta": None, "placed_by": None}, "client_order_id", KEY),
        ({"tag": f" {KEY} ", "tags": None}, "client_order_id", KEY),
        ({"tag": None, "tags": ["kc-app", KEY]}, "client_order_id", KEY),
        ({"tag": "my strategy", "tags": ["my strategy"]}, "client_order_id", None),
        ({"tag": None, "tags": None}, "client_order_id", None),
        ({"tag": KEY, "tags": [KEY, "ANOTHERKEYOFALENGTH2"]}, "client_order_id", None),
    ],
)
def test_odd_values_are_read(changes: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(snapshot_of(order_row(**changes)), field) == expected


def test_a_rejected_row_without_anything_of_the_exchange_is_read() -> None:
    nothing = dict.fromkeys(("exchange_order_id", "exchange_timestamp", "exchange_update_timestamp", "guid", "average_price"))
    row = order_row(status="REJECTED", status_message="Insufficient funds. Required margin is 1.", filled_quantity=0, **nothing)
    found = snapshot_of(row)
    assert (found.status, found.reason) == (BrokerStatus.REJECTED, "Insufficient funds. Required margin is 1.")
    assert found.occurred_at == datetime(2026, 11, 20, 3, 46, 39, tzinfo=UTC)


def test_a_row_without_tags_is_read() -> None:
    row = order_row(tag=None)
    del row["tags"]
    assert snapshot_of(row).client_order_id is None


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"exchange_timestamp": None}, datetime(2026, 11, 20, 3, 46, 40, tzinfo=UTC)),
        ({"exchange_timestamp": None, "fill_timestamp": None}, None),
        ({"exchange_timestamp": "2026-11-20T09:16:40+05:30"}, datetime(2026, 11, 20, 3, 46, 40, tzinfo=UTC)),
    ],
)
def test_times_are_indian_and_a_bare_time_of_day_is_none(changes: dict[str, Any], at: datetime | None) -> None:
    assert execution_of(trade_row(**changes)).occurred_at == at


@pytest.mark.parametrize(
    "changes", [{"quantity": 1.5}, {"average_price": float("nan")}, {"quantity": None}, {"order_id": D("1.9E18")}]
)
def test_what_is_not_exact_is_not_guessed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        execution_of(trade_row(**changes))


# --- what a wake-up brings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("OPEN", [Accepted]),
        ("COMPLETE", [Accepted, Execution]),
        ("CANCEL PENDING", [Accepted, CancelIsPending]),
        ("MODIFY PENDING", [Accepted, ReplaceIsPending]),
        ("REJECTED", [OrderRejected]),
        ("CANCELLED", [Execution, OrderClosed]),
        ("SOMETHING NEW", [OrderSnapshot]),
    ],
)
def test_a_wake_up_brings_reports_that_may_come_late_or_twice(word: str, kinds: list[type]) -> None:
    news = news_of(order_row(status=word), [trade_row()] if Execution in kinds else [])
    assert [type(report) for report in news] == kinds
    assert {report.client_order_id for report in news} == {KEY}
    assert {report.broker_order_id for report in news} == {"1912345678901234567"}
    assert all(report.cause is CloseCause.BY_BROKER for report in news if isinstance(report, OrderClosed))


# --- through the client's own parsing ------------------------------------------------------------------------------------------

ROW = """{"order_id": "1912345678901234567", "status": "OPEN", "order_timestamp": "2026-11-20 09:16:39", "exchange_timestamp": null,
"exchange": "NSE", "tradingsymbol": "RELIANCE", "order_type": "LIMIT", "transaction_type": "BUY", "quantity": 10,
"price": 1400.05, "trigger_price": 0, "average_price": 1400.0500000000002, "filled_quantity": 3, "pending_quantity": 7,
"tag": "LIVEORDERKEYOFATESTX", "guid": null, "a field that is new": {"with": [1, 2]}}"""
TRADE = """{"trade_id": "70123456", "order_id": "1912345678901234567", "exchange": "NSE", "average_price": 1400.05, "quantity": 3,
"order_timestamp": "09:16:40", "fill_timestamp": "2026-11-20 09:16:40", "exchange_timestamp": "0000-00-00 00:00:00"}"""


async def test_numbers_keep_the_digits_that_were_sent_and_no_odd_time_loses_a_list() -> None:
    canned = broker_on({"/orders": success(f"[{ROW}]"), "/trades": success(f"[{TRADE}]")})
    (found,) = await canned.broker.open_orders()
    assert (found.limit_price, found.average_price) == (D("1400.05"), D("1400.0500000000002"))
    (execution,) = found.executions
    assert (execution.price, execution.quantity) == (D("1400.05"), D(3))
    assert execution.occurred_at == datetime(2026, 11, 20, 3, 46, 40, tzinfo=UTC)
    assert await canned.broker.executions_since(datetime(2026, 11, 20, 3, 46, 40, 500000, tzinfo=UTC)) == [execution]
    assert await canned.broker.executions_since(datetime(2026, 11, 20, 3, 46, 41, tzinfo=UTC)) == []
