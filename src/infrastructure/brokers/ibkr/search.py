"""Searching for one order everywhere that TWS keeps orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from liveorder.application.ports.broker import Absence
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.values import total
from liveorder.infrastructure.brokers.ibkr import translation
from liveorder.infrastructure.brokers.ibkr.contracts import symbol_of
from liveorder.infrastructure.brokers.ibkr.executions import TwsExecutions
from liveorder.infrastructure.brokers.ibkr.orders import Reference
from liveorder.infrastructure.brokers.ibkr.rows import ExecutionRow, TwsOrder
from liveorder.infrastructure.brokers.ibkr.session import TwsSession


@dataclass(frozen=True, slots=True)
class Search:
    """Searches by our key first, then by TWS's permanent id, then by client id and order id."""

    key: str
    broker_order_id: str | None
    reference: Reference | None

    async def made_in(self, session: TwsSession, today: Callable[[], date]) -> OrderSnapshot | Absence:
        """Open orders come first: an order that ends meanwhile is among the completed orders by the time those are requested."""
        session.demand_link()
        undecoded, feed, began, executions = session.undecoded.count, session.hearing.feed, today(), session.hearing.executions
        row = self._among(await session.questions.open_orders())
        if row is None:
            await session.questions.fetch_executions()
            row = self._among(await session.questions.completed_orders())
        if row is not None:
            await complete([row], session)
            return translation.snapshot(row, executions.effective_of(row))
        fills = [each for each in executions if self._is_it(each)]
        if fills:
            return _known_by_its_fills(fills, executions)
        stood = session.hearing.feed is feed and not session.hearing.is_read_only
        is_whole = session.undecoded.count == undecoded and stood
        is_of_this_day = self.reference is not None and self.reference.day == began.isoformat() == today().isoformat()
        session.demand_link()
        if not is_whole or not is_of_this_day:
            return Absence.INCONCLUSIVE
        return self._thrown_out(session) or Absence.ABSENT

    def _thrown_out(self, session: TwsSession) -> OrderSnapshot | None:
        """An order that TWS accepted, reported an error about, reported as inactive, and no longer has anywhere."""
        assert self.reference is not None
        row = session.hearing.orders.get((self.reference.client_id, self.reference.order_id))
        error = session.hearing.spoken_against.get(self.reference.order_id)
        is_it = row is not None and row.key == self.key and row.status == "Inactive"
        return translation.thrown_out(row, error) if row is not None and is_it and error is not None else None

    def _among(self, rows: Iterable[TwsOrder]) -> TwsOrder | None:
        """The order found. Several orders carry our key only if a person made them in TWS; then the one with our ids is chosen."""
        fitting = [row for row in rows if self._is_it(row)]
        return next(iter(sorted(fitting, key=self._rank)), None)

    def _is_it(self, row: TwsOrder | ExecutionRow) -> bool:
        """Matches an order with a foreign key only if a person adopted it: such an order was not prepared here."""
        if row.key is not None and self.reference is not None:
            return row.key == self.key
        return row.key == self.key or self._has_its_id(row) or self._has_its_reference(row)

    def _has_its_id(self, row: TwsOrder | ExecutionRow) -> bool:
        return self.broker_order_id is not None and str(row.perm_id) == self.broker_order_id

    def _has_its_reference(self, row: TwsOrder | ExecutionRow) -> bool:
        ours = self.reference
        return ours is not None and ours.order_id > 0 and (row.client_id, row.order_id) == (ours.client_id, ours.order_id)

    def _rank(self, row: TwsOrder) -> tuple[bool, bool]:
        return not self._has_its_reference(row), not self._has_its_id(row)


async def complete(rows: Iterable[TwsOrder], session: TwsSession) -> None:
    """Fetch the executions that are missing from what TWS reports as filled, as far as TWS has them."""
    executions = session.hearing.executions
    behind = [row for row in rows if executions.is_behind(row)]
    if behind:
        await session.questions.fetch_executions()
    for row in behind:
        executions.asked_about(row)


def _known_by_its_fills(fills: list[ExecutionRow], executions: TwsExecutions) -> OrderSnapshot:
    """Not in any order list: status unknown, but executions prove that it traded."""
    first, effective = fills[0], executions.effective(fills)
    return OrderSnapshot(
        client_order_id=first.key,
        broker_order_id=str(first.perm_id) if first.perm_id else None,
        status=BrokerStatus.UNKNOWN,
        native_status="known by its executions alone",
        filled_quantity=total(each.quantity for each in effective) if effective else Decimal(0),
        symbol=symbol_of(first.contract),
        executions=effective,
    )
