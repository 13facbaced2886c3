"""Those who wait for what TWS tells: readers of reports, and requests for their answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from liveorder.domain.errors import BrokerError
from liveorder.domain.execution_report import ExecutionReport
from liveorder.infrastructure.brokers.ibkr.rows import TwsOrder

Told = Sequence[ExecutionReport] | BrokerError
"""What became of a request."""


class TwsFeed:
    """Reports from a connect to the next, buffered without bound until they are read."""

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
    """A request about an order that is under way. Both readings give None for what is no answer to it."""

    answered_by: Callable[[TwsOrder], Sequence[ExecutionReport] | None]
    answered_by_error: Callable[[int, str], Told | None]
    outcome: asyncio.Future[Sequence[ExecutionReport]]

    def takes(self, told: Told | None) -> bool:
        if told is None or self.outcome.done():
            return False
        if isinstance(told, BrokerError):
            self.outcome.set_exception(told)
        else:
            self.outcome.set_result(told)
        return True
