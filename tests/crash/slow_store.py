"""A database whose commits take their time, as on a disk that others use: those of events, and those of the lease as well."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from liveorder.infrastructure.eventstore.database import Database, Row, Values
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction


class SlowDatabase:
    """A `Database`. What is written is durable somewhere within up to `longest_seconds`."""

    def __init__(self, database: Database, longest_seconds: float) -> None:
        self._database, self._longest_seconds = database, longest_seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        await self._take_time()
        try:
            return await self._database.transact(transaction)
        finally:
            await self._take_time()

    async def write(self, statement: str, values: Values) -> list[Row]:
        await self._take_time()
        return await self._database.write(statement, values)

    async def _take_time(self) -> None:
        await asyncio.sleep(random.uniform(0, self._longest_seconds / 2))
