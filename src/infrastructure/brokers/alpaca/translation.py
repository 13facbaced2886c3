"""From Alpaca's JSON to our reports. Pure. Raises one of `UNREADABLE` for an answer of an unexpected shape, never for an unknown
value.

**Execution ids.** A fill is named ``ORDER:CUMULATIVE``, by the id of Alpaca's order and its filled quantity after the fill. The
stream reports both (`order.id`, `order.filled_qty`), and so does an activity (`order_id`, `cum_qty`). The stream's own
`execution_id` is in no activity. Order snapshots report totals only.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, TypeVar

from liveorder.domain.errors import OutcomeUnknown
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CloseCause,
    Execution,
    ExecutionReport,
    OrderRejected,
    OrderSnapshot,
)
from liveorder.domain.values import ZERO, OrderType, Side, TradingHours, total
from liveorder.infrastructure.brokers.alpaca.symbols import our_symbol

Message: TypeAlias = dict[str, Any]
T = TypeVar("T")

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, IndexError, InvalidOperation)

_REPLACEMENT = re.compile(r"(?P<key>.+)-r\d+")
_STATUS = {
    **dict.fromkeys(("pending_new", "accepted", "accepted_for_bidding", "pending_review", "held"), BrokerStatus.PENDING),
    **dict.fromkeys(
        ("new", "partially_filled", "stopped", "suspended", "calculated", "pending_cancel", "pending_replace"), BrokerStatus.WORKING
    ),
    "filled": BrokerStatus.FILLED,
    "canceled": BrokerStatus.CANCELLED,
    "expired": BrokerStatus.EXPIRED,
    "rejected": BrokerStatus.REJECTED,
}
_FOR_A_MOMENT = ("ioc", "fok", "opg", "cls")
_KINDS = {kind.value.lower(): kind for kind in OrderType}
_HOURS: dict[object, TradingHours] = {True: TradingHours.EXTENDED, False: TradingHours.REGULAR}
NO_REASON = "rejected by Alpaca, which does not say why"


def own_key(order: Message) -> str | None:
    """The order's own key. For a replacement, the key of the order that it replaces, or None if the replacement was not made
    here.
    """
    key: str | None = order.get("client_order_id")
    if not order.get("replaces"):
        return key
    made = _REPLACEMENT.fullmatch(key or "")
    return made["key"] if made is not None else None


def is_replaced(order: Message) -> bool:
    """True if another order, named by `replaced_by`, took its place. An order whose replacement is pending still stands for
    itself.
    """
    return bool(order["status"] == "replaced" and order.get("replaced_by"))


def submitted(order: Message) -> ExecutionReport:
    """The report of the answer to a new order. Its fills are reported separately."""
    if order["status"] == "rejected":
        return OrderRejected(**addressed(order), reason=NO_REASON)
    return Accepted(**addressed(order), effective_quantity=_quantity(order, ZERO))


def snapshot_of(chain: Sequence[Message], fills: Sequence[Execution] = ()) -> OrderSnapshot:
    """The snapshot of a chain: the order sent first and each replacement, the live one last.

    Alpaca does not document whether a replacement's totals include its predecessors' fills. So if predecessors traded, `fills` must
    hold all fills of the chain, each counted once. The sum beyond the last order's own count was filled by its predecessors.
    """
    first, last = chain[0], chain[-1]
    summed = total(fill.quantity for fill in fills)
    counted = [filled(each) for each in chain]
    before = max(summed - counted[-1], ZERO) if fills else ZERO
    return OrderSnapshot(
        client_order_id=own_key(first),
        broker_order_id=last["id"],
        occurred_at=moment(last.get("updated_at")),
        status=status_of(last),
        filled_quantity=max(*counted, summed) if len(chain) > 1 else counted[0],
        average_price=_average(fills) if fills and summed >= counted[-1] else _price(last, "filled_avg_price"),
        quantity=_quantity(last, before),
        limit_price=_price(last, "limit_price"),
        stop_price=_price(last, "stop_price"),
        symbol=our_symbol(last.get("symbol"), last.get("asset_class")),
        side=_side(last),
        order_type=_KINDS.get(str(last.get("type"))),
        hours=_HOURS.get(last.get("extended_hours")),
        executions=tuple(fills),
        cancel_pending=last["status"] == "pending_cancel",
        replace_pending=last["status"] == "pending_replace",
        reason=NO_REASON if last["status"] == "rejected" else "",
        native_status=str(last["status"]),
    )


def totals_of(order: Message, native: str) -> OrderSnapshot:
    """Only the order's ids and filled quantity, with an UNKNOWN status: the order keeps its state here, is shown, and is asked
    about.
    """
    return OrderSnapshot(
        **addressed(order),
        status=BrokerStatus.UNKNOWN,
        filled_quantity=filled(order),
        average_price=_price(order, "filled_avg_price"),
        native_status=native,
    )


def status_of(order: Message) -> BrokerStatus:
    """An IOC, FOK, OPG or CLS order that is `canceled` without a cancel request ended by its time in force: it expired."""
    word = str(order["status"])
    if word == "done_for_day":
        return BrokerStatus.WORKING if order.get("time_in_force") == "gtc" else BrokerStatus.EXPIRED
    if word == "canceled" and cause_of(order) is CloseCause.EXPIRED:
        return BrokerStatus.EXPIRED
    return _STATUS.get(word, BrokerStatus.UNKNOWN)


def cause_of(order: Message) -> CloseCause:
    """Why an order was cancelled. Without a cancel request, either its time in force or Alpaca ended it."""
    if order.get("cancel_requested_at"):
        return CloseCause.REQUESTED
    return CloseCause.EXPIRED if order.get("time_in_force") in _FOR_A_MOMENT else CloseCause.BY_BROKER


def execution_of(activity: Message) -> Execution:
    """An execution from an activity of type FILL, which does not report our key."""
    order_id = activity["order_id"]
    return Execution(
        broker_order_id=order_id,
        occurred_at=moment(activity.get("transaction_time")),
        execution_id=execution_id(order_id, number(activity["cum_qty"])),
        quantity=number(activity["qty"]),
        price=number(activity["price"]),
    )


def execution_id(order_id: str, cumulative: Decimal) -> str:
    """
    >>> execution_id("904837e3", Decimal("7.50"))
    '904837e3:7.5'
    """
    return f"{order_id}:{cumulative.normalize():f}"


def addressed(order: Message) -> dict[str, Any]:
    return {"client_order_id": own_key(order), "broker_order_id": order["id"]}


def number(value: object) -> Decimal:
    """The exact number, from text, int or `Decimal`. A float is refused, since it may have lost digits."""
    if isinstance(value, bool | float) or value is None:
        raise ValueError(f"not a number: {value!r}")
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise ValueError(f"not a number: {value!r}")
    return exact


def moment(text: object) -> datetime | None:
    """The time in UTC, to the microsecond. None if it cannot be read: an unreadable time must not lose a fill."""
    try:
        at = datetime.fromisoformat(str(text))
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def row_of(answer: object) -> Message:
    """The answer as one order or account. Raises `TypeError` otherwise: Alpaca answers 207 with a list of results for several
    orders.
    """
    if not isinstance(answer, dict):
        raise TypeError(f"a {type(answer).__name__} where an object was due")
    return answer


async def readable(answer: Awaitable[T]) -> T:
    """Raises `OutcomeUnknown` for an answer that cannot be read."""
    try:
        return await answer
    except UNREADABLE as error:
        raise OutcomeUnknown(f"alpaca: the answer could not be read ({type(error).__name__}: {str(error)[:100]})") from None


def rows_of(answer: object) -> list[Message]:
    if not isinstance(answer, list):
        raise TypeError(f"a {type(answer).__name__} where a list was due")
    return [row_of(each) for each in answer]


def filled(order: Message) -> Decimal:
    return number(order.get("filled_qty") or "0")


def _quantity(order: Message, before: Decimal) -> Decimal | None:
    """The whole order's quantity. An order for an amount has none until it is filled; then it is the filled quantity."""
    if order.get("qty") not in (None, ""):
        return number(order["qty"]) + before
    return (filled(order) or None) if order["status"] == "filled" else None


def _price(order: Message, name: str) -> Decimal | None:
    """The price. Also None for a zero, which Alpaca reports for a price that is not known yet."""
    return number(order[name]) or None if order.get(name) not in (None, "") else None


def _average(fills: Sequence[Execution]) -> Decimal:
    return total(each.quantity * each.price for each in fills) / total(each.quantity for each in fills)


def _side(order: Message) -> Side | None:
    word = str(order.get("side"))
    if word.startswith("sell"):
        return Side.SELL
    return Side.BUY if word.startswith("buy") else None
