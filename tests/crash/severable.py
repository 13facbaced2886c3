"""A broker whose connection is lost from when a test says so until it says that it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.execution_report import ExecutionReport
from tests.crash.process_crash_point import QUESTIONS, REQUESTS
from tests.harness.defects import Altered

_CALLS = (*REQUESTS, *QUESTIONS, "account")


class SeverableBroker(Altered):
    """Calls fail as where there is no route, and the stream of reports ends."""

    def __init__(self, port: Any) -> None:
        super().__init__(port)
        self._severed = asyncio.Event()

    def sever(self) -> None:
        self._severed.set()

    def mend(self) -> None:
        self._severed.clear()

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return self._unless_severed(found) if name in _CALLS else found

    def _unless_severed(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def called(*args: Any) -> Any:
            if self._severed.is_set():
                raise BrokerConnectionError("no route to the broker")
            return await call(*args)

        return called

    async def reports(self) -> AsyncIterator[ExecutionReport]:
        reports, severed = aiter(self._port.reports()), asyncio.ensure_future(self._severed.wait())
        coming: asyncio.Future[ExecutionReport | None] | None = None
        try:
            while not severed.done():
                coming = asyncio.ensure_future(anext(reports, None))
                await asyncio.wait({coming, severed}, return_when=asyncio.FIRST_COMPLETED)
                report = coming.result() if coming.done() else None
                if report is None:
                    return
                yield report
        finally:
            severed.cancel()
            if coming is not None and not coming.done():
                coming.cancel()
                await asyncio.wait({coming})
