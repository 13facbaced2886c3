"""Events of the trade-updates stream as reports, one event at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from liveorder.domain.execution_report import (
    Accepted,
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
    OrderTriggered,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.infrastructure.brokers.alpaca.translation import (
    NO_REASON,
    Message,
    addressed,
    cause_of,
    execution_id,
    moment,
    number,
    snapshot_of,
    totals_of,
)

ReportT = TypeVar("ReportT", bound=ExecutionReport)

_IT_IS_THERE = frozenset(
    {"new", "accepted", "pending_new", "accepted_for_bidding", "pending_review", "held", "stopped", "suspended", "calculated"}
)
_STOPS = frozenset({"stop", "stop_limit", "trailing_stop"})


class TradeUpdates:
    """Reads events. Remembers our execution id for each of Alpaca's, for the life of the process, so that a bust can name its
    fill.
    """

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._read: dict[str, Callable[[Message], list[ExecutionReport]]] = {
            **dict.fromkeys(_IT_IS_THERE, lambda event: [_report(Accepted, event)]),
            "fill": self._filled,
            "partial_fill": self._filled,
            "canceled": lambda event: [_report(OrderClosed, event, cause=cause_of(event["order"]))],
            "expired": lambda event: [_report(OrderClosed, event, cause=CloseCause.EXPIRED)],
            "done_for_day": lambda event: [_report(OrderClosed, event, cause=CloseCause.DONE_FOR_DAY)],
            "rejected": _rejected,
            "pending_cancel": lambda event: [_report(CancelIsPending, event)],
            "pending_replace": lambda event: [_report(ReplaceIsPending, event)],
            "order_cancel_rejected": lambda event: [_report(CancelRejected, event, reason="alpaca: order_cancel_rejected")],
            "order_replace_rejected": lambda event: [_report(ReplaceRejected, event, reason="alpaca: order_replace_rejected")],
            "replaced": _replaced,
            "restated": _restated,
            "trade_bust": self._busted,
            "trade_correct": self._corrected,
        }

    def reports_of(self, event: Message) -> list[ExecutionReport]:
        """Raises one of `UNREADABLE`. An unknown event is reported as an order in an unknown state."""
        read = self._read.get(str(event["event"]), _unknown)
        return read(event)

    def _filled(self, event: Message) -> list[ExecutionReport]:
        """An order for an amount of money gets its quantity with its last fill."""
        order = event["order"]
        cumulative = number(order["filled_qty"])
        ours = execution_id(order["id"], cumulative)
        if event.get("execution_id"):
            self._ours[event["execution_id"]] = ours
        fill = _report(Execution, event, execution_id=ours, quantity=number(event["qty"]), price=number(event["price"]))
        is_whole_amount = event["event"] == "fill" and order.get("qty") in (None, "")
        return [*([_report(Accepted, event, effective_quantity=cumulative)] if is_whole_amount else []), fill]

    def _busted(self, event: Message) -> list[ExecutionReport]:
        ours = self._named_by(event)
        return [_report(ExecutionBusted, event, execution_id=ours)] if ours is not None else _unknown(event)

    def _corrected(self, event: Message) -> list[ExecutionReport]:
        """The correction gets an id that no fill can have."""
        ours = self._named_by(event)
        if ours is None:
            return _unknown(event)
        name = f"{ours}:{event['execution_id']}"
        self._ours[event["execution_id"]] = name
        quantity, price = number(event["qty"]), number(event["price"])
        return [_report(ExecutionCorrected, event, execution_id=name, corrects=ours, quantity=quantity, price=price)]

    def _named_by(self, event: Message) -> str | None:
        """The id of the fill that is undone. None if an earlier process received it; totals and reconciliation then show the
        change.
        """
        return self._ours.get(event.get("previous_execution_id") or event.get("execution_id", ""))


def _report(kind: type[ReportT], event: Message, **fields: Any) -> ReportT:
    return kind(**addressed(event["order"]), occurred_at=_at(event), **fields)


def _at(event: Message) -> datetime | None:
    """When it happened, or else when it was sent."""
    return moment(event.get("timestamp") or event.get("at"))


def _rejected(event: Message) -> list[ExecutionReport]:
    """A rejected replacement leaves the order as it was."""
    if event["order"].get("replaces"):
        return [ReplaceRejected(client_order_id=addressed(event["order"])["client_order_id"], reason="alpaca: rejected")]
    return [_report(OrderRejected, event, reason=NO_REASON)]


def _replaced(event: Message) -> list[ExecutionReport]:
    """The order continues under a new id with the requested terms. Without that id, Alpaca has to be asked."""
    order = event["order"]
    if not order.get("replaced_by"):
        return _unknown(event)
    key = addressed(order)["client_order_id"]
    return [OrderReplaced(client_order_id=key, broker_order_id=order["replaced_by"], occurred_at=_at(event))]


def _restated(event: Message) -> list[ExecutionReport]:
    """Alpaca sends this when a stop is triggered (according to its FIX specification) and when Alpaca changed the order."""
    order = event["order"]
    triggered = [_report(OrderTriggered, event)] if order.get("type") in _STOPS else []
    return [*triggered, *([snapshot_of([order])] if not order.get("replaces") else _unknown(event))]


def _unknown(event: Message) -> list[ExecutionReport]:
    return [totals_of(event["order"], str(event["event"]))]
