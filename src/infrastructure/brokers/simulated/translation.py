"""From the venue's JSON to our reports and errors. An unreadable message means an unknown outcome, never a guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any, TypeVar

from liveorder.application.ports.broker import BrokerPosition
from liveorder.domain.broker_account import BrokerAccount, figures
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    DuplicateClientOrderId,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Commission,
    Execution,
    ExecutionBusted,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderReplaced,
    OrderRestated,
    OrderSnapshot,
    OrderTriggered,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Product, Side, TradingHours, TradingMode
from liveorder.infrastructure.brokers.simulated.wire import Message

T = TypeVar("T")

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, InvalidOperation)
"""What reading a message of an unexpected shape raises."""

_REFUSALS: dict[str, type[BrokerError]] = {
    "duplicate": DuplicateClientOrderId,
    "insufficient_balance": InsufficientBalanceError,
    "unknown_symbol": InvalidSymbolError,
    "invalid_order": OrderValidationError,
    "unknown_account": BrokerAuthenticationError,
    "unauthorized": BrokerAuthenticationError,
    "unavailable": BrokerConnectionError,
}


def error_of(answer: Message) -> BrokerError:
    """The error of ours. Unknown codes, including a server error, mean an unknown outcome."""
    message = f"venue: {answer.get('message', answer['error'])}"
    if answer["error"] == "rate_limited":
        return BrokerRateLimitError(message, answer.get("retry_after_seconds"))
    return _REFUSALS.get(answer["error"], OutcomeUnknown)(message)


def read(answer: Message, translate: Callable[[Message], T]) -> T:
    """Translate an answer. Raises the `BrokerError` in the answer, or `OutcomeUnknown` if it cannot be read."""
    if "error" in answer:
        raise error_of(answer)
    try:
        return translate(answer)
    except UNREADABLE as error:
        raise OutcomeUnknown(f"the venue's answer could not be read: {str(answer)[:200]}") from error


def report_of(message: Message) -> ExecutionReport:
    """Raises one of `UNREADABLE`."""
    return _REPORTS[message["report"]](message)


def snapshot_of(message: Message) -> OrderSnapshot:
    return OrderSnapshot(
        **_address(message),
        status=BrokerStatus(message["state"]),
        filled_quantity=Decimal(message["filled_quantity"]),
        average_price=_number(message, "average_price"),
        **_terms(message),
        symbol=message["symbol"],
        exchange=message["exchange"],
        side=Side(message["side"]),
        order_type=OrderType(message["order_type"]),
        hours=TradingHours(message["hours"]) if "hours" in message else None,
        product=_product(message),
        executions=tuple(_counted(each) for each in message["executions"]),
        cancel_pending=message["cancel_pending"],
        replace_pending=message["replace_pending"],
        reason=message["reason"],
        native_status=message["state"],
    )


def submitted(answer: Message) -> ExecutionReport:
    """The report of the answer to a submit: accepted, or rejected at once. Fills are reported separately."""
    order = answer["order"]
    if order["state"] == "REJECTED":
        return OrderRejected(**_address(order), reason=order["reason"])
    return Accepted(**_address(order), effective_quantity=Decimal(order["quantity"]))


def cancelled(answer: Message) -> ExecutionReport:
    """The report of the answer to a cancel: pending or done."""
    order = answer["order"]
    if order["cancel_pending"]:
        return CancelIsPending(**_address(order))
    return OrderClosed(**_address(order), cause=CloseCause(order["cause"]), reason=order["reason"])


def replaced(answer: Message) -> ExecutionReport:
    """The report of the answer to a replace: pending, or the new terms."""
    order = answer["order"]
    if order["replace_pending"]:
        return ReplaceIsPending(**_address(order))
    return OrderReplaced(**_address(order), **_terms(order))


def account_of(message: Message) -> BrokerAccount:
    at, currency = datetime.fromisoformat(message["at"]), message["currency"]
    equity, cash, buying_power = (_number(message, name) for name in ("equity", "cash", "buying_power"))
    own = figures(at, currency, equity=equity, cash=cash, buying_power=buying_power)
    others = (figures(at, other, cash=Decimal(held)) for other, held in message["other_cash"].items())
    return BrokerAccount(message["account"], TradingMode(message["mode"]), currency, (*own, *chain.from_iterable(others)))


def position_of(message: Message) -> BrokerPosition:
    instrument = Instrument.from_dict(message["instrument"])
    return BrokerPosition(instrument, Decimal(message["quantity"]), _number(message, "average_price"), _product(message))


def _product(message: Message) -> Product | None:
    return Product(message["product"]) if "product" in message else None


def _address(message: Message) -> dict[str, Any]:
    return {
        "client_order_id": message.get("client_order_id"),
        "broker_order_id": message["broker_order_id"],
        "occurred_at": datetime.fromisoformat(message["at"]),
    }


def _terms(message: Message) -> dict[str, Any]:
    return {name: _number(message, name) for name in ("quantity", "limit_price", "stop_price")}


def _number(message: Message, name: str) -> Decimal | None:
    return Decimal(message[name]) if name in message else None


def _trade(message: Message) -> dict[str, Any]:
    return _address(message) | {
        "execution_id": message["execution_id"],
        "quantity": Decimal(message["quantity"]),
        "price": Decimal(message["price"]),
        "commission": _number(message, "commission"),
        "commission_currency": message.get("commission_currency"),
    }


def _counted(message: Message) -> Execution | ExecutionCorrected:
    return _correction(message) if "corrects" in message else _execution(message)


def _correction(message: Message) -> ExecutionCorrected:
    supersedes = tuple(message.get("supersedes", ()))
    return ExecutionCorrected(**_trade(message), corrects=message["corrects"], supersedes=supersedes)


def _execution(message: Message) -> Execution:
    return Execution(**_trade(message))


_REPORTS: dict[str, Callable[[Message], ExecutionReport]] = {
    "accepted": lambda message: Accepted(**_address(message), effective_quantity=_number(message, "quantity")),
    "rejected": lambda message: OrderRejected(**_address(message), reason=message["reason"]),
    "fill": _execution,
    "correction": _correction,
    "bust": lambda message: ExecutionBusted(**_address(message), execution_id=message["execution_id"]),
    "commission": lambda message: Commission(
        **_address(message),
        execution_id=message["execution_id"],
        commission=Decimal(message["commission"]),
        commission_currency=message.get("commission_currency"),
    ),
    "triggered": lambda message: OrderTriggered(**_address(message)),
    "cancel_pending": lambda message: CancelIsPending(**_address(message)),
    "cancel_rejected": lambda message: CancelRejected(**_address(message), reason=message["reason"]),
    "replace_pending": lambda message: ReplaceIsPending(**_address(message)),
    "replaced": lambda message: OrderReplaced(**_address(message), **_terms(message)),
    "replace_rejected": lambda message: ReplaceRejected(**_address(message), reason=message["reason"]),
    "restated": lambda message: OrderRestated(
        **_address(message), **_terms(message), split_ratio=_number(message, "split_ratio"), reason=message["reason"]
    ),
    "closed": lambda message: OrderClosed(**_address(message), cause=CloseCause(message["cause"]), reason=message["reason"]),
}
