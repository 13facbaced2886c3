"""Which messages of TWS answer a request about an order: rows about the order, and errors that name it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from liveorder.domain.execution_report import (
    CancelIsPending,
    CancelRejected,
    CloseCause,
    ExecutionReport,
    OrderClosed,
    ReplaceRejected,
)
from liveorder.infrastructure.brokers.ibkr import failures, translation
from liveorder.infrastructure.brokers.ibkr.orders import PreparedOrder
from liveorder.infrastructure.brokers.ibkr.rows import TwsOrder, number
from liveorder.infrastructure.brokers.ibkr.waiting import Answer, Awaited

_CHANGEABLE = ("totalQuantity", "lmtPrice", "auxPrice")


def to_submission() -> Awaited:
    return Awaited(translation.submitted, failures.of_submission, _future())


def to_cancel(key: str, broker_order_id: str | None) -> Awaited:
    """A cancel is refused if TWS does not find the order, or has it in a state that cannot be cancelled. Nothing else follows from
    that refusal.
    """
    named: dict[str, Any] = {"client_order_id": key, "broker_order_id": broker_order_id}

    def by_error(code: int, text: str) -> Answer | None:
        message = f"TWS {code}: {text}"
        if code == failures.ORDER_CANCELLED:
            return [OrderClosed(**named, cause=CloseCause.REQUESTED, reason=text)]
        if code == failures.CANNOT_CANCEL_STATE and "PendingCancel" in text:
            return [CancelIsPending(**named)]
        if code in (failures.CANNOT_CANCEL_NOT_FOUND, failures.CANNOT_CANCEL_STATE):
            return [CancelRejected(**named, reason=message)]
        return failures.refusal_of(code, text)

    return Awaited(translation.cancelled, by_error, _future())


def to_replace(wanted: PreparedOrder, before: TwsOrder) -> Awaited:
    """The order was changed once TWS reports it with the requested terms. If TWS refuses the change, the order stands as before."""
    named = translation.address(before)

    def by_row(row: TwsOrder) -> Sequence[ExecutionReport] | None:
        is_done = all(number(row.order.get(name)) == number(wanted.order.get(name)) for name in _CHANGEABLE)
        return [translation.replaced(row)] if is_done and not translation.has_ended(row) else None

    def by_error(code: int, text: str) -> Answer | None:
        is_refused = failures.refuses(code) or code in failures.OF_CHANGES
        if is_refused and not failures.says_read_only(code, text):
            return [ReplaceRejected(**named, reason=f"TWS {code}: {text}")]
        return None if code == failures.ORDER_CANCELLED else failures.refusal_of(code, text)

    return Awaited(by_row, by_error, _future())


def _future() -> asyncio.Future[Sequence[ExecutionReport]]:
    return asyncio.get_running_loop().create_future()
