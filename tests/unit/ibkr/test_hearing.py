"""TWS's messages, read by the client library itself, in our reports: odd values, unknown words, corrections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from liveorder.domain.events import Event
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Commission,
    Execution,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderSnapshot,
)
from liveorder.domain.order.reception import apply_report
from liveorder.infrastructure.brokers.ibkr import translation
from liveorder.infrastructure.brokers.ibkr.executions import corrected_by
from liveorder.infrastructure.brokers.ibkr.known_orders import OrderIds
from liveorder.infrastructure.brokers.ibkr.rows import number
from liveorder.infrastructure.brokers.ibkr.session import TwsAddress, TwsSession
from liveorder.infrastructure.brokers.ibkr.times import Times
from tests.builders import ACKNOWLEDGED, SENT, order_of
from tests.twins.ibkr import wire
from tests.unit.ibkr.quiet_log import QuietLog

IDS = {"orderId": "5", "clientId": "1", "permId": "1700000001"}
CONTRACT = {"conId": "265598", "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
ORDER = {"action": "BUY", "totalQuantity": "10", "orderType": "LMT", "lmtPrice": "180.5", "tif": "DAY", "orderRef": "KEY1"}
FILL = {
    "execId": "0000e0d5.6c1f2a3b.01.01",
    "time": "20260302 10:00:00 America/New_York",
    "account": "DU1",
    "side": "BOT",
    "shares": "4",
    "price": "180.25",
    "cumQty": "4",
    "avgPrice": "180.25",
    "orderRef": "KEY1",
}
NAMED: dict[str, Any] = {"client_order_id": "KEY1", "broker_order_id": "1700000001"}


class Ear:
    """A session that is connected to nobody, and is told everything here."""

    def __init__(self) -> None:
        self.log = QuietLog()
        times = Times("America/New_York", self.log)
        self.session = TwsSession(TwsAddress("127.0.0.1", 1, 1, "America/New_York"), OrderIds(), times, 1.0)
        self._decoder: Any = self.session._ib.client.decoder
        self._decoder.serverVersion = wire.SERVER_VERSION

    def hears(self, *messages: Iterable[Any]) -> list[ExecutionReport]:
        """What is told because of these."""
        for message in messages:
            self._decoder.interpret([str(field) for field in message])
        queue = self.session.hearing.feed._reports
        return [report for report in (queue.get_nowait() for _ in range(queue.qsize())) if report is not None]


@pytest.fixture
def ear() -> Ear:
    return Ear()


def opened(status: str = "Submitted", ids: dict[str, str] = IDS, **order: str) -> list[str]:
    return wire.open_order(ids, CONTRACT, ORDER | order, status)


def status(text: str, filled: str = "0", average: str = "0") -> list[str]:
    return wire.order_status(IDS, text, filled, "10", average)


def fill(**changes: str) -> list[str]:
    return wire.execution(-1, IDS, CONTRACT, FILL | changes)


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ("ApiPending", BrokerStatus.PENDING),
        ("PendingSubmit", BrokerStatus.PENDING),
        ("PreSubmitted", BrokerStatus.WORKING),
        ("Submitted", BrokerStatus.WORKING),
        ("PendingCancel", BrokerStatus.WORKING),
        ("Filled", BrokerStatus.FILLED),
        ("Cancelled", BrokerStatus.CANCELLED),
        ("ApiCancelled", BrokerStatus.CANCELLED),
        ("Inactive", BrokerStatus.UNKNOWN),
        ("ValidationError", BrokerStatus.UNKNOWN),
        ("ApiUpdate", BrokerStatus.UNKNOWN),
        ("Transmogrified", BrokerStatus.UNKNOWN),
    ],
)
def test_each_status_is_folded_and_an_unknown_one_is_flagged(ear: Ear, native: str, expected: BrokerStatus) -> None:
    (report,) = ear.hears(opened(native))
    (row,) = ear.session.hearing.orders._rows.values()
    told = translation.snapshot(row, ())
    assert (told.status, told.native_status, told.client_order_id) == (expected, native, "KEY1")
    if expected is BrokerStatus.UNKNOWN:
        assert isinstance(report, OrderSnapshot)
        assert (report.status, report.native_status) == (BrokerStatus.UNKNOWN, native)


def test_an_order_is_told_with_its_terms(ear: Ear) -> None:
    ear.hears(opened(), status("Submitted", "4", "180.25"))
    (row,) = ear.session.hearing.orders._rows.values()
    told = translation.snapshot(row, ())
    assert (told.quantity, told.limit_price, told.stop_price) == (Decimal(10), Decimal("180.5"), None)
    assert (told.filled_quantity, told.average_price, told.symbol) == (Decimal(4), Decimal("180.25"), "AAPL")


def test_untold_numbers_stay_untold(ear: Ear) -> None:
    """Of a market order TWS tells a limit of 0, and the largest double for the rest."""
    ear.hears(opened(orderType="MKT", lmtPrice="0.0", auxPrice=wire.UNSET, totalQuantity="0", cashQty="1000"))
    (row,) = ear.session.hearing.orders._rows.values()
    told = translation.snapshot(row, ())
    assert (told.quantity, told.limit_price, told.stop_price, told.average_price) == (None, None, None, None)


@pytest.mark.parametrize("value", [None, "", 1.7976931348623157e308, float("inf"), float("nan"), 2**31 - 1])
def test_what_stands_for_no_number_is_none(value: Any) -> None:
    assert number(value) is None


def test_numbers_are_the_text_that_was_sent() -> None:
    told = [f"{number(float(text)):f}" for text in ("180.25", "4", "0.00000001", "100000000", "0.1", "-37.63")]
    assert told == ["180.25", "4", "0.00000001", "100000000", "0.1", "-37.63"]


def test_a_status_change_is_told_once(ear: Ear) -> None:
    assert ear.hears(opened("PreSubmitted"), status("PreSubmitted"), status("PreSubmitted")) == [Accepted(**NAMED)]
    assert ear.hears(status("Submitted"), status("Submitted")) == [Accepted(**NAMED)]
    assert ear.hears(status("PendingCancel")) == [CancelIsPending(**NAMED)]


def test_a_status_that_tells_a_fill_is_no_fill(ear: Ear) -> None:
    """The execution tells it: booked from both it would count twice."""
    ear.hears(opened())
    assert all(isinstance(each, Accepted) for each in ear.hears(status("Filled", "10", "180.5")))


def test_a_status_of_an_order_that_was_never_told_of_is_dropped_quietly(ear: Ear) -> None:
    assert ear.hears(status("Submitted"), wire.order_status(IDS | {"orderId": "0"}, "Submitted", "0", "1", "0")) == []


def test_an_order_by_hand_has_no_order_id_and_is_told_by_its_permanent_one(ear: Ear) -> None:
    by_hand = {"orderId": "0", "clientId": "0", "permId": "42"}
    reports = ear.hears(wire.open_order(by_hand, CONTRACT, ORDER | {"orderRef": ""}, "Submitted"))
    assert reports == [Accepted(client_order_id=None, broker_order_id="42")]
    assert ear.hears(wire.order_status(by_hand | {"orderId": "-3"}, "Cancelled", "0", "10", "0")) == [
        OrderClosed(client_order_id=None, broker_order_id="42", cause=CloseCause.BY_BROKER)
    ]


def test_a_fill_is_told_with_its_id_time_and_price(ear: Ear) -> None:
    (report,) = ear.hears(fill())
    assert report == Execution(
        **NAMED,
        occurred_at=datetime(2026, 3, 2, 15, tzinfo=UTC),
        execution_id="0000e0d5.6c1f2a3b.01.01",
        quantity=Decimal(4),
        price=Decimal("180.25"),
    )


@pytest.mark.parametrize(
    "told",
    [
        "20260302-15:00:00",
        "20260302  10:00:00",
        "20260302 10:00:00",
        "2026-03-02 10:00:00.0",
        "20260302 10:00:00 US/Eastern",
        "20260302 10:00:00 EST",
        "20260302 16:00:00 MEZ",
        "20260302 23:00:00 China Standard Time",
        "20260302 15:00:00 UTC",
        "1772463600",
    ],
)
def test_times_come_in_many_forms(ear: Ear, told: str) -> None:
    """With a dash between date and time it is UTC; without a zone it is the login's."""
    (report,) = ear.hears(fill(time=told))
    assert report.occurred_at == datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert not ear.log.lines


@pytest.mark.parametrize(
    "told", ["20260302 10:00:00 Middle-earth/Shire", "20260302 10:00:00 ../x", "20260399 10:00:00", "soon", ""]
)
def test_a_fill_whose_time_cannot_be_read_is_booked_without_one(ear: Ear, told: str) -> None:
    (report,) = ear.hears(fill(time=told), fill(time=told))
    (second,) = ear.hears(fill(time=told, execId="0000e0d5.6c1f2a3b.02.01"))
    (commission,) = ear.hears(wire.commission("0000e0d5.6c1f2a3b.01.01", "1.05", "USD"))
    assert (report.occurred_at, second.occurred_at, ear.session.undecoded.count) == (None, None, 0)
    assert isinstance(commission, Commission)
    (line,) = ear.log.lines
    assert "booked without" in line


def test_a_fill_that_comes_twice_is_told_once(ear: Ear) -> None:
    assert len(ear.hears(fill(), fill(), wire.execution(7, IDS, CONTRACT, FILL))) == 1


def test_a_correction_names_what_it_corrects(ear: Ear) -> None:
    ear.hears(fill())
    (report,) = ear.hears(fill(execId="0000e0d5.6c1f2a3b.01.02", shares="3"))
    assert isinstance(report, ExecutionCorrected)
    assert (report.execution_id, report.corrects) == ("0000e0d5.6c1f2a3b.01.02", "0000e0d5.6c1f2a3b.01.01")
    assert report.quantity == Decimal(3)


def test_a_correction_is_one_also_where_its_fill_was_never_told(ear: Ear) -> None:
    (report,) = ear.hears(fill(execId="0000e0d5.6c1f2a3b.01.03"))
    assert isinstance(report, ExecutionCorrected)
    assert (report.corrects, report.supersedes) == ("0000e0d5.6c1f2a3b.01.02", ("0000e0d5.6c1f2a3b.01.01",))


def test_a_correction_to_nothing_takes_the_fill_back(ear: Ear) -> None:
    """As a correction: another may follow, and give some of it again."""
    ear.hears(fill())
    (report,) = ear.hears(fill(execId="0000e0d5.6c1f2a3b.01.02", shares="0"))
    assert isinstance(report, ExecutionCorrected)
    assert (report.corrects, report.quantity) == ("0000e0d5.6c1f2a3b.01.01", Decimal(0))
    assert ear.session.hearing.executions.effective(ear.session.hearing.executions) == (report,)


def test_the_fills_that_count_are_the_latest_of_each(ear: Ear) -> None:
    """Also where the correction came first."""
    ear.hears(opened(), fill(execId="A.01.02", shares="3"), fill(execId="A.01.01"), fill(execId="B.01.01", shares="5"))
    (row,) = ear.session.hearing.orders._rows.values()
    counted = ear.session.hearing.executions.effective_of(row)
    assert sorted((each.execution_id, each.quantity) for each in counted) == [("A.01.02", Decimal(3)), ("B.01.01", Decimal(5))]


@pytest.mark.parametrize(
    ("execution_id", "corrected"),
    [
        ("A.01.01", ()),
        ("A.01.02", ("A.01.01",)),
        ("A.01.04", ("A.01.03", "A.01.02", "A.01.01")),
        ("A.01.11", tuple(f"A.01.{revision:02d}" for revision in range(10, 0, -1))),
        ("A.01.00", ()),
        ("A", ()),
        ("07", ()),
        ("A.", ()),
        ("A.x", ()),
        ("A.3", ()),
        ("A.20260302", ()),
        ("A.\u0661\u0662", ()),
        ("", ()),
    ],
)
def test_the_last_two_digits_say_what_a_correction_corrects(execution_id: str, corrected: tuple[str, ...]) -> None:
    assert corrected_by(execution_id) == corrected


REVISIONS = {"01": ("4", "10:00:00"), "02": ("6", "10:00:09"), "03": ("5", "")}
"""Shares and time of each: a fill was four, then six, and in truth five."""


def revisions(told: Iterable[str]) -> list[ExecutionReport]:
    """What a connection makes of these."""
    rows = [(f"0000e0d5.6c1f2a3b.01.{each}", *REVISIONS[each]) for each in told]
    return Ear().hears(*(fill(execId=name, shares=shares, time=f"20260302 {time}".strip()) for name, shares, time in rows))


@pytest.mark.parametrize("before", [(), ("01",), ("02",), ("01", "02"), ("02", "01"), ("03",)])
@pytest.mark.parametrize("missed", [(), ("02",), ("01",), ("01", "02")])
def test_a_fill_counts_once_whichever_of_its_revisions_come_in_whichever_order(
    before: tuple[str, ...], missed: tuple[str, ...]
) -> None:
    """`before` came in an earlier run, of which only events are left. TWS tells the rest, and tells it again."""
    for told in permutations(set(REVISIONS) - {*missed}):
        events: list[Event] = [SENT, ACKNOWLEDGED]
        for report in (*revisions(before), *revisions((*told, *told))):
            events += apply_report(order_of(*events), report)
        executions = order_of(*events).executions
        assert [each.quantity for each in executions.effective()] == [Decimal(5)]
        assert executions.totals.quantity == Decimal(5)


@pytest.mark.parametrize("missed", [(), ("02",)])
def test_a_fill_that_was_taken_back_and_then_given_again_counts(missed: tuple[str, ...]) -> None:
    name = "0000e0d5.6c1f2a3b.01"
    shares = {"01": "4", "02": "0", "03": "3", "04": "0"}
    for last, expected in (("03", 3), ("04", 0)):
        events: list[Event] = [SENT, ACKNOWLEDGED]
        for revision in (each for each in shares if each <= last and each not in missed):
            (report,) = Ear().hears(fill(execId=f"{name}.{revision}", shares=shares[revision]))
            events += apply_report(order_of(*events), report)
        assert order_of(*events).filled_quantity == expected


def test_a_commission_is_told_when_it_comes_and_once(ear: Ear) -> None:
    ear.hears(fill())
    told = wire.commission("0000e0d5.6c1f2a3b.01.01", "1.05", "USD")
    (report,) = ear.hears(told, told)
    assert isinstance(report, Commission)
    assert (report.commission, report.client_order_id) == (Decimal("1.05"), "KEY1")


def test_a_commission_before_its_fill_is_told_with_it(ear: Ear) -> None:
    (report,) = ear.hears(wire.commission("0000e0d5.6c1f2a3b.01.01", "1.05", "USD"), fill())
    assert isinstance(report, Execution)
    assert report.commission == Decimal("1.05")


def test_a_commission_of_no_amount_is_not_known(ear: Ear) -> None:
    ear.hears(fill())
    assert ear.hears(wire.commission("0000e0d5.6c1f2a3b.01.01", wire.UNSET, "USD")) == []


@pytest.mark.parametrize(("currency", "told"), [("USD", None), ("", None), ("EUR", "EUR")])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_commission_is_told_with_its_currency_where_that_is_not_the_contracts(
    ear: Ear, currency: str, told: str | None, is_first: bool
) -> None:
    charged, filled = wire.commission("0000e0d5.6c1f2a3b.01.01", "0.85", currency), fill()
    report = ear.hears(*((charged, filled) if is_first else (filled, charged)))[-1]
    assert isinstance(report, Execution if is_first else Commission)
    assert (report.commission, report.commission_currency) == (Decimal("0.85"), told)


def test_a_cancelled_status_closes_with_the_reason_that_was_said(ear: Ear) -> None:
    ear.hears(opened())
    assert ear.hears(wire.error(5, 202, "Order Canceled - reason:End of day")) == []
    (report,) = ear.hears(status("Cancelled"))
    assert isinstance(report, OrderClosed)
    assert report.reason == "Order Canceled - reason:End of day"


def test_an_error_of_a_live_order_does_not_end_it(ear: Ear) -> None:
    """The libraries call such an order cancelled: 10349 and 10147 are said of orders that go on."""
    ear.hears(opened())
    assert ear.hears(wire.error(5, 10349, "Order TIF was set to DAY based on order preset.")) == []
    assert ear.hears(wire.error(5, 399, "Order will be held until the open")) == []
    (refused,) = ear.hears(wire.error(5, 10147, "OrderId 5 that needs to be cancelled is not found."))
    assert isinstance(refused, CancelRejected)
    (unknown,) = ear.hears(wire.error(5, 10999, "nobody has heard of this"))
    assert isinstance(unknown, OrderSnapshot)
    assert (unknown.status, unknown.native_status) == (BrokerStatus.UNKNOWN, "TWS 10999: nobody has heard of this")


def test_a_late_rejection_rejects(ear: Ear) -> None:
    ear.hears(opened("PreSubmitted"))
    (report,) = ear.hears(wire.error(5, 201, "Order rejected - reason:No trading permissions."))
    assert report == OrderRejected(**NAMED, reason="TWS 201: Order rejected - reason:No trading permissions.")


def test_a_late_refusal_of_a_change_leaves_the_order(ear: Ear) -> None:
    """It may be the order's or the change's: it is asked about. A stop-loss that stands must not be taken for rejected."""
    ear.hears(opened())
    known = ear.session.hearing.orders.get((1, 5))
    assert known is not None
    ear.session.hearing.sends(known)
    (report,) = ear.hears(wire.error(5, 201, "Order rejected - reason:The new quantity would exceed your margin"))
    assert isinstance(report, OrderSnapshot)
    assert report.status is BrokerStatus.UNKNOWN


def test_errors_of_nobodys_orders_are_none_of_ours(ear: Ear) -> None:
    assert ear.hears(wire.error(77, 201, "Order rejected"), wire.error(-1, 2104, "Market data farm connection is OK")) == []


@pytest.mark.parametrize("message", [wire.GARBLED, ["11", "1"], ["3", "x"], ["101"], ["no such message"]])
def test_a_message_that_the_library_cannot_read_is_counted(ear: Ear, message: list[str]) -> None:
    assert ear.hears(message) == []
    assert ear.session.undecoded.count == 1


def test_other_accounts_of_the_login_are_not_told(ear: Ear) -> None:
    ear.session.hearing.account = "DU2"
    assert ear.hears(fill(), opened(account="DU1")) == []


def test_order_ids_go_on_above_all_that_were_told(ear: Ear) -> None:
    ear.hears(["9", "1", "12"], opened(ids=IDS | {"orderId": "40"}))
    assert ear.session.take_order_id() == 41
