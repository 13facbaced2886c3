"""Questions to Kite, and what their answers prove. Kite's lists cover today only; nothing follows from what they omit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Absence, BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_account import Figure, figures
from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import Execution, ExecutionReport, OrderSnapshot
from liveorder.infrastructure.brokers.kite.fields import UNREADABLE, Row, identifier, indian_day, key_of, number, tags
from liveorder.infrastructure.brokers.kite.instruments import KiteInstruments
from liveorder.infrastructure.brokers.kite.portfolio import Held, held, parts_of, sizes_in
from liveorder.infrastructure.brokers.kite.session import KiteSession, understood
from liveorder.infrastructure.brokers.kite.shared_question import SharedQuestion
from liveorder.infrastructure.brokers.kite.translation import execution_of, has_traded, is_open, news_of, rows_of, snapshot_of

_ALL = "orders"
COMMODITIES = "MCX"
"""The exchange whose money Kite keeps in a separate segment."""


class KiteQuestions:
    """Asks Kite. All methods except `find` and `news` raise `BrokerError`."""

    def __init__(self, session: KiteSession, instruments: KiteInstruments, clock: Clock, log: ActivityLog) -> None:
        self._session, self._instruments, self._clock, self._log = session, instruments, clock, log
        self._books: SharedQuestion[list[Row]] = SharedQuestion(self._ask_for_orders, _after_those_beside)
        self._logged: set[str] = set()

    async def figures(self) -> tuple[Figure, ...]:
        """The account's figures: money for shares and their derivatives, and separately for commodities. If only the commodity
        segment is enabled, its money is the account's. Kite reports no equity: its figures do not include holdings.
        """
        asked_at = self._clock.now()
        segments = await self._session.ask(_segments, "margins")
        return tuple(figure for part, segment in segments.items() for figure in self._figures_of(segment, part, asked_at))

    def _figures_of(self, segment: Row, part: str, at: datetime) -> tuple[Figure, ...]:
        available, utilised = _table(segment, "available"), _table(segment, "utilised")
        net, live, raw = self._amount(segment, "net"), self._amount(available, "live_balance"), self._amount(available, "cash")
        taken = self._amount(utilised, "debits")
        cash = raw if live is None else live
        return figures(at, "INR", part, cash=cash, initial_margin=taken, available_funds=net, buying_power=net)

    def _amount(self, row: Row, name: str) -> Decimal | None:
        """The amount. If it cannot be read: None, and a line in the log."""
        try:
            return number(row, name)
        except UNREADABLE:
            self._log.write("WARNING", f"Kite's {name} could not be read; the account goes without it")
            return None

    async def find(
        self, client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]
    ) -> OrderSnapshot | Absence:
        """Look the order up in the day's list: by Kite's id if known, otherwise by tag. Several orders with the tag are
        inconclusive, unless exactly one is live or traded. An order that was, or may have been, sent on an earlier day is
        inconclusive if it is not found.
        """
        try:
            rows = await self._orders()
            row = self._named(rows, client_order_id, broker_order_id)
            if row is not None:
                return await self._snapshot(row)
        except BrokerError:
            return Absence.INCONCLUSIVE
        is_there = any(client_order_id in tags(row) for row in rows)
        return Absence.INCONCLUSIVE if is_there or self._may_be_older(reference) else Absence.ABSENT

    def _may_be_older(self, reference: Mapping[str, str]) -> bool:
        """Whether the order may be older than the list, which was fetched before this call. Without a day in the reference, it may
        be.
        """
        return reference.get("day") != indian_day(self._clock.now()).isoformat()

    def _named(self, rows: Sequence[Row], client_order_id: str, broker_order_id: str | None) -> Row | None:
        if broker_order_id is not None:
            return next((row for row in rows if row["order_id"] == broker_order_id), None)
        tagged = [row for row in rows if client_order_id in tags(row)]
        if len(tagged) < 2:
            return tagged[0] if tagged else None
        mattering = [row for row in tagged if is_open(row) or has_traded(row)]
        if len(mattering) == 1:
            return mattering[0]
        self._log_once(f"Kite has {len(tagged)} orders tagged {client_order_id}: look at them there, then `liveorder settle`")
        return None

    def _log_once(self, sentence: str) -> None:
        if sentence not in self._logged:
            self._logged.add(sentence)
            self._log.write("ANOMALY", sentence)

    async def _snapshot(self, row: Row) -> OrderSnapshot:
        trades = await self._session.ask(rows_of, "order_trades", row["order_id"]) if has_traded(row) else []
        return understood(snapshot_of, row, trades)

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        live = [row for row in await self._orders() if is_open(row)]
        trades = await self._session.ask(rows_of, "trades") if any(map(has_traded, live)) else []
        return [understood(snapshot_of, row, trades) for row in live]

    async def executions_since(self, since: datetime) -> Sequence[ExecutionReport]:
        """Executions of today at most. Kite's times are whole seconds. A trade without a time is always included."""
        keys = {row["order_id"]: key_of(row) for row in await self._orders()}
        executions = await self._session.ask(lambda answer: _executions(answer, keys), "trades")
        first = since.replace(microsecond=0)
        return [each for each in executions if each.occurred_at is None or each.occurred_at >= first]

    async def positions(self) -> Sequence[BrokerPosition]:
        """One position per instrument and product."""
        positions = await self._session.ask(_as_it_is, "positions")
        holdings = await self._session.ask(_as_it_is, "holdings")
        amounts = understood(lambda: held(parts_of(positions, holdings)))
        self._instruments.learn_sizes(understood(sizes_in, positions))
        return [await self._position(amount) for amount in amounts]

    async def _position(self, amount: Held) -> BrokerPosition:
        instrument = await self._instruments.listed(amount.exchange, amount.tradingsymbol)
        return BrokerPosition(instrument, amount.quantity, amount.average_price, amount.product)

    async def news(self, order_id: str) -> Sequence[ExecutionReport]:
        """Reports on the current state of one order. Empty if the question fails: the poll finds the state later."""
        try:
            row = await self._session.ask(_newest, "order_history", order_id)
            trades = await self._session.ask(rows_of, "order_trades", order_id) if has_traded(row) else []
            return understood(news_of, row, trades)
        except BrokerError:
            return []

    async def _orders(self) -> list[Row]:
        """The whole day's orders, fetched after this call. Concurrent callers share one list."""
        return await self._books.ask(_ALL)

    async def _ask_for_orders(self, names: Sequence[str]) -> Mapping[str, list[Row]]:
        return dict.fromkeys(names, await self._session.ask(_orders, "orders"))


async def _after_those_beside() -> None:
    """Let other callers of the same loop iteration join, so that one list answers them all."""
    await asyncio.sleep(0)


def _orders(answer: Any) -> list[Row]:
    """Every row must have an id and a readable filled quantity. One unidentifiable order makes the whole list doubtful."""
    return [_checked(row) for row in rows_of(answer)]


def _checked(row: Row) -> Row:
    order_id = identifier(row, "order_id")
    if order_id is None:
        raise ValueError("an order without an id")
    has_traded(row)
    return {**row, "order_id": order_id}


def _newest(answer: Any) -> Row:
    """The last row of an order's history, which is its present state."""
    return _checked(rows_of(answer)[-1])


def _executions(answer: Any, keys: Mapping[str, str | None]) -> list[Execution]:
    return [execution_of(row, keys.get(identifier(row, "order_id") or "")) for row in rows_of(answer)]


def _segments(answer: Any) -> dict[str, Row]:
    """The enabled segments, by the part of the account they stand for."""
    enabled = [name for name in ("equity", "commodity") if answer.get(name) and answer[name].get("enabled", True)]
    return {"" if name == enabled[0] else COMMODITIES: answer[name] for name in enabled}


def _table(row: Row, name: str) -> Row:
    table = row.get(name)
    return table if isinstance(table, dict) else {}


def _as_it_is(answer: Any) -> Any:
    return answer
