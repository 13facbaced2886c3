"""Run as a process of its own and killed: appends without end, and says which commits were reported as durable.

Arguments: the store's URL, the placement, how many appenders. A line is `<stream> <last version>`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import uuid4

from liveorder.application.ports.order_store import Commit
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.contract.event_stores import MAPPER, CountingLedger, WallClock, claim, entry, recorded


async def append_orders(store: DatabaseOrderStore) -> None:
    """Order after order, of three commits each."""
    while True:
        order_id = uuid4()
        await acknowledged(
            store,
            Commit(
                (recorded(order_id, 1), recorded(order_id, 2)),
                claim=claim(order_id, str(order_id)),
                is_open=True,
                entries=(entry("orders"),),
            ),
        )
        for version in (3, 4):
            await acknowledged(store, Commit((recorded(order_id, version),), is_open=version < 4, entries=(entry("fills"),)))


async def acknowledged(store: DatabaseOrderStore, commit: Commit) -> None:
    await store.append(commit)
    last = commit.events[-1]
    os.write(1, f"{last.stream_id} {last.version}\n".encode())


async def main(url: str, placement: str, appenders: int) -> None:
    store = store_at(url, clock=WallClock(), placement=Placement(placement), mapper=MAPPER)
    await store.open(CountingLedger())
    if await store.lease.acquire(f"process {os.getpid()}", -1) is None:
        raise SystemExit("the lease is held")
    async with asyncio.TaskGroup() as group:
        for _ in range(appenders):
            group.create_task(append_orders(store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
