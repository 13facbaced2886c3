"""Keeps a service manager informed of a service: begun, ready, alive, stopping. ADR 75 says what counts as alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from liveorder.application.engine.engine import Engine
from liveorder.application.reporting.figures import plural
from liveorder.infrastructure.service_manager import MICROS, ServiceManager

START_SECONDS = 60.0
"""The manager gives a start that much more with each word from it, so that waiting for the store and recovery may take long."""
BEAT_SECONDS = 10.0
"""Longest interval between two words."""
WRITER_SECONDS = 60.0
"""The store's writer may take this long to answer, beyond the interval at which it is asked. Longer than it takes a lost database
connection to be noticed, since a restart helps against a hang and not against an outage.
"""


class Supervision:
    """Without a manager it does nothing."""

    def __init__(self, manager: ServiceManager | None) -> None:
        self._manager = manager
        self._engine: Engine | None = None
        self._is_stopping = False

    def ready(self, engine: Engine) -> None:
        """It has recovered, and its sources are read from here on."""
        self._engine = engine
        self._tell(READY=1, STATUS=_status(engine))

    def stopping(self) -> None:
        self._is_stopping = True
        self._tell(STOPPING=1, STATUS="Shutting down")

    async def beat_until_stopping(self) -> None:
        """Runs on the event loop, so that a loop that is stuck tells nothing."""
        watchdog = self._manager.watchdog_seconds if self._manager is not None else None
        interval = min(BEAT_SECONDS, watchdog / 4 if watchdog else BEAT_SECONDS)
        while not self._is_stopping:
            self._beat()
            await asyncio.sleep(interval)

    def _beat(self) -> None:
        if self._engine is None:
            self._tell(EXTEND_TIMEOUT_USEC=int(START_SECONDS * MICROS), STATUS="Starting: waiting for the store, or recovering")
        elif writer_answers(self._engine):
            self._tell(READY=1, WATCHDOG=1, STATUS=_status(self._engine))  # ready again: a full socket drops a word
        else:
            self._tell(STATUS="The store's writer does not answer")

    def _tell(self, **lines: str | int) -> None:
        if self._manager is not None:
            self._manager.tell(**lines)


@asynccontextmanager
async def supervised() -> AsyncIterator[Supervision]:
    """Tell the manager that the environment names, if any, from here to the end of the block."""
    supervision = Supervision(ServiceManager.of_environment())
    beating = asyncio.create_task(supervision.beat_until_stopping(), name="supervision")
    try:
        yield supervision
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


def writer_answers(engine: Engine) -> bool:
    """Whether the store's writer answered lately, if only with an error."""
    silent_seconds = engine.clock.monotonic() - engine.ownership.answered_at
    return silent_seconds <= engine.terms.lease_seconds / 3 + WRITER_SECONDS


def _status(engine: Engine) -> str:
    """Figures only: anybody on the machine can read it, and a broker's words may hold what is not theirs to know."""
    unfinished = engine.orders.unfinished()
    in_doubt = sum(order.is_in_doubt for order in unfinished)
    halted = "Trading is halted, `liveorder status` says why; " if engine.halts.standing() else ""
    return f"{halted}{plural(len(unfinished), 'unfinished order')}, {in_doubt} in doubt"
