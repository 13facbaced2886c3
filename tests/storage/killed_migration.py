"""Run as a process of its own: kills a migration before each of its statements in turn, and says how many there were.

Arguments: the store's URL. Each line is what the store's schema version was after the death.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.database import Database, DatabaseSession, T
from liveorder.infrastructure.eventstore.identity import schema_version_of
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.store_by_url import database_at


class _DyingSession:
    """A `DatabaseSession` that is killed before its `nth` statement, or before the commit if it has fewer."""

    def __init__(self, session: DatabaseSession, nth: int) -> None:
        self._session, self._left = session, nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in ("execute", "insert_new", "replace_append_function"):
            return found

        async def counted(*arguments: Any) -> Any:
            self._left -= 1
            if not self._left:
                die()
            return await found(*arguments)

        return counted

    @property
    def is_done(self) -> bool:
        """Whether it had fewer statements than that."""
        return self._left > 0


class _DyingDatabase:
    """A `Database` whose migration dies at a statement, and with `nth` 0 once it is committed."""

    def __init__(self, database: Database, nth: int) -> None:
        self._database, self._nth = database, nth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        async def dying(session: DatabaseSession) -> T:
            mortal = _DyingSession(session, self._nth)
            result = await change(mortal)
            if self._nth and mortal.is_done:
                os.write(1, b"all statements\n")
                die()
            return result

        result = await self._database.migrate(dying)
        die()
        return result


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(url: str, nth: int) -> None:
    """In a process of its own."""
    if (child := os.fork()) == 0:
        asyncio.run(migrate(_DyingDatabase(database_at(url, SystemClock()), nth), "dying"))
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, status


async def version_at(url: str) -> int:
    database = database_at(url, SystemClock())
    await database.open()
    try:
        return await schema_version_of(database)
    finally:
        await database.close()


def main(url: str, most: int = 200) -> None:
    read, write = os.pipe()
    said = os.dup(1)
    os.dup2(write, 1)
    os.set_blocking(read, False)
    for nth in range(1, most):
        killed_at(url, nth)
        os.write(said, f"{nth} {asyncio.run(version_at(url))}\n".encode())
        try:
            is_last = bool(os.read(read, 100))
        except BlockingIOError:
            is_last = False
        if is_last:
            break
    killed_at(url, 0)
    os.write(said, f"committed {asyncio.run(version_at(url))}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
