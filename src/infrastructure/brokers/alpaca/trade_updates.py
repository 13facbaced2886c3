"""What the trade-updates stream tells, one event at a time."""

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
    """Reads events; keeps which of our execution ids each of Alpaca's is, as long as it lives, so that a bust can name its fill."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._read: dict[str, Callable[[Message], list[ExecutionReport]]] = {
            **dict.fromkeys(_IT_IS_THERE, lambda event: [_told(Accepted, event)]),
            "fill": self._filled,
            "partial_fill": self._filled,
            "canceled": lambda event: [_told(OrderClosed, event, cause=cause_of(event["order"]))],
            "expired": lambda event: [_told(OrderClosed, event, cause=CloseCause.EXPIRED)],
            "done_for_day": lambda event: [_told(OrderClosed, event, cause=CloseCause.DONE_FOR_DAY)],
            "rejected": _rejected,
            "pending_cancel": lambda event: [_told(CancelIsPending, event)],
            "pending_replace": lambda event: [_told(ReplaceIsPending, event)],
            "order_cancel_rejected": lambda event: [_told(CancelRejected, event, reason="alpaca: order_cancel_rejected")],
            "order_replace_rejected": lambda event: [_told(ReplaceRejected, event, reason="alpaca: order_replace_rejected")],
            "replaced": _replaced,
            "restated": _restated,
            "trade_bust": self._busted,
            "trade_correct": self._corrected,
        }

    def reports_of(self, event: Message) -> list[ExecutionReport]:
        """Raises one of `UNREADABLE`. An event that nobody knows is told as an order in an unknown state."""
        read = self._read.get(str(event["event"]), _unknown)
        return read(event)

    def _filled(self, event: Message) -> list[ExecutionReport]:
        """An order for an amount learns its quantity with its last fill."""
        order = event["order"]
        cumulative = number(order["filled_qty"])
        ours = execution_id(order["id"], cumulative)
        if event.get("execution_id"):
            self._ours[event["execution_id"]] = ours
        fill = _told(Execution, event, execution_id=ours, quantity=number(event["qty"]), price=number(event["price"]))
        is_whole_amount = event["event"] == "fill" and order.get("qty") in (None, "")
        return [*([_told(Accepted, event, effective_quantity=cumulative)] if is_whole_amount else []), fill]

    def _busted(self, event: Message) -> list[ExecutionReport]:
        ours = self._named_by(event)
        return [_told(ExecutionBusted, event, execution_id=ours)] if ours is not None else _unknown(event)

    def _corrected(self, event: Message) -> list[ExecutionReport]:
        """Under an id of its own that no fill can have."""
        ours = self._named_by(event)
        if ours is None:
            return _unknown(event)
        name = f"{ours}:{event['execution_id']}"
        self._ours[event["execution_id"]] = name
        quantity, price = number(event["qty"]), number(event["price"])
        return [_told(ExecutionCorrected, event, execution_id=name, corrects=ours, quantity=quantity, price=price)]

    def _named_by(self, event: Message) -> str | None:
        """The fill that is undone. None when it was told to an earlier life: the totals and a reconciliation show it then."""
        return self._ours.get(event.get("previous_execution_id") or event.get("execution_id", ""))


def _told(kind: type[ReportT], event: Message, **fields: Any) -> ReportT:
    return kind(**addressed(event["order"]), occurred_at=_at(event), **fields)


def _at(event: Message) -> datetime | None:
    """When it happened; where that is not told, when it was sent."""
    return moment(event.get("timestamp") or event.get("at"))


def _rejected(event: Message) -> list[ExecutionReport]:
    """A rejected replacement leaves the order as it was."""
    if event["order"].get("replaces"):
        return [ReplaceRejected(client_order_id=addressed(event["order"])["client_order_id"], reason="alpaca: rejected")]
    return [_told(OrderRejected, event, reason=NO_REASON)]


def _replaced(event: Message) -> list[ExecutionReport]:
    """The order goes on under a new id, with the terms that were asked for. Without that id it has to be asked for."""
    order = event["order"]
    if not order.get("replaced_by"):
        return _unknown(event)
    key = addressed(order)["client_order_id"]
    return [OrderReplaced(client_order_id=key, broker_order_id=order["replaced_by"], occurred_at=_at(event))]


def _restated(event: Message) -> list[ExecutionReport]:
    """Sent when a stop is triggered (so says the FIX specification), and when Alpaca changed the order."""
    order = event["order"]
    triggered = [_told(OrderTriggered, event)] if order.get("type") in _STOPS else []
    return [*triggered, *([snapshot_of([order])] if not order.get("replaces") else _unknown(event))]


def _unknown(event: Message) -> list[ExecutionReport]:
    return [totals_of(event["order"], str(event["event"]))]
