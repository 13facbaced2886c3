"""The log read again: as orders, and as the read models that are made of it."""

from __future__ import annotations

import time
from uuid import UUID

from benchmarks import projections, showing
from benchmarks.places import Place
from liveorder.application.reporting.projector import rare_collections
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore


async def measure(place: Place, orders: int) -> None:
    async with projections.store_of(place.new_url(), orders) as store:
        began = time.perf_counter()
        replayed = await _replay(store)
        rate = orders * 5 / (time.perf_counter() - began)
        assert replayed == orders
    showing.line(f"{place.name:26} {orders:,} orders read, decoded and folded: {rate:,.0f} events/s")
    await projections.measure(place.new_url(), orders)


async def _replay(store: DatabaseOrderStore) -> int:
    streams: dict[UUID, list[RecordedEvent]] = {}
    with rare_collections():
        async for page in store.log():
            for item in page:
                streams.setdefault(item.stream_id, []).append(item)
        return len([LiveOrder.replay(stream) for stream in streams.values()])
