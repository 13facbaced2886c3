"""Messages of TWS's as they stand on the wire, told over a socket to the adapter and to the vendor's client inside it.

A message is written as its fields with bars between them, as TWS logs it. `#` is the number of the request that it answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.execution_report import ExecutionReport
from liveorder.infrastructure.brokers.ibkr.assembly import brokerage
from liveorder.infrastructure.settings.sections import Ibkr
from tests.twins.ibkr import wire
from tests.unit.ibkr.quiet_log import QuietLog
from tests.unit.ibkr.scene import access

UNKNOWN = "4|2|#|200|No security definition has been found for the request||"
_OPEN, _ALL_OPEN, _COMPLETED, _EXECUTIONS, _POSITIONS = "5", "16", "99", "7", "61"
_SUMMARY, _DETAILS, _RULE, _START = "62", "9", "91", "71"


@dataclass
class Canned:
    """What TWS says, whoever asks."""

    open_orders: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    details: dict[str, list[str]] = field(default_factory=dict)
    """By contract id, and by symbol."""
    rules: dict[str, str] = field(default_factory=dict)
    accounts: str = "DU7654321,"
    sent: list[list[str]] = field(default_factory=list)
    """What the adapter sent."""
    told: list[ExecutionReport] = field(default_factory=list)
    """What `reports()` gave."""
    log: QuietLog = field(default_factory=QuietLog)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """The adapter hung up."""
    _writer: asyncio.StreamWriter | None = None

    def push(self, *messages: str) -> None:
        """Unasked, in one piece."""
        assert self._writer is not None
        self._writer.write(b"".join(wire.framed(message.split("|")) for message in messages))

    async def until_told(self, number: int) -> list[ExecutionReport]:
        async with asyncio.timeout(5):
            while len(self.told) < number:  # noqa: ASYNC110 - between two sides of a socket there is no event to share
                await asyncio.sleep(0.01)
        return self.told

    async def read(self, broker: Any) -> None:
        async for report in broker.reports():
            self.told.append(report)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await wire.shake_hands(reader, writer)
            while True:
                fields = await wire.read_message(reader)
                self.sent.append(fields)
                self.push(*self._answers(fields))
        writer.close()
        self.ended.set()

    def _answers(self, fields: list[str]) -> Iterable[str]:
        match fields[0]:
            case kind if kind == _START:
                return f"15|1|{self.accounts}", "9|1|7"
            case kind if kind in (_OPEN, _ALL_OPEN):
                return *self.open_orders, "53|1"
            case kind if kind == _COMPLETED:
                return *self.completed, "102"
            case kind if kind == _POSITIONS:
                return *self.positions, "62|1"
            case kind if kind == _EXECUTIONS:
                return self._numbered(fields[2], [*self.executions, "55|1|#"])
            case kind if kind == _SUMMARY:
                return self._numbered(fields[2], [*self.summary, "64|1|#"])
            case kind if kind == _DETAILS:
                found = self.details.get(fields[3]) or self.details.get(fields[4])
                return self._numbered(fields[2], [UNKNOWN] if found is None else [*found, "52|1|#"])
            case kind if kind == _RULE and fields[1] in self.rules:
                return (self.rules[fields[1]],)
        return ()

    def _numbered(self, number: str, messages: Iterable[str]) -> list[str]:
        return [message.replace("#", number) for message in messages]


@asynccontextmanager
async def connected(canned: Canned, **section: Any) -> AsyncIterator[Brokerage]:
    server = await asyncio.start_server(canned.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = brokerage(access(log=canned.log), Ibkr.model_validate({"host": "127.0.0.1", "port": port} | section))
    try:
        await made.broker.connect()
        reading = asyncio.create_task(canned.read(made.broker))
        yield made
    finally:
        await made.broker.close()
        await canned.ended.wait()
        server.close()
        await server.wait_closed()
    await reading
