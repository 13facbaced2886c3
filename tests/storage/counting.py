"""How many statements a migration runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from liveorder.infrastructure.eventstore.database import Database, DatabaseSession, T


class CountingDatabase:
    """A `Database` that counts the calls of each method of the sessions that change it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        return await self._database.migrate(lambda session: change(_CountingSession(session, self.statements)))


class _CountingSession:
    """A `DatabaseSession`."""

    def __init__(self, session: DatabaseSession, statements: Counter[str]) -> None:
        self._session, self._statements = session, statements

    def __getattr__(self, name: str) -> Any:
        self._statements[name] += 1
        return getattr(self._session, name)
