"""The venue's memory: orders and their indexes, the trade record, and changes since the last commit."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from liveorder.infrastructure.brokers.simulated.refusal import RefusalCode, VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.journal import Journal
from liveorder.testing.venue.orders import Trade, VenueOrder


class Book:
    """No change is reported before `commit` has written it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.orders: dict[str, VenueOrder] = {}
        self._by_key: defaultdict[str, list[VenueOrder]] = defaultdict(list)
        self._by_execution: dict[str, VenueOrder] = {}
        self._live: defaultdict[str, dict[str, VenueOrder]] = defaultdict(dict)
        self._tape: list[tuple[VenueOrder, Trade]] = []
        self._changed: dict[str, VenueOrder] = {}
        self._uncommitted: list[Message] = []
        self._committed: list[Message] = []
        self._load(journal.orders())

    def _load(self, orders: Iterable[VenueOrder]) -> None:
        for order in sorted(orders, key=lambda order: int(order.order_id[1:])):
            self.add(order)
            self._tape += [(order, trade) for trade in order.trades]
            self._by_execution |= {trade.execution_id: order for trade in order.trades}
        self._tape.sort(key=lambda line: line[1].number)
        self._changed.clear()

    def latest_moment(self, now: datetime) -> datetime:
        """`now`, or the last trade's time if a clock was set back since: the trade record is ordered by time."""
        return max(now, self._tape[-1][1].at) if self._tape else now

    def next_order_id(self) -> str:
        return f"V{len(self.orders) + 1}"

    def next_trade_number(self) -> int:
        return len(self._tape) + 1

    def add(self, order: VenueOrder) -> None:
        self.orders[order.order_id] = order
        if order.placed.client_order_id is not None:
            self._by_key[order.placed.client_order_id].append(order)
        self.changed(order)

    def record(self, order: VenueOrder, trade: Trade) -> None:
        order.record(trade)
        self._tape.append((order, trade))
        self._by_execution[trade.execution_id] = order
        self.changed(order)

    def changed(self, order: VenueOrder) -> None:
        """Call after every change of an order, so that it is written, and listed as live only while it is."""
        self._changed[order.order_id] = order
        live = self._live[order.placed.instrument]
        if order.state.is_live:
            live[order.order_id] = order
        else:
            live.pop(order.order_id, None)

    def queue(self, report: Message) -> None:
        self._uncommitted.append(report)

    def commit(self) -> None:
        if self._changed:
            self._journal.save(self._changed.values())
            self._changed.clear()
        if self._uncommitted:
            self._committed += self._uncommitted
            self._uncommitted.clear()

    def take_reports(self) -> list[Message]:
        """The reports committed since the last call."""
        taken, self._committed = self._committed, []
        return taken

    def by_key(self, client_order_id: str) -> list[VenueOrder]:
        return self._by_key.get(client_order_id, [])

    def named(self, account: str, client_order_id: str | None, broker_order_id: str | None) -> VenueOrder | None:
        """The order by the venue's id if given, otherwise the first with the client's key."""
        if broker_order_id is not None:
            order = self.orders.get(broker_order_id)
            return order if order is not None and order.placed.account == account else None
        ours = (order for order in self.by_key(client_order_id or "") if order.placed.account == account)
        return next(ours, None)

    def traded(self, execution_id: str) -> tuple[VenueOrder, Trade]:
        """An execution that is effective now. Raises `VenueRefusal` if it was busted or corrected: that cannot be done twice."""
        order = self._by_execution.get(execution_id)
        trades = {trade.execution_id: trade for trade in order.effective_trades()} if order else {}
        if order is None or execution_id not in trades:
            raise VenueRefusal(RefusalCode.UNKNOWN_ORDER, f"no effective execution {execution_id}")
        return order, trades[execution_id]

    def live(self, instrument_key: str) -> list[VenueOrder]:
        return list(self._live[instrument_key].values())

    def live_of(self, account: str) -> list[VenueOrder]:
        """Live orders in the order of their arrival."""
        live = [order for orders in self._live.values() for order in orders.values() if order.placed.account == account]
        return sorted(live, key=lambda order: int(order.order_id[1:]))

    def trades_since(self, account: str, since: datetime) -> list[tuple[VenueOrder, Trade]]:
        first = bisect_left(self._tape, since, key=lambda line: line[1].at)
        return [line for line in self._tape[first:] if line[0].placed.account == account]
