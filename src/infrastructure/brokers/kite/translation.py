"""From Kite's rows to our reports. Pure. Raises one of `UNREADABLE` for rows of an unexpected shape, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CloseCause,
    Execution,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderSnapshot,
    ReplaceIsPending,
)
from liveorder.domain.values import OrderType, Product, Side
from liveorder.infrastructure.brokers.kite.fields import Row, identifier, key_of, moment, number, price, quantity, text

ORDER_TYPES: Mapping[OrderType, str] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP_LIMIT: "SL",
    OrderType.STOP: "SL-M",
}
_OUR_ORDER_TYPES = {theirs: ours for ours, theirs in ORDER_TYPES.items()}

_REPLACING = frozenset({"MODIFY VALIDATION PENDING", "MODIFY PENDING"})
_CANCELLING = "CANCEL PENDING"
_STATUSES: Mapping[str, BrokerStatus] = {
    "PUT ORDER REQ RECEIVED": BrokerStatus.PENDING,
    "PUT ORDER REQUEST RECEIVED": BrokerStatus.PENDING,
    "AMO REQ RECEIVED": BrokerStatus.PENDING,
    "VALIDATION PENDING": BrokerStatus.PENDING,
    "OPEN PENDING": BrokerStatus.PENDING,
    "OPEN": BrokerStatus.WORKING,
    "TRIGGER PENDING": BrokerStatus.WORKING,
    "MODIFIED": BrokerStatus.WORKING,
    "UPDATE": BrokerStatus.WORKING,
    _CANCELLING: BrokerStatus.WORKING,
    "COMPLETE": BrokerStatus.FILLED,
    "REJECTED": BrokerStatus.REJECTED,
    "CANCELLED": BrokerStatus.CANCELLED,
} | dict.fromkeys(_REPLACING, BrokerStatus.WORKING)
_ENDED = frozenset({BrokerStatus.FILLED, BrokerStatus.REJECTED, BrokerStatus.CANCELLED})


def rows_of(answer: Any) -> list[Row]:
    """The answer as a list of rows. Raises `TypeError`: one entry that is no row makes the whole list doubtful."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise TypeError("a list of rows was expected")
    return answer


def status_of(row: Row) -> BrokerStatus:
    """UNKNOWN for a status that is not in the table: our order keeps its state and is asked about again."""
    return _STATUSES.get(text(row, "status").upper(), BrokerStatus.UNKNOWN)


def is_open(row: Row) -> bool:
    """Every order that has not certainly ended counts as open."""
    return status_of(row) not in _ENDED


def has_traded(row: Row) -> bool:
    return quantity(row, "filled_quantity") > 0


def snapshot_of(row: Row, trades: Iterable[Row] = ()) -> OrderSnapshot:
    """The order's snapshot, with those of `trades` that belong to it.

    A cancelled order's `pending_quantity` can have any value, so the filled quantity comes from `filled_quantity` only.
    """
    native = text(row, "status").upper()
    return OrderSnapshot(
        **_address(row),
        occurred_at=moment(row, "exchange_update_timestamp", "order_timestamp", "exchange_timestamp"),
        status=status_of(row),
        filled_quantity=quantity(row, "filled_quantity"),
        average_price=price(row, "average_price") if has_traded(row) else None,
        quantity=number(row, "quantity") or None,
        limit_price=price(row, "price") if text(row, "order_type") in ("LIMIT", "SL") else None,
        stop_price=price(row, "trigger_price") if text(row, "order_type") in ("SL", "SL-M") else None,
        symbol=text(row, "tradingsymbol") or None,
        exchange=text(row, "exchange") or None,
        side=_side_of(row),
        order_type=_OUR_ORDER_TYPES.get(text(row, "order_type")),
        product=product_of(text(row, "product")),
        executions=tuple(executions_of(trades, row)),
        cancel_pending=native == _CANCELLING,
        replace_pending=native in _REPLACING,
        reason=text(row, "status_message"),
        native_status=text(row, "status"),
    )


def product_of(name: str) -> Product | None:
    """None for one that this package does not know."""
    return Product(name.upper()) if name.upper() in set(Product) else None


def executions_of(trades: Iterable[Row], order: Row) -> list[Execution]:
    """This order's trades, with its key added: a trade's row has only the order's id."""
    order_id = identifier(order, "order_id")
    return [execution_of(trade, key_of(order)) for trade in trades if identifier(trade, "order_id") == order_id]


def execution_of(trade: Row, client_order_id: str | None = None) -> Execution:
    """One trade. Kite's trade id is unique per exchange and day only together with the order id. Our id joins exchange, trade id
    and order id.
    """
    filled, at = number(trade, "quantity"), number(trade, "average_price")
    if filled is None or at is None:
        raise ValueError("a trade without quantity or price")
    names = (identifier(trade, name) or "" for name in ("exchange", "trade_id", "order_id"))
    return Execution(
        client_order_id=client_order_id,
        broker_order_id=identifier(trade, "order_id"),
        occurred_at=moment(trade, "exchange_timestamp", "fill_timestamp", "order_timestamp"),
        execution_id=":".join(names),
        quantity=filled,
        price=at,
    )


def news_of(row: Row, trades: Sequence[Row]) -> list[ExecutionReport]:
    """What a wake-up found, as reports that may arrive late or twice without harm.

    Not a snapshot: its terms could be older than a replace booked while the question was in flight. The poll reports terms. An
    unknown status is reported as it is, in a snapshot.
    """
    reports: list[ExecutionReport] = [*executions_of(trades, row)]
    address, at, reason = _address(row), moment(row, "exchange_update_timestamp", "order_timestamp"), text(row, "status_message")
    status, native = status_of(row), text(row, "status").upper()
    if status is BrokerStatus.REJECTED:
        return [*reports, OrderRejected(**address, occurred_at=at, reason=reason)]
    if status is BrokerStatus.CANCELLED:
        return [*reports, OrderClosed(**address, occurred_at=at, cause=CloseCause.BY_BROKER, reason=reason)]
    if status is BrokerStatus.UNKNOWN:
        return [*reports, snapshot_of(row, trades)]
    reports.insert(0, Accepted(**address, occurred_at=at))
    if native == _CANCELLING:
        reports.append(CancelIsPending(**address, occurred_at=at))
    if native in _REPLACING:
        reports.append(ReplaceIsPending(**address, occurred_at=at))
    return reports


def _address(row: Row) -> dict[str, Any]:
    return {"client_order_id": key_of(row), "broker_order_id": identifier(row, "order_id")}


def _side_of(row: Row) -> Side | None:
    word = text(row, "transaction_type").upper()
    return Side(word) if word in Side.__members__ else None
