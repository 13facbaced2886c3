"""A database that counts its transactions, so that ours can be set beside raw ones of the same size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liveorder.infrastructure.eventstore.database import Database
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction


class CountingDatabase:
    """A `Database` in front of another."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sizes: list[int] = []
        """Events of each transaction."""
        self.first_commit: Transaction | None = None
        """The newest one that began an order."""

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        self.sizes.append(sum(len(each.events) for each in transaction.drafts))
        if transaction.claims():
            self.first_commit = transaction
        return await self._database.transact(transaction)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return getattr(self._database, name)
