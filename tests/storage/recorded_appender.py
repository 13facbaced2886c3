"""Run as a process with the failing disk under it: appends, while everything that is asked of the disk is written down.

Its one argument is JSON: the store's file, where to write the record, how many orders, how many appenders, and after how many syncs
the next one fails, if any shall. Says what is durable on standard output, as `<stream> <last version>`; that is in the record too.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from uuid import uuid4

from liveorder.application.ports.order_store import Commit
from liveorder.domain.errors import StoreUnavailable
from liveorder.infrastructure.eventstore import sqlite_writer
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from tests.contract.event_stores import EXPECTED, MAPPER, CountingLedger, WallClock, claim, entry, recorded
from tests.storage.failing_disk import SYNC, FailingDisk, Fault

PAGES_BETWEEN_CHECKPOINTS = 50
"""Few, so that a short record holds many checkpoints, and the log that follows each begins anew."""


def connect(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    connection = sqlite_writer.connect(path, busy_timeout_seconds)
    connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_BETWEEN_CHECKPOINTS}")
    return connection


async def append_orders(store: DatabaseOrderStore, turns: Iterator[None]) -> None:
    for _ in turns:
        order_id = uuid4()
        first = (recorded(order_id, 1), recorded(order_id, 2))
        begun = Commit(first, claim=claim(order_id, str(order_id)), is_open=True, entries=(entry("orders"),))
        later = [Commit((recorded(order_id, n),), is_open=n < 4, entries=(entry("fills"),)) for n in (3, 4)]
        for commit in (begun, *later):
            await insist(store, commit)
            last = commit.events[-1]
            os.write(1, f"{last.stream_id} {last.version}\n".encode())


async def insist(store: DatabaseOrderStore, commit: Commit) -> None:
    while True:
        try:
            await store.append(commit)
        except StoreUnavailable:
            continue
        return


async def fail_syncs(disk: FailingDisk, every: int) -> None:
    while True:
        disk.fail(Fault(SYNC, errno.EIO, after=every))
        while disk.calls <= every:  # noqa: ASYNC110 - the disk tells nobody
            await asyncio.sleep(0)


async def main(path: str, record: str, orders: int, appenders: int, fails_every: int) -> None:
    store = DatabaseOrderStore(
        SQLiteDatabase(Path(path), WallClock(), Placement.INLINE, connect=connect), MAPPER, WallClock(), EXPECTED
    )
    disk = FailingDisk(Path(path))
    disk.record(Path(record))
    await store.open(CountingLedger())
    assert await store.lease.acquire("recorded", -1) is not None
    failing = asyncio.create_task(fail_syncs(disk, fails_every)) if fails_every else None
    turns = repeat(None, orders)
    await asyncio.gather(*(append_orders(store, turns) for _ in range(appenders)))
    if failing is not None:
        failing.cancel()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
