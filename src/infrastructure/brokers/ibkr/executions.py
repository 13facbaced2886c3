"""Fills and their corrections. A correction has the execution id of what it corrects, except for the two digits after the last dot.
It supersedes all revisions with lower digits, reported or not: TWS reports revisions made while we were disconnected once, or
never. A correction to zero shares takes the fill back. It is a correction like any other, because another may follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import Commission, Execution, ExecutionCorrected
from liveorder.domain.values import total
from liveorder.infrastructure.brokers.ibkr.rows import CommissionRow, ExecutionRow, TwsOrder

_REVISION = re.compile(r"\d\d", re.ASCII)


class TwsExecutions:
    """The executions that this connection reported, by execution id. A fill has one id, whichever message reported it."""

    def __init__(self) -> None:
        self._rows: dict[str, ExecutionRow] = {}
        self._commissions: dict[str, CommissionRow] = {}
        self._asked_about: dict[tuple[int, int], Decimal] = {}

    def note(self, row: ExecutionRow) -> bool:
        """Whether this execution is new."""
        is_news = row.execution_id not in self._rows
        self._rows.setdefault(row.execution_id, row)
        return is_news

    def note_commission(self, row: CommissionRow) -> Commission | None:
        """The report of a commission. None if it is not new, or if its fill is not known yet: the fill's report will carry it."""
        is_news = self._commissions.get(row.execution_id) != row
        self._commissions[row.execution_id] = row
        fill = self._rows.get(row.execution_id)
        if fill is None or not is_news:
            return None
        return Commission(**_address(fill), execution_id=row.execution_id, **self._commission(row.execution_id))

    def __iter__(self) -> Iterator[ExecutionRow]:
        return iter(self._rows.values())

    def effective_of(self, order: TwsOrder) -> tuple[Execution | ExecutionCorrected, ...]:
        """The effective fills of an order."""
        return self.effective(row for row in self._rows.values() if _is_of(row, order))

    def is_behind(self, order: TwsOrder) -> bool:
        """Whether the executions fall short of the quantity that TWS reports as filled, and asking again may help. Executions of
        earlier days are no longer available.
        """
        filled = order.filled or Decimal(0)
        if total(each.quantity for each in self.effective_of(order)) == filled:
            return False
        return self._asked_about.get(order.identity) != filled

    def asked_about(self, order: TwsOrder) -> None:
        """Record that the executions were requested after the order's latest status."""
        self._asked_about[order.identity] = order.filled or Decimal(0)

    def account_of(self, execution_id: str) -> str:
        return self._rows[execution_id].account

    def report_of(self, row: ExecutionRow) -> Execution | ExecutionCorrected:
        earlier = corrected_by(row.execution_id)
        if not earlier:
            return Execution(**self._trade(row))
        return ExecutionCorrected(**self._trade(row), corrects=earlier[0], supersedes=earlier[1:])

    def effective(self, rows: Iterable[ExecutionRow]) -> tuple[Execution | ExecutionCorrected, ...]:
        """The latest revision of each fill. A fill that was taken back has zero shares."""
        latest: dict[str, ExecutionRow] = {}
        for row in rows:
            fill, revision = _split(row.execution_id)
            known = latest.get(fill)
            if known is None or _split(known.execution_id)[1] < revision:
                latest[fill] = row
        return tuple(self.report_of(row) for row in latest.values())

    def _trade(self, row: ExecutionRow) -> dict[str, Any]:
        numbers = {"quantity": row.quantity, "price": row.price}
        return _address(row) | {"execution_id": row.execution_id} | numbers | self._commission(row.execution_id)

    def _commission(self, execution_id: str) -> dict[str, Any]:
        """The amount, and the currency if it differs from the contract's."""
        commission, fill = self._commissions.get(execution_id), self._rows.get(execution_id)
        if commission is None or fill is None:
            return {}
        currency = commission.currency if commission.currency not in ("", fill.currency) else None
        return {"commission": commission.amount, "commission_currency": currency}


def _is_of(row: ExecutionRow, order: TwsOrder) -> bool:
    return row.perm_id == order.perm_id if order.perm_id else order.key is not None and row.key == order.key


def corrected_by(execution_id: str) -> tuple[str, ...]:
    """The executions that this one corrects, latest first: those with lower digits. Empty for an original execution."""
    fill, revision = _split(execution_id)
    return tuple(f"{fill}.{earlier:02d}" for earlier in range(revision - 1, 0, -1))


def _split(execution_id: str) -> tuple[str, int]:
    fill, dot, digits = execution_id.rpartition(".")
    return (fill, int(digits)) if dot and _REVISION.fullmatch(digits) else (execution_id, 0)


def _address(row: ExecutionRow) -> dict[str, Any]:
    return {
        "client_order_id": row.key,
        "broker_order_id": str(row.perm_id) if row.perm_id else None,
        "occurred_at": row.at,
    }
