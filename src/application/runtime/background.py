"""Tasks that run for as long as the engine does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import LeaseLost

RESTART_SECONDS = 1.0
"""A background task that failed is begun again after this."""
CANCEL_AGAIN_SECONDS = 0.5
"""A task that has not ended after a cancel is cancelled again after this."""

Work = Callable[[], Awaitable[None]]


class BackgroundTasks:
    """One that fails is logged and begun again. `on_lease_lost` hears of a store that is no longer ours."""

    def __init__(self, clock: Clock, log: ActivityLog, on_lease_lost: Callable[[str], None]) -> None:
        self._clock, self._log, self._on_lease_lost = clock, log, on_lease_lost
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()

    def begin(self, name: str, work: Work, *, lasting: bool = False) -> None:
        """Run it until `end`; a `lasting` one until `end_lasting`."""
        tasks = self._lasting if lasting else self._tasks
        task = asyncio.create_task(self._supervised(name, work), name=name)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _supervised(self, name: str, work: Work) -> None:
        while True:
            try:
                return await work()
            except LeaseLost as error:
                return self._on_lease_lost(str(error))
            except Exception as error:  # noqa: BLE001 - one task's failure must not end the others; it is logged and begun again
                self._log.write("ERROR", f"{name} failed: {type(error).__name__}: {error}")
                await self._clock.sleep(RESTART_SECONDS)

    @property
    def running(self) -> Sequence[asyncio.Task[None]]:
        return [*self._tasks, *self._lasting]

    async def end(self, others: Callable[[], Sequence[asyncio.Task[Any]]]) -> None:
        """End all that do not last, and `others` with them."""
        await _ended(lambda: [*self._tasks, *others()])

    async def end_lasting(self) -> None:
        await _ended(lambda: list(self._lasting))


async def _ended(running: Callable[[], Sequence[asyncio.Task[Any]]]) -> None:
    """Told until they do: a cancellation can be lost on its way (`asyncio.wait_for` of Python 3.11 loses it to a result)."""
    while tasks := running():
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)
