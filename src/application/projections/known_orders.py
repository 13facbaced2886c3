"""The orders that a run of facts changes, before and after, from memory or from their streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args
from uuid import UUID

from liveorder.domain.facts import Fact, RecordedFact
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution
from liveorder.domain.order.facts import FillCorrected, Filled, FillInferred, OrderFact

ORDER_FACTS: frozenset[type[Fact]] = frozenset(get_args(OrderFact))


@dataclass
class OrderChange:
    """One order before and after a batch. `before` is None when the batch has its first fact."""

    order_id: str
    before: LiveOrder | None
    after: LiveOrder
    began: int
    """Place of its first fact in the log."""
    booked: Mapping[str, int]
    """Place in the log where each execution id was first told."""

    @cached_property
    def effective(self) -> tuple[BookedExecution, ...]:
        """The executions that count after it."""
        return tuple(self.after.executions.effective())


@dataclass(slots=True)
class _Tracked:
    order: LiveOrder
    began: int
    booked: dict[str, int] = field(default_factory=dict)

    def note(self, facts: Sequence[RecordedFact]) -> None:
        for item in facts:
            if isinstance(item.fact, Filled | FillCorrected | FillInferred):
                self.booked.setdefault(item.fact.execution_id, item.position)


class KnownOrders:
    """At most `capacity` orders, the least recently changed forgotten first: one that comes up again is read from its stream."""

    def __init__(self, capacity: int = 2048) -> None:
        self._capacity = capacity
        self._orders: OrderedDict[UUID, _Tracked] = OrderedDict()

    def unknown(self, facts: Sequence[RecordedFact]) -> dict[UUID, int]:
        """Streams that must be learned before `advance(facts)`, each with the version that follows what is to be learned."""
        first: dict[UUID, int] = {}
        for item in facts:
            if type(item.fact) in ORDER_FACTS:
                first.setdefault(item.stream_id, item.version)
        return {stream_id: version for stream_id, version in first.items() if not self._stands_before(stream_id, version)}

    def _stands_before(self, stream_id: UUID, version: int) -> bool:
        known = self._orders.get(stream_id)
        return version == 1 if known is None else known.order.version == version - 1

    def learn(self, stream: Sequence[RecordedFact]) -> None:
        """Take in an order from the first facts of its stream."""
        tracked = _Tracked(LiveOrder.replay(stream), stream[0].position)
        tracked.note(stream)
        self._orders[stream[0].stream_id] = tracked

    def advance(self, facts: Sequence[RecordedFact]) -> list[OrderChange]:
        """The orders that these facts change, in the order of their first fact here. Facts of anything else are passed over."""
        streams: dict[UUID, list[RecordedFact]] = {}
        for item in facts:
            if type(item.fact) in ORDER_FACTS:
                streams.setdefault(item.stream_id, []).append(item)
        changes = [self._change(stream_id, stream) for stream_id, stream in streams.items()]
        while len(self._orders) > self._capacity:
            self._orders.popitem(last=False)
        return changes

    def _change(self, stream_id: UUID, facts: Sequence[RecordedFact]) -> OrderChange:
        known = self._orders.get(stream_id)
        if known is None:
            self.learn(facts)
            known = self._orders[stream_id]
            return OrderChange(str(stream_id), None, known.order, known.began, known.booked)
        before, known.order = known.order, known.order.apply(facts)
        known.note(facts)
        self._orders.move_to_end(stream_id)
        return OrderChange(str(stream_id), before, known.order, known.began, known.booked)

    def forget(self) -> None:
        """Start anew: a batch was folded in here and not written."""
        self._orders.clear()
