"""The orders that a run of events changes, before and after, from memory or from their streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias
from uuid import UUID

from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import FillCorrected, Filled, FillInferred, OrderEvent
from liveorder.domain.order.executions import BookedExecution

Streams: TypeAlias = dict[int, list[RecordedEvent]]
"""Events by the number that their stream id is, in the order in which the streams come up."""


def streams_of(events: Sequence[RecordedEvent]) -> Streams:
    """The events of orders; those of anything else are left out."""
    streams: Streams = {}
    for item in events:
        if isinstance(item.event, OrderEvent):
            streams.setdefault(item.stream_id.int, []).append(item)
    return streams


@dataclass
class OrderChange:
    """One order before and after a batch. `before` is None when the batch has its first event."""

    order_id: str
    events: Sequence[RecordedEvent]
    """Those of the batch."""
    before: LiveOrder | None
    after: LiveOrder
    began: int
    """Place of its first event in the log."""
    booked: Mapping[str, int]
    """Place in the log where each execution id was first reported."""

    @cached_property
    def effective(self) -> tuple[BookedExecution, ...]:
        """The executions that count after it."""
        return tuple(self.after.executions.effective())


@dataclass(slots=True)
class _Tracked:
    order: LiveOrder
    began: int
    booked: dict[str, int] = field(default_factory=dict)

    def note(self, events: Sequence[RecordedEvent]) -> None:
        for item in events:
            if isinstance(item.event, Filled | FillCorrected | FillInferred):
                self.booked.setdefault(item.event.execution_id, item.position)


class KnownOrders:
    """About `capacity` orders, the least recently changed forgotten first: one that comes up again is read from its stream."""

    def __init__(self, capacity: int = 2048) -> None:
        self._capacity = capacity
        self._orders: OrderedDict[int, _Tracked] = OrderedDict()

    def unknown(self, streams: Streams) -> dict[UUID, int]:
        """What must be learned before `advance(streams)`: streams, each with the version that follows what is to be learned.

        This forgets what is too much, and so must come before each batch.
        """
        while len(self._orders) > self._capacity:
            self._orders.popitem(last=False)
        firsts = [(key, events[0]) for key, events in streams.items()]
        return {first.stream_id: first.version for key, first in firsts if not self._stands_before(key, first.version)}

    def _stands_before(self, key: int, version: int) -> bool:
        known = self._orders.get(key)
        return version == 1 if known is None else known.order.version == version - 1

    def learn(self, stream: Sequence[RecordedEvent]) -> _Tracked:
        """Take in an order from the first events of its stream."""
        tracked = _Tracked(LiveOrder.replay(stream), stream[0].position)
        tracked.note(stream)
        self._orders[stream[0].stream_id.int] = tracked
        return tracked

    def advance(self, streams: Streams) -> list[OrderChange]:
        """The orders that these events change."""
        return [self._change(key, events) for key, events in streams.items()]

    def _change(self, key: int, events: Sequence[RecordedEvent]) -> OrderChange:
        known = self._orders.get(key)
        if known is None:
            known = self.learn(events)
            return OrderChange(str(known.order.order_id), events, None, known.order, known.began, known.booked)
        before, known.order = known.order, known.order.apply(events)
        known.note(events)
        self._orders.move_to_end(key)
        return OrderChange(str(known.order.order_id), events, before, known.order, known.began, known.booked)

    def forget(self) -> None:
        """Start anew: what was folded in here was not written."""
        self._orders.clear()
