"""Requests of other processes as rows. Asking needs no lease: any process that can write the store can ask its owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from liveorder.application.ports.order_store import StoredCommand
from liveorder.infrastructure.eventstore.database import Database, Row
from liveorder.infrastructure.eventstore.moments import moment_of, text_of

_INSERT = """INSERT INTO commands (command_id, kind, arguments, actor, created_at, answer)
    VALUES (:command_id, :kind, :arguments, :actor, :created_at, :answer) ON CONFLICT DO NOTHING"""
_PENDING = """SELECT command_id, kind, arguments, actor, created_at, answer FROM commands
    WHERE answer IS NULL ORDER BY created_at, command_id"""
_ANSWER = """UPDATE commands SET answer=:answer
    WHERE command_id=:command_id AND answer IS NULL AND (SELECT epoch FROM lease) = :epoch"""
_FIND = "SELECT command_id, kind, arguments, actor, created_at, answer FROM commands WHERE command_id=:command_id"


class CommandTable:
    """A `Commands`. `epoch` returns the fencing token of its answers; 0 is no owner's."""

    def __init__(self, database: Database, epoch: Callable[[], int] = lambda: 0) -> None:
        self._database, self._epoch = database, epoch

    async def insert(self, command: StoredCommand) -> None:
        values = {
            "command_id": str(command.command_id),
            "kind": command.kind,
            "arguments": command.arguments,
            "actor": command.actor,
            "created_at": text_of(command.created_at),
            "answer": command.answer,
        }
        await self._database.write(_INSERT, values)

    async def pending(self) -> Sequence[StoredCommand]:
        """Oldest first."""
        return [_command(row) for row in await self._database.fetch(_PENDING)]

    async def answer(self, command_id: UUID, answer: str) -> None:
        """Store the answer. The first answer stands; an answer of a process that lost the store is ignored."""
        await self._database.write(_ANSWER, {"command_id": str(command_id), "answer": answer, "epoch": self._epoch()})

    async def find(self, command_id: UUID) -> StoredCommand | None:
        rows = await self._database.fetch(_FIND, {"command_id": str(command_id)})
        return _command(rows[0]) if rows else None


def _command(row: Row) -> StoredCommand:
    command_id, kind, arguments, actor, created_at, answer = row
    return StoredCommand(UUID(command_id), kind, arguments, actor, moment_of(created_at), answer)
