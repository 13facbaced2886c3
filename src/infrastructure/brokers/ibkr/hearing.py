"""Incoming messages of a connection. Each is stored, and then answers the request that waits for it or becomes a report."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from liveorder.domain.errors import BrokerConnectionError, OutcomeUnknown
from liveorder.domain.execution_report import CancelRejected, ExecutionReport
from liveorder.infrastructure.brokers.ibkr import failures, readings, translation
from liveorder.infrastructure.brokers.ibkr.executions import TwsExecutions
from liveorder.infrastructure.brokers.ibkr.known_orders import OrderIds, TwsOrders
from liveorder.infrastructure.brokers.ibkr.prices import Prices
from liveorder.infrastructure.brokers.ibkr.rows import TwsOrder
from liveorder.infrastructure.brokers.ibkr.waiting import Awaited, TwsFeed


class Hearing:
    """Receives the messages of one client id."""

    def __init__(self, client_id: int, ids: OrderIds) -> None:
        self._client_id, self._ids = client_id, ids
        self.orders, self.executions = TwsOrders(), TwsExecutions()
        self.completed: list[TwsOrder] = []
        self.feed = TwsFeed()
        self.is_link_lost = False
        """TWS is connected to us, but not to IB."""
        self.is_read_only = False
        self.turned_away = asyncio.Event()
        """Set when another program already uses our client id."""
        self.account: str | None = None
        """IB's number of the account whose reports are wanted. None: of every account."""
        self.prices: dict[int, Prices] = {}
        """Keyed by the subscription's request number."""
        self.market_rules: dict[int, list[Any]] = {}
        """The library's price increments, keyed by the number of the market rule."""
        self.spoken_against: dict[int, str] = {}
        """TWS's latest error about an order of ours, by order id. Removed once TWS reports the order as live again."""
        self._sent: dict[int, TwsOrder] = {}
        self._changed: set[int] = set()
        """Orders that were amended. A refusal may refer to the amendment, so the order itself stands."""
        self._awaited: defaultdict[int, list[Awaited]] = defaultdict(list)
        self._listed: dict[tuple[int, int], None] | None = None

    # --- state and requests ------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """True if no request about an order is in flight."""
        return not self._awaited

    @contextmanager
    def listing(self) -> Iterator[dict[tuple[int, int], None]]:
        """Collects the orders that are reported inside the block, by identity."""
        listed: dict[tuple[int, int], None] = {}
        self._listed = listed
        try:
            yield listed
        finally:
            self._listed = None

    def sends(self, row: TwsOrder) -> None:
        """Remember an order before it is sent, so that its messages are recognised even if only a status arrives."""
        if self.orders.get(row.identity) is not None:
            self._changed.add(row.order_id)
        self._sent[row.order_id] = row

    @contextmanager
    def awaiting(self, order_id: int, awaited: Awaited) -> Iterator[None]:
        self._awaited[order_id].append(awaited)
        try:
            yield
        finally:
            self._awaited[order_id].remove(awaited)
            awaited.outcome.cancel()
            if not self._awaited[order_id]:
                del self._awaited[order_id]

    def turn_over(self) -> None:
        """End the current reports, so that their reader reconnects and asks for everything again. Later reports go to a new
        feed.
        """
        self.feed.end()
        self.feed = TwsFeed()

    def hang_up(self) -> None:
        """The connection broke. The requests in flight will not be answered."""
        for each in [each for waiting in self._awaited.values() for each in waiting]:
            each.takes(OutcomeUnknown("the connection to TWS broke before the answer"))
        self._lose_prices("the connection to TWS broke")
        self.turn_over()

    def _lose_prices(self, why: str) -> None:
        """End all price subscriptions. They have to be made again."""
        for prices in self.prices.values():
            prices.end(BrokerConnectionError(why))

    # --- messages ----------------------------------------------------------------------------------------------------------

    def open_order(self, _: int, contract: Any, order: Any, state: Any) -> None:
        if order.whatIf:
            return
        reported = readings.open_order(contract, order, state)
        before = self.orders.get(reported.identity)
        row = self.orders.note(reported)
        self._saw(row.client_id, row.order_id)
        if self._listed is not None:
            self._listed[row.identity] = None
        self._deliver(row, is_new=self._listed is None if before is None else before.status != row.status)

    def order_status(self, *message: Any) -> None:
        status = readings.order_status(message)
        before = self.orders.get(status.identity)
        if before is None and status.client_id == self._client_id and status.order_id in self._sent:
            before = self.orders.note(self._sent[status.order_id])
        row = self.orders.note_status(status)
        if before is not None and row is not None:
            self._deliver(row, is_new=before.status != row.status)

    def _deliver(self, row: TwsOrder, *, is_new: bool) -> None:
        waiting = self._awaited.get(row.order_id, []) if row.client_id == self._client_id else []
        if translation.is_live(row) and row.client_id == self._client_id:
            self.spoken_against.pop(row.order_id, None)
        takers = [each for each in waiting if each.takes(each.answered_by(row))]
        if is_new and not takers and self._is_ours(row.order.get("account", "")):
            self.feed.put(translation.pushed(row))

    def completed_order(self, contract: Any, order: Any, state: Any) -> None:
        self.completed.append(readings.completed_order(contract, order, state))

    def execution(self, _: int, contract: Any, execution: Any) -> None:
        row = readings.execution(contract, execution)
        self._saw(row.client_id, row.order_id)
        if self.executions.note(row) and self._is_ours(row.account):
            self.feed.put(self.executions.report_of(row))

    def commission(self, commission: Any) -> None:
        row = readings.commission(commission)
        report = self.executions.note_commission(row) if row is not None else None
        if report is not None and self._is_ours(self.executions.account_of(report.execution_id)):
            self.feed.put(report)

    def _is_ours(self, account: str) -> bool:
        return self.account is None or account in ("", self.account)

    def price(self, number: int, kind: int, price: float, size: float) -> None:
        if number in self.prices:
            self.prices[number].tick(kind, price, size)

    def size(self, number: int, kind: int, size: float) -> None:
        if number in self.prices:
            self.prices[number].tick_size(kind, size)

    def tick_text(self, number: int, kind: int, text: str) -> None:
        if number in self.prices:
            self.prices[number].tick_text(kind, text)

    def market_data_kind(self, number: int, kind: int) -> None:
        if number in self.prices:
            self.prices[number].of_kind(kind)

    def market_rule(self, number: int, steps: list[Any]) -> None:
        self.market_rules[number] = steps

    def next_valid_id(self, order_id: int) -> None:
        self._ids.saw(order_id - 1)

    def _saw(self, client_id: int, order_id: int) -> None:
        if client_id == self._client_id:
            self._ids.saw(order_id)

    # --- errors ------------------------------------------------------------------------------------------------------------

    def error(self, request_id: int, code: int, text: str, _: str = "") -> None:
        if failures.says_read_only(code, text) and not self.is_read_only:
            self.is_read_only = True
            self.turn_over()
        match code:
            case _ if code in failures.LINK_LOST:
                self.is_link_lost = True
                self._lose_prices("TWS has lost its connection to IB")
            case failures.LINK_BACK | failures.LINK_BACK_DATA_LOST:
                self.is_link_lost = False
                self._lose_prices("TWS was without its connection to IB")
                self.turn_over()
            case failures.CLIENT_ID_IN_USE:
                self.turned_away.set()
            case _ if failures.is_information(code):
                pass
            case _ if request_id in self.prices:
                self.prices[request_id].said(code, text)
            case _:
                self._order_error(request_id, code, text)

    def _order_error(self, order_id: int, code: int, text: str) -> None:
        waiting = self._awaited.get(order_id, [])
        if any(each.takes(each.answered_by_error(code, text)) for each in waiting):
            return
        row = self.orders.note_reason(self._client_id, order_id, text)
        report = self._unrequested(row, order_id, code, text)
        if report is not None:
            self.feed.put(report)

    def _unrequested(self, row: TwsOrder | None, order_id: int, code: int, text: str) -> ExecutionReport | None:
        """The report of an error that answers no request. None if the order is not ours, and for a cancellation: its status reports
        that.
        """
        order, message = row or self._sent.get(order_id), f"TWS {code}: {text}"
        if order is None or code == failures.ORDER_CANCELLED:
            return None
        if code in (failures.CANNOT_CANCEL_NOT_FOUND, failures.CANNOT_CANCEL_STATE):
            return CancelRejected(**translation.address(order), reason=message)
        is_refused = code == failures.ORDER_REJECTED or (row is None and failures.refuses(code))
        if is_refused and order_id not in self._changed:
            return translation.refused(order, message)
        if code not in failures.OF_CHANGES:
            self.spoken_against[order_id] = message
        return translation.doubtful(order, message)
