"""The one door to the log for what changes positions without an order.

What is recorded of a position is decided on figures that are the store's, and nothing else is recorded of it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Commit, OrderStore
from liveorder.application.recording import Cause
from liveorder.application.risk.book import RiskBook, entries_of, orders_of
from liveorder.domain.events import RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.position_adjustment import PositionEvent, position_stream
from liveorder.domain.position_booking import HoldingKey, holding_key

E = TypeVar("E", bound=PositionEvent)


class PositionRegister:
    def __init__(
        self,
        store: OrderStore,
        orders: OrderRegister,
        risk: RiskBook,
        calendar: TradingCalendar,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._store, self._orders, self._risk = store, orders, risk
        self._calendar, self._clock, self._log = calendar, clock, log
        self._turn = asyncio.Lock()

    async def recorded(self, account_id: str, instrument_key: str) -> Sequence[RecordedEvent]:
        """All that changed the account's positions in the instrument without an order."""
        return await self._store.stream(position_stream(account_id, instrument_key))

    async def record(self, account_id: str, instrument_key: str, decide: Callable[[], Sequence[E]], cause: Cause) -> Sequence[E]:
        """What `decide` makes, durable and booked, in one commit. `decide` does not wait, and may raise.

        Raises what `OrderStore.append` raises.
        """
        async with self._turn:
            await self._orders.look_at_positions()
            before = await self.recorded(account_id, instrument_key)
            if events := decide():
                await self._append(position_stream(account_id, instrument_key), len(before), events, cause)
        for event in events:
            self._log.write(event.category, event.sentence(), account_id=account_id, fact=event.topic)
        return events

    async def _append(self, stream_id: UUID, version: int, events: Sequence[PositionEvent], cause: Cause) -> None:
        now = self._clock.now()
        recorded = self._orders.recorder.enveloped(stream_id, version, events, cause)
        session = self._calendar.session_for(events[0].changes()[0].instrument, now)
        entries = tuple(entry for index, event in enumerate(events) for entry in entries_of(event, session, now, index))
        expected = [change for event in events for change in event.changes()]
        self._risk.expect(expected)  # nobody closes meanwhile what they take
        try:
            committed = await self._store.append(Commit(tuple(recorded), entries=entries))
        except BaseException:
            self._orders.may_have_moved.extend(expected)
            raise
        self._risk.absorb(committed.rows)
        self._risk.expect(expected, is_over=True)

    async def instrument(self, held: HoldingKey) -> Instrument:
        """Of what is held, as the newest order or position event in it has it: the broker may not list it any more."""
        contract = held._replace(strategy_name="")
        for order_id in orders_of(await self._store.ledger(), held.account_id, held.instrument):
            intent = (await self._orders.get(order_id)).intent
            if holding_key(intent)._replace(strategy_name="") == contract:
                return intent.instrument
        for item in reversed(await self.recorded(held.account_id, held.instrument)):
            for change in item.event.changes() if isinstance(item.event, PositionEvent) else ():
                if holding_key(change)._replace(strategy_name="") == contract:
                    return change.instrument
        raise AssertionError(f"nothing in the log made {held}")
