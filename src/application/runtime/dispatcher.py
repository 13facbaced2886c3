"""What comes in, in lanes: an operator before the brokers' reports, reports before signals.

Only signals are bounded: when they come faster than they can be stored and sent, their source waits; nothing else ever does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from decimal import localcontext
from enum import IntEnum
from typing import Any, TypeVar

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.domain.errors import LiveOrderError, StoppedBefore
from liveorder.domain.values import USUAL

T = TypeVar("T")
BURST = 64
"""Pieces of work begun before the event loop gets a turn."""

Work = Callable[[], Awaitable[Any]]


class Lane(IntEnum):
    """Lower goes first."""

    OPERATOR = 0
    REPORTS = 1
    SIGNALS = 2


class Dispatcher:
    """Begins work in lane order; work that was begun runs side by side."""

    def __init__(self, log: ActivityLog, *, signals_at_once: int = 256) -> None:
        self._log = log
        self._lanes: tuple[deque[Work], ...] = tuple(deque() for _ in Lane)
        self._work_came = asyncio.Event()
        self._signal_slots = asyncio.Semaphore(signals_at_once)
        self.running: set[asyncio.Task[Any]] = set()
        self.is_taking_signals = True

    def post(self, lane: Lane, work: Work) -> None:
        """Have it done in turn; a failure is logged."""
        self._lanes[lane].append(work)
        self._work_came.set()

    async def post_signal(self, work: Work) -> None:
        """As `post` in the signals' lane, once there is room."""
        await self._signal_slots.acquire()

        async def and_make_room() -> None:
            try:
                await work()
            finally:
                self._signal_slots.release()

        self.post(Lane.SIGNALS, and_make_room)

    async def done(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a caller's work, begun at once; a caller that goes away leaves it running.

        Raises what the work raises, and `StoppedBefore` when we stop first.
        """
        with localcontext(USUAL):
            task = asyncio.create_task(work)
        self._keep(task)
        await asyncio.wait([task])
        if task.cancelled():
            raise StoppedBefore
        return task.result()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self.running.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        """Its error is the caller's, who may have gone away: the event loop is not to report it as forgotten."""
        self.running.discard(task)
        if not task.cancelled():
            task.exception()

    async def dispatch_for_ever(self) -> None:
        while True:
            await self._work_came.wait()
            for _ in range(BURST):
                if not self._begin_next():
                    self._work_came.clear()
                    break
            await asyncio.sleep(0)

    def _begin_next(self) -> bool:
        for name, lane in zip(Lane, self._lanes, strict=True):
            if lane and (self.is_taking_signals or name is not Lane.SIGNALS):
                self._keep(asyncio.create_task(self._safely(lane.popleft())))
                return True
        return False

    async def _safely(self, work: Work) -> None:
        try:
            await work()
        except LiveOrderError as error:
            self._log.write("ERROR", str(error), error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one piece of work must not end the others; it is logged whole
            self._log.write("ERROR", f"Unexpected {type(error).__name__}: {error}", error=type(error).__name__)

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nothing runs."""
        return not self.running and not any(self._lanes)

    async def drain(self, seconds: float) -> int:
        """Let what was begun end, for at most so long; how much was still running then."""
        if self.running:
            await asyncio.wait(set(self.running), timeout=seconds)
        return len(self.running)
