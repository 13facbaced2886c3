"""Any report on any order: never an error, only events that apply, and nothing new when it is told again."""

from decimal import Decimal
from itertools import product

import pytest

from liveorder.domain import execution_report as r
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import RequestKind
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import TimeInForce
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    KEY,
    REFUSED,
    REJECTED,
    SENT,
    acknowledged,
    bust,
    cancel_request,
    cancelled,
    correction,
    fill,
    intent,
    order_of,
    replace_request,
    submission,
    then,
    unknown,
)

INTENTS = {
    "market": intent(),
    "good till cancelled": intent(time_in_force=TimeInForce.GTC, order_type="STOP_LIMIT", limit_price=Decimal(10), stop_price=9),
    "cash": intent(notional=Decimal(1000)),
}
WORKING = (SENT, ACKNOWLEDGED)
CANCELLING = (*WORKING, cancel_request())
REPLACING = (*WORKING, replace_request(1, "80"))
STRAY = (SENT, FAILED, cancelled(), ACKNOWLEDGED, ev.ReviewRequested(code="acknowledged_after_close", message=""))
STAGES: dict[str, tuple[Event, ...]] = {
    "pending": (),
    "submitted": (SENT,),
    "failed": (SENT, FAILED),
    "doubted": (SENT, unknown(f"{KEY}-s1")),
    "doubted again": (SENT, FAILED, submission(2), unknown(f"{KEY}-s2")),
    "working": WORKING,
    "working without an id": (SENT, ev.Acknowledged(broker_order_id=None)),
    "learned": (SENT, acknowledged("100")),
    "cancel open": CANCELLING,
    "cancel pending": (*CANCELLING, ev.CancelPending()),
    "cancel doubted": (*CANCELLING, unknown(f"{KEY}-c1", RequestKind.CANCEL)),
    "cancel before the acknowledgement": (SENT, cancel_request()),
    "replace open": REPLACING,
    "replace pending": (*REPLACING, ev.ReplacePending()),
    "replace doubted": (*REPLACING, unknown(f"{KEY}-r1", RequestKind.REPLACE)),
    "replaced": (*REPLACING, ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(80))),
    "both open": (*REPLACING, cancel_request()),
    "stray": STRAY,
    "stray being cancelled": (*STRAY, cancel_request()),
    "split": (*WORKING, fill("s", 10), ev.Restated(split_ratio=Decimal("0.3333333333"))),
}
FILLS: dict[str, tuple[Event, ...]] = {
    "no fills": (),
    "part": (fill("a", 40),),
    "inferred": (ev.FillInferred(execution_id="inferred-1", quantity=Decimal(40), price=Decimal(10), evidence=""),),
    "complete": (fill("a", 40), fill("b", 60)),
    "over": (fill("a", 40), fill("b", 90)),
    "busted": (fill("a", 100), bust("a")),
    "tombstone": (bust("a"),),
    "corrected first": (correction("c", "a", 50),),
}
COMMON_FILLS = [FILLS["no fills"], FILLS["part"], FILLS["complete"]]
ENDS: dict[str, tuple[Event, ...]] = {
    "open": (),
    "refused": (REFUSED,),
    "rejected": (REJECTED,),
    "cancelled": (cancelled(),),
}

NAMES = [None, f"{KEY}-c1", f"{KEY}-r1", "of somebody else"]
QUANTITIES = [None, Decimal(-1), Decimal(0), Decimal(30), Decimal(100), Decimal(130)]
EXECUTION = r.Execution(execution_id="a", quantity=Decimal(40), price=Decimal(10), commission=Decimal("0.35"))

SNAPSHOTS = [
    r.OrderSnapshot(
        status=status,
        broker_order_id=broker_order_id,
        filled_quantity=Decimal(filled),
        average_price=Decimal(11) if filled else None,
        quantity=quantity,
        limit_price=Decimal(9),
        executions=executions,
        cancel_pending=is_pending,
        replace_pending=is_pending,
    )
    for status, filled, (broker_order_id, quantity, executions, is_pending) in product(
        r.BrokerStatus,
        [0, 40, 100],
        [
            ("B-1", None, (), False),
            ("B-2", Decimal(80), (EXECUTION,), True),
            (None, Decimal(100), (EXECUTION,), False),
            ("B-1", Decimal(100), (), True),
        ],
    )
]
SINGLE: list[r.ExecutionReport] = [
    *(r.Accepted(broker_order_id="B-1", effective_quantity=quantity) for quantity in QUANTITIES),
    r.Accepted(),
    r.Accepted(broker_order_id="B-2"),
    r.OrderRejected(reason="no margin"),
    EXECUTION,
    *(r.Execution(execution_id=name, quantity=Decimal(q), price=Decimal(-3)) for name, q in product("dz", [0, 60, 100])),
    *(
        r.ExecutionCorrected(execution_id=name, corrects=corrects, quantity=Decimal(q), price=Decimal(0))
        for name, corrects, q in product("acd", "acz", [-1, 30])
    ),
    *(r.ExecutionBusted(execution_id=name) for name in ("a", "c", "z", "inferred-1")),
    *(r.Commission(execution_id=name, commission=Decimal(fee)) for name, fee in product("az", [0, 1])),
    r.CancelIsPending(),
    *(r.CancelRejected(request_id=name) for name in NAMES),
    *(r.OrderClosed(cause=cause, broker_order_id="B-1") for cause in r.CloseCause),
    r.ReplaceIsPending(),
    *(r.OrderReplaced(request_id=name, quantity=Decimal(70)) for name in NAMES),
    *(r.OrderReplaced(quantity=quantity) for quantity in QUANTITIES),
    r.OrderReplaced(broker_order_id="B-2", limit_price=Decimal(9), stop_price=Decimal(8)),
    *(r.ReplaceRejected(request_id=name) for name in NAMES),
    *(r.OrderRestated(quantity=quantity) for quantity in QUANTITIES),
    *(r.OrderRestated(split_ratio=Decimal(ratio)) for ratio in ("-1", "0", "2", "0.3333333333")),
    r.OrderTriggered(),
]
REPORTS = [*SINGLE, *SNAPSHOTS]

ALWAYS_NEWS = (r.OrderRestated,)
"""Nothing tells a second restatement from the first one told twice."""


def test_every_kind_of_report_is_tried() -> None:
    assert {type(report).__name__ for report in REPORTS} == {kind.__name__ for kind in r.ExecutionReport.__subclasses__()}


@pytest.mark.parametrize(("first", "stage"), list(product(INTENTS, STAGES)))
def test_any_report_on_any_order_gives_events_that_apply_and_are_no_news_the_second_time(first: str, stage: str) -> None:
    for fills, end in product(FILLS.values() if first == "market" else COMMON_FILLS, ENDS.values()):
        order = order_of(INTENTS[first], *STAGES[stage], *fills, *end)
        for report in REPORTS:
            take(order, report)


def take(order: LiveOrder, report: r.ExecutionReport) -> None:
    events = apply_report(order, report)
    after = then(order, *events)
    assert after.filled_quantity >= 0
    assert len(set(after.reviews)) == len(after.reviews)
    if not isinstance(report, ALWAYS_NEWS):
        assert apply_report(after, report) == [], (report, events)
