"""Queues for TWS's messages: the feed of reports, and requests that wait for their answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import ExecutionReport
from liveorder.infrastructure.brokers.ibkr.rows import TwsOrder

Answer = Sequence[ExecutionReport] | BrokerError
"""The outcome of a request."""


class TwsFeed:
    """The reports between one connect and the next, buffered without bound until they are read."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[ExecutionReport | None] = asyncio.Queue()

    def put(self, report: ExecutionReport) -> None:
        self._reports.put_nowait(report)

    def end(self) -> None:
        self._reports.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[ExecutionReport]:
        while (report := await self._reports.get()) is not None:
            yield report


@dataclass(frozen=True, slots=True, eq=False)
class Awaited:
    """A request about an order that is in flight. Both readers return None for a message that does not answer it."""

    answered_by: Callable[[TwsOrder], Sequence[ExecutionReport] | None]
    answered_by_error: Callable[[int, str], Answer | None]
    outcome: asyncio.Future[Sequence[ExecutionReport]]

    def takes(self, answer: Answer | None) -> bool:
        if answer is None or self.outcome.done():
            return False
        if isinstance(answer, BrokerError):
            self.outcome.set_exception(answer)
        else:
            self.outcome.set_result(answer)
        return True
