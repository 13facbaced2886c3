"""From Kite's rows to our reports. Pure; raises one of `UNREADABLE` for rows of another shape, and for nothing else."""

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
from liveorder.domain.values import OrderType, Side
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
    """An answer that is to be a list of rows. Raises `TypeError`: one row that is none makes the whole list doubtful."""
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise TypeError("a list of rows was expected")
    return answer


def status_of(row: Row) -> BrokerStatus:
    """UNKNOWN for a word that is not in the list: the order keeps its state here and is asked about again."""
    return _STATUSES.get(text(row, "status").upper(), BrokerStatus.UNKNOWN)


def is_open(row: Row) -> bool:
    """What has not surely ended counts as open."""
    return status_of(row) not in _ENDED


def has_traded(row: Row) -> bool:
    return quantity(row, "filled_quantity") > 0


def snapshot_of(row: Row, trades: Iterable[Row] = ()) -> OrderSnapshot:
    """An order as its row tells it, with those of `trades` that are its own.

    Of a cancelled order `pending_quantity` can be anything; what is filled is told by `filled_quantity` alone.
    """
    word = text(row, "status").upper()
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
        executions=tuple(executions_of(trades, row)),
        cancel_pending=word == _CANCELLING,
        replace_pending=word in _REPLACING,
        reason=text(row, "status_message"),
        native_status=text(row, "status"),
    )


def executions_of(trades: Iterable[Row], order: Row) -> list[Execution]:
    """The trades that are this order's, named by its key too: a trade's row knows the order's id only."""
    order_id = identifier(order, "order_id")
    return [execution_of(trade, key_of(order)) for trade in trades if identifier(trade, "order_id") == order_id]


def execution_of(trade: Row, client_order_id: str | None = None) -> Execution:
    """One trade. Its id is unique for an exchange and a day only with the order's: the three make ours."""
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
    """What a wake-up found, as reports that may come late or twice without harm.

    Not as a snapshot: its terms could be older than a replace that was booked while it was asked for. Those are told by the poll.
    A word that is not known is told as it is, in a snapshot that says so.
    """
    told: list[ExecutionReport] = [*executions_of(trades, row)]
    address, at, reason = _address(row), moment(row, "exchange_update_timestamp", "order_timestamp"), text(row, "status_message")
    status, word = status_of(row), text(row, "status").upper()
    if status is BrokerStatus.REJECTED:
        return [*told, OrderRejected(**address, occurred_at=at, reason=reason)]
    if status is BrokerStatus.CANCELLED:
        return [*told, OrderClosed(**address, occurred_at=at, cause=CloseCause.BY_BROKER, reason=reason)]
    if status is BrokerStatus.UNKNOWN:
        return [*told, snapshot_of(row, trades)]
    told.insert(0, Accepted(**address, occurred_at=at))
    if word == _CANCELLING:
        told.append(CancelIsPending(**address, occurred_at=at))
    if word in _REPLACING:
        told.append(ReplaceIsPending(**address, occurred_at=at))
    return told


def _address(row: Row) -> dict[str, Any]:
    return {"client_order_id": key_of(row), "broker_order_id": identifier(row, "order_id")}


def _side_of(row: Row) -> Side | None:
    word = text(row, "transaction_type").upper()
    return Side(word) if word in Side.__members__ else None
