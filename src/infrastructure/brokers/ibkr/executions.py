"""Fills and their corrections. A correction has the execution id of what it corrects, but for the two digits after the last dot.

Each stands for all that have lower digits, told or not: TWS tells revisions of the time that we were away once, or not at all. One
to no shares takes the fill back. It is a correction like the others, for another may follow.
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
        """The report of it; None where it is no news, and where its fill is not known yet, which will report it."""
        is_news = self._commissions.get(row.execution_id) != row
        self._commissions[row.execution_id] = row
        fill = self._rows.get(row.execution_id)
        if fill is None or not is_news:
            return None
        return Commission(**_address(fill), execution_id=row.execution_id, **self._commission(row.execution_id))

    def __iter__(self) -> Iterator[ExecutionRow]:
        return iter(self._rows.values())

    def effective_of(self, order: TwsOrder) -> tuple[Execution | ExecutionCorrected, ...]:
        """The fills of an order that count."""
        return self.effective(row for row in self._rows.values() if _is_of(row, order))

    def is_behind(self, order: TwsOrder) -> bool:
        """Whether they do not make up what TWS calls filled, and asking for them may help: those of the day before are gone."""
        filled = order.filled or Decimal(0)
        if total(each.quantity for each in self.effective_of(order)) == filled:
            return False
        return self._asked_about.get(order.identity) != filled

    def asked_about(self, order: TwsOrder) -> None:
        """They were asked for since its status was told."""
        self._asked_about[order.identity] = order.filled or Decimal(0)

    def account_of(self, execution_id: str) -> str:
        return self._rows[execution_id].account

    def report_of(self, row: ExecutionRow) -> Execution | ExecutionCorrected:
        earlier = corrected_by(row.execution_id)
        if not earlier:
            return Execution(**self._trade(row))
        return ExecutionCorrected(**self._trade(row), corrects=earlier[0], supersedes=earlier[1:])

    def effective(self, rows: Iterable[ExecutionRow]) -> tuple[Execution | ExecutionCorrected, ...]:
        """The latest of each fill; of no shares, where it was taken back."""
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
        """Where it is in another currency than the contract's, with that."""
        told, fill = self._commissions.get(execution_id), self._rows.get(execution_id)
        if told is None or fill is None:
            return {}
        currency = told.currency if told.currency not in ("", fill.currency) else None
        return {"commission": told.amount, "commission_currency": currency}


def _is_of(row: ExecutionRow, order: TwsOrder) -> bool:
    return row.perm_id == order.perm_id if order.perm_id else order.key is not None and row.key == order.key


def corrected_by(execution_id: str) -> tuple[str, ...]:
    """The executions that this one corrects, the latest first: those with lower digits. None for a first telling."""
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
