"""Fills and their corrections. A correction has the execution id of what it corrects, but for the digits after the last dot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import Commission, Execution, ExecutionBusted, ExecutionCorrected
from liveorder.domain.values import total
from liveorder.infrastructure.brokers.ibkr.rows import CommissionRow, ExecutionRow, OrderRow


class Executions:
    """What this connection was told, by execution id: one id for each fill, whichever way it came."""

    def __init__(self) -> None:
        self._rows: dict[str, ExecutionRow] = {}
        self._commissions: dict[str, CommissionRow] = {}
        self._asked_about: dict[tuple[int, int], Decimal] = {}

    def note(self, row: ExecutionRow) -> bool:
        """Whether it is news."""
        is_news = row.execution_id not in self._rows
        self._rows.setdefault(row.execution_id, row)
        return is_news

    def note_commission(self, row: CommissionRow) -> Commission | None:
        """The report of it; None where it is no news, where its fill is not known yet, which will tell it, and where it is in
        another currency.
        """
        is_news = self._commissions.get(row.execution_id) != row
        self._commissions[row.execution_id] = row
        fill, amount = self._rows.get(row.execution_id), self._commission(row.execution_id)
        if fill is None or amount is None or not is_news:
            return None
        return Commission(**_address(fill), execution_id=row.execution_id, commission=amount)

    def __iter__(self) -> Iterator[ExecutionRow]:
        return iter(self._rows.values())

    def effective_of(self, order: OrderRow) -> tuple[Execution | ExecutionCorrected, ...]:
        """The fills of an order that count."""
        return self.effective(row for row in self._rows.values() if _is_of(row, order))

    def is_behind(self, order: OrderRow) -> bool:
        """Whether they do not make up what TWS calls filled, and asking for them may help: those of the day before are gone."""
        filled = order.filled or Decimal(0)
        if total(each.quantity for each in self.effective_of(order)) == filled:
            return False
        return self._asked_about.get(order.identity) != filled

    def asked_about(self, order: OrderRow) -> None:
        """They were asked for since its status was told."""
        self._asked_about[order.identity] = order.filled or Decimal(0)

    def account_of(self, execution_id: str) -> str:
        return self._rows[execution_id].account

    def report_of(self, row: ExecutionRow) -> Execution | ExecutionCorrected | ExecutionBusted:
        corrects = corrected_by(row.execution_id)
        if corrects is None:
            return Execution(**self._trade(row))
        if not row.quantity:
            return ExecutionBusted(**_address(row), execution_id=corrects)
        return ExecutionCorrected(**self._trade(row), corrects=corrects)

    def effective(self, rows: Iterable[ExecutionRow]) -> tuple[Execution | ExecutionCorrected, ...]:
        """The fills that count, a corrected one as its latest correction."""
        latest: dict[str, ExecutionRow] = {}
        for row in rows:
            fill, revision = _split(row.execution_id)
            known = latest.get(fill)
            if known is None or _split(known.execution_id)[1] < revision:
                latest[fill] = row
        told = [self.report_of(row) for row in latest.values()]
        return tuple(report for report in told if not isinstance(report, ExecutionBusted))

    def _trade(self, row: ExecutionRow) -> dict[str, Any]:
        commission = self._commission(row.execution_id)
        numbers = {"quantity": row.quantity, "price": row.price, "commission": commission}
        return _address(row) | {"execution_id": row.execution_id} | numbers

    def _commission(self, execution_id: str) -> Decimal | None:
        """In the instrument's currency; one that was charged in another is not told, for want of a rate."""
        told, fill = self._commissions.get(execution_id), self._rows.get(execution_id)
        return told.amount if told is not None and fill is not None and told.currency in ("", fill.currency) else None


def _is_of(row: ExecutionRow, order: OrderRow) -> bool:
    return row.perm_id == order.perm_id if order.perm_id else order.key is not None and row.key == order.key


def corrected_by(execution_id: str) -> str | None:
    """The execution that this one corrects: the one with the number before; None for a first telling."""
    fill, revision = _split(execution_id)
    if revision <= 1:
        return None
    digits = len(execution_id) - len(fill) - 1
    return f"{fill}.{revision - 1:0{digits}d}"


def _split(execution_id: str) -> tuple[str, int]:
    fill, dot, revision = execution_id.rpartition(".")
    return (fill, int(revision)) if dot and revision.isdecimal() else (execution_id, 0)


def _address(row: ExecutionRow) -> dict[str, Any]:
    return {
        "client_order_id": row.key,
        "broker_order_id": str(row.perm_id) if row.perm_id else None,
        "occurred_at": row.at,
    }
