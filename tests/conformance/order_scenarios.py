"""Runs order scenarios of the FIX form through the real `LiveOrder`: what the buy side does by our decisions, what the sell side
tells by reports. Every figure of `expect` is derived from events; only a restatement takes its new terms from the report itself.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from liveorder.domain import execution_report as r
from liveorder.domain.errors import DecisionRefused
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.lifecycle import Closing, OrderStatus
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import CancelReason
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import OrderType, TimeInForce
from tests.builders import DEADLINE, SESSION, intent, recorded, seconds

ANY_PRICE = Decimal(7)


class Message(StrEnum):
    NEW = "NEW"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"
    STATUS = "STATUS"
    EVENT = "EVENT"
    EXEC = "EXEC"
    CANCEL_REJECT = "CANCEL_REJECT"


class ExecType(StrEnum):
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    REJECTED = "REJECTED"
    TRADE = "TRADE"
    TRADE_CORRECT = "TRADE_CORRECT"
    TRADE_CANCEL = "TRADE_CANCEL"
    COMMISSION = "COMMISSION"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    PENDING_REPLACE = "PENDING_REPLACE"
    REPLACED = "REPLACED"
    RESTATED = "RESTATED"
    TRIGGERED = "TRIGGERED"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    CALCULATED = "CALCULATED"
    ORDER_STATUS = "ORDER_STATUS"


class OrdStatus(StrEnum):
    PENDING_NEW = "PENDING_NEW"
    ACCEPTED_FOR_BIDDING = "ACCEPTED_FOR_BIDDING"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    STOPPED = "STOPPED"
    SUSPENDED = "SUSPENDED"
    CALCULATED = "CALCULATED"


FOLDED = {
    OrdStatus.PENDING_NEW: OrderStatus.SUBMITTED,
    OrdStatus.ACCEPTED_FOR_BIDDING: OrderStatus.SUBMITTED,
    OrdStatus.NEW: OrderStatus.SUBMITTED,
    OrdStatus.PARTIALLY_FILLED: OrderStatus.PARTIAL,
    OrdStatus.FILLED: OrderStatus.FILLED,
    OrdStatus.REJECTED: OrderStatus.REJECTED,
    OrdStatus.CANCELED: OrderStatus.CANCELLED,
    OrdStatus.EXPIRED: OrderStatus.CANCELLED,
}

TOLD_STATUS = {
    OrdStatus.PENDING_NEW: r.BrokerStatus.PENDING,
    OrdStatus.FILLED: r.BrokerStatus.FILLED,
    OrdStatus.REJECTED: r.BrokerStatus.REJECTED,
    OrdStatus.CANCELED: r.BrokerStatus.CANCELLED,
    OrdStatus.EXPIRED: r.BrokerStatus.EXPIRED,
}


class Expect(BaseModel):
    """An expectation that is not known here would be one that is not compared: so it is an error."""

    model_config = ConfigDict(extra="forbid")

    ord_status: OrdStatus
    order_qty: Decimal | None = None
    cum_qty: Decimal | None = None
    leaves_qty: Decimal | None = None
    avg_px: Decimal | None = None
    day_order_qty: Decimal | None = None
    day_cum_qty: Decimal | None = None
    liveorder_status: OrderStatus | None = None
    cancel_pending: bool | None = None
    replace_pending: bool | None = None
    ord_status_also_acceptable: list[OrdStatus] = []
    commission: Decimal | None = None
    reason: str | None = None
    anomalies: list[str] | None = None
    needs_review: bool | None = None


class Step(BaseModel):
    """Fields that only explain are let pass; a message, a type or a branch of another name is not."""

    n: int
    actor: str
    msg: Message
    exec_type: ExecType | None = None
    clordid: str | None = None
    orig_clordid: str | None = None
    order_qty: Decimal | None = None
    cash_order_qty: Decimal | None = None
    price: Decimal | None = None
    last_qty: Decimal | None = None
    last_px: Decimal | None = None
    exec_id: str | None = None
    exec_ref_id: str | None = None
    commission: Decimal | None = None
    reason: str = ""
    about: str | None = None
    branch: Literal["alternative_terminates_here"] | None = None
    expect: Expect | None = None


class Scenario(BaseModel):
    id: str
    title: str
    tif: TimeInForce = TimeInForce.DAY
    steps: list[Step]


class Case(NamedTuple):
    """One way through a scenario: the main path, or a fork with all of the main path before it."""

    name: str
    scenario: Scenario
    steps: list[Step]


def cases_in(path: Path) -> Iterator[Case]:
    content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    for raw in content["scenarios"]:
        scenario = Scenario.model_validate(raw)
        yield Case(scenario.id, scenario, [step for step in scenario.steps if step.branch is None])
        for place, fork in enumerate(scenario.steps):
            if fork.branch is not None:
                before = [step for step in scenario.steps[:place] if step.branch is None]
                yield Case(f"{scenario.id} fork {fork.n}", scenario, [*before, fork])


class TrackedOrder:
    """One order of a scenario with its whole history: what it became step by step must equal its replay."""

    def __init__(self, request: Event) -> None:
        self.history: list[RecordedEvent] = recorded([request])
        self.order = LiveOrder.replay(self.history)

    def add(self, events: list[Event]) -> list[Event]:
        new = recorded(events, after=self.order.version)
        self.history += new
        self.order = self.order.apply(new)
        assert LiveOrder.replay(self.history) == self.order
        return events


class Run:
    """A scenario on its way. `unmatched` are the steps that concern no order of ours."""

    def __init__(self, scenario: Scenario, *, tell_twice: bool = False, ask_too: bool = False) -> None:
        self.scenario, self.tell_twice, self.ask_too = scenario, tell_twice, ask_too
        self.orders: dict[str, TrackedOrder] = {}
        self.asked: dict[str, tuple[Message, str | None]] = {}
        self.unpriced: set[str] = set()
        self.unmatched: list[int] = []

    def take(self, step: Step) -> None:
        if step.actor == "buy":
            self.ask(step)
        elif step.msg is not Message.EVENT:
            self.hear(step)

    # --- the buy side ------------------------------------------------------------------------------------------------------

    def ask(self, step: Step) -> None:
        assert step.expect is None, "what we ask tells nothing yet"
        if step.msg is Message.NEW:
            self.send(step)
        elif step.msg in (Message.CANCEL, Message.REPLACE):
            self.change(step)
        else:
            assert step.msg in (Message.STATUS, Message.EVENT), f"step {step.n}: the buy side does not say {step.msg}"

    def send(self, step: Step) -> None:
        assert step.clordid is not None
        if step.clordid in self.orders:
            self.unmatched.append(step.n)
            return
        size = {"quantity": step.order_qty} if step.cash_order_qty is None else {"notional": step.cash_order_qty}
        kind = OrderType.MARKET if step.price is None else OrderType.LIMIT
        tracked = TrackedOrder(intent(time_in_force=self.scenario.tif, order_type=kind, limit_price=step.price, **size))
        tracked.add(requests.start_submission(tracked.order, {}, "{}", DEADLINE, SESSION))
        self.orders[step.clordid] = tracked

    def change(self, step: Step) -> None:
        assert step.clordid is not None
        assert step.orig_clordid is not None
        if (tracked := self.orders.get(step.orig_clordid)) is None:
            self.unmatched.append(step.n)
            return
        events = tracked.add(self.cancel(tracked.order) if step.msg is Message.CANCEL else self.replace(tracked.order, step))
        self.asked[step.clordid] = (step.msg, getattr(events[0], "request_id", None) if events else None)
        self.orders[step.clordid] = tracked

    def cancel(self, order: LiveOrder) -> list[Event]:
        try:
            return requests.request_cancel(order, CancelReason.REQUESTED, payload="{}", deadline=DEADLINE)
        except DecisionRefused:
            assert order.status.is_closed, "only of a closed order is a cancel not asked"
            return []

    def replace(self, order: LiveOrder, step: Step) -> list[Event]:
        """The buy side may ask here what ours would not, to reopen a filled order for one; the answer is taken all the same."""
        is_asked_by_ours = not order.status.is_closed and not order.submission_is_open
        if is_asked_by_ours and (step.order_qty is None or step.order_qty > order.filled_quantity):
            requests.check_replace(order, step.order_qty)
        return requests.request_replace(order, step.order_qty, step.price, None, {}, "{}", DEADLINE)

    # --- the sell side -----------------------------------------------------------------------------------------------------

    def hear(self, step: Step) -> None:
        tracked = self.orders.get(step.clordid or "")
        if tracked is None or step.about == "unknown_order":
            assert step.clordid is None or step.about or step.reason == "unknown_order", f"step {step.n} names no order"
            self.unmatched.append(step.n)
            return
        if self.is_of_another_request(step):
            self.unmatched.append(step.n)
        else:
            self.tell(tracked, step)
        if step.expect is not None:
            ours, expected = self.figures(tracked.order, step.expect), self.expected(tracked.order, step.expect)
            assert ours == expected, f"step {step.n}: {ours}, not {expected}"

    def is_of_another_request(self, step: Step) -> bool:
        """A second order refused as a duplicate leaves the first one alive."""
        lives = {OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.FILLED}
        is_of_second = step.exec_type is ExecType.REJECTED and step.expect is not None and step.expect.ord_status in lives
        return step.about is not None or is_of_second

    def tell(self, tracked: TrackedOrder, step: Step) -> None:
        if (report := self.report_of(tracked.order, step)) is None:
            return
        tracked.add(apply_report(tracked.order, report))
        if self.tell_twice and not isinstance(report, r.OrderRestated):
            assert apply_report(tracked.order, report) == []
        if self.ask_too and (tracked.order.closing is Closing.NONE or tracked.order.status.is_closed):
            tracked.add(apply_report(tracked.order, answer_about(tracked.order)))

    def report_of(self, order: LiveOrder, step: Step) -> r.ExecutionReport | None:
        asked, request_id = self.asked.get(step.clordid or "", (None, None))
        at = seconds(step.n * 60)
        match step.msg, step.exec_type:
            case Message.CANCEL_REJECT, _ if asked is Message.REPLACE:
                return r.ReplaceRejected(request_id=request_id, reason=step.reason, occurred_at=at)
            case Message.CANCEL_REJECT, _:
                return r.CancelRejected(request_id=request_id, reason=step.reason, occurred_at=at)
            case Message.EXEC, ExecType.PENDING_CANCEL:
                return r.CancelIsPending(request_id=request_id, occurred_at=at)
            case Message.EXEC, ExecType.CANCELED:
                cause = r.CloseCause.REQUESTED if asked is Message.CANCEL else r.CloseCause.BY_BROKER
                return r.OrderClosed(cause=cause, reason=step.reason, occurred_at=at)
            case Message.EXEC, ExecType.EXPIRED | ExecType.DONE_FOR_DAY:
                return r.OrderClosed(cause=r.CloseCause(step.exec_type.value), occurred_at=at)
            case Message.EXEC, ExecType.PENDING_REPLACE:
                return r.ReplaceIsPending(request_id=request_id, occurred_at=at)
            case Message.EXEC, ExecType.REPLACED:
                told = step.expect.order_qty if request_id is None and step.expect else None
                return r.OrderReplaced(request_id=request_id, quantity=told, occurred_at=at)
            case Message.EXEC, _:
                return self.execution_report_of(order, step)
        raise AssertionError(f"step {step.n}: the sell side does not say {step.msg}")

    def execution_report_of(self, order: LiveOrder, step: Step) -> r.ExecutionReport | None:
        at = seconds(step.n * 60)
        match step.exec_type:
            case ExecType.NEW | ExecType.PENDING_NEW:
                learned = step.expect.order_qty if order.quantity is None and step.expect else None
                return r.Accepted(broker_order_id="B-1", effective_quantity=learned, occurred_at=at)
            case ExecType.REJECTED:
                return r.OrderRejected(reason=step.reason, occurred_at=at)
            case ExecType.TRIGGERED:
                return r.OrderTriggered(occurred_at=at)
            case ExecType.RESTATED:
                return self.restatement_of(order, step)
            case ExecType.ORDER_STATUS:
                return self.snapshot_of(step)
            case ExecType.STOPPED | ExecType.SUSPENDED | ExecType.CALCULATED:
                return None
        return self.trade_report_of(step)

    def trade_report_of(self, step: Step) -> r.ExecutionReport:
        at, fee, ref = seconds(step.n * 60), step.commission, step.exec_ref_id or ""
        own, quantity, price = step.exec_id or f"{self.scenario.id}-{step.n}", step.last_qty or Decimal(0), step.last_px
        if price is None:
            self.unpriced.add(own)
            price = ANY_PRICE
        match step.exec_type:
            case ExecType.TRADE:
                return r.Execution(execution_id=own, quantity=quantity, price=price, commission=fee, occurred_at=at)
            case ExecType.TRADE_CORRECT:
                return r.ExecutionCorrected(
                    execution_id=own, corrects=ref, quantity=quantity, price=price, commission=fee, occurred_at=at
                )
            case ExecType.TRADE_CANCEL:
                return r.ExecutionBusted(execution_id=ref, occurred_at=at)
            case ExecType.COMMISSION:
                return r.Commission(execution_id=ref, commission=fee or Decimal(0), occurred_at=at)
        raise AssertionError(f"step {step.n}: no report means {step.exec_type}")

    def restatement_of(self, order: LiveOrder, step: Step) -> r.ExecutionReport:
        """One that changes what is filled already is a split."""
        assert step.expect is not None
        told = step.expect.cum_qty
        is_split = told is not None and order.filled_quantity > 0 and told != order.filled_quantity
        ratio = told / order.filled_quantity if told is not None and is_split else None
        return r.OrderRestated(
            quantity=step.expect.order_qty, split_ratio=ratio, reason=step.reason, occurred_at=seconds(step.n * 60)
        )

    def snapshot_of(self, step: Step) -> r.ExecutionReport:
        assert step.expect is not None
        return r.OrderSnapshot(
            status=TOLD_STATUS.get(step.expect.ord_status, r.BrokerStatus.WORKING),
            broker_order_id="B-1",
            filled_quantity=step.expect.cum_qty or Decimal(0),
            average_price=step.expect.avg_px,
            quantity=step.expect.order_qty,
            occurred_at=seconds(step.n * 60),
        )

    # --- what is compared --------------------------------------------------------------------------------------------------

    def figures(self, order: LiveOrder, expect: Expect) -> dict[str, object]:
        """What the order says to each figure that is expected."""
        ours: dict[str, object] = {
            "order_qty": order.quantity,
            "cum_qty": order.filled_quantity,
            "leaves_qty": order.remaining_quantity,
            "commission": order.commission,
            "liveorder_status": order.status,
            "cancel_pending": order.cancel_pending,
            "replace_pending": order.replace_pending,
            "reason": order.reason,
            "anomalies": sorted(order.anomalies),
            "needs_review": order.needs_review,
            "avg_px": self.average(order, expect),
        }
        return {name: ours[name] for name in self.expected(order, expect)}

    def expected(self, order: LiveOrder, expect: Expect) -> dict[str, object]:
        fields = dict(expect.model_copy(update={"liveorder_status": self.status_expected(order, expect)}))
        for name in ("ord_status", "ord_status_also_acceptable", "day_order_qty", "day_cum_qty"):
            del fields[name]
        if expect.ord_status is OrdStatus.PENDING_REPLACE:
            fields["replace_pending"] = True
        if OrdStatus.PENDING_CANCEL in expect.ord_status_also_acceptable:
            del fields["cancel_pending"]
        elif expect.ord_status is OrdStatus.PENDING_CANCEL:
            fields["cancel_pending"] = True
        if any(execution.execution_id in self.unpriced for execution in order.executions.effective()):
            del fields["avg_px"]
        return {name: value for name, value in fields.items() if value is not None}

    def status_expected(self, order: LiveOrder, expect: Expect) -> OrderStatus | None:
        """As written, else folded from the FIX status: one that hides fills says nothing of them."""
        if expect.liveorder_status is not None:
            return expect.liveorder_status
        lasts = self.scenario.tif in (TimeInForce.GTC, TimeInForce.GTD)
        if expect.ord_status is OrdStatus.DONE_FOR_DAY and not lasts:
            return OrderStatus.CANCELLED
        return FOLDED.get(expect.ord_status)

    def average(self, order: LiveOrder, expect: Expect) -> Decimal:
        """Exact; but a source that prints two decimals or more may have rounded to them."""
        ours = order.average_price or Decimal(0)
        places = -int(expect.avg_px.as_tuple().exponent) if expect.avg_px is not None else 0
        return round(ours, places) if places >= 2 else ours


def answer_about(order: LiveOrder) -> r.OrderSnapshot:
    """What a broker answers that has the order just as we have it."""
    live = r.BrokerStatus.WORKING if order.is_acknowledged else r.BrokerStatus.PENDING
    return r.OrderSnapshot(
        status=r.BrokerStatus(order.status.value) if order.status.is_closed else live,
        broker_order_id=order.broker_order_id,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        quantity=order.quantity,
        limit_price=order.limit_price,
        cancel_pending=order.cancel_pending,
        replace_pending=order.replace_pending,
    )
