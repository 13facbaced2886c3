"""A crash point of a real process: just before or just after a commit, a call to the broker, or a hold on the lease."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from liveorder.application.ports.order_store import Commit
from tests.harness.crash_points import CrashPoint

Emit = Callable[..., None]

STORE = ("append", "save_checkpoint", "insert_halt")
LEASE = ("acquire", "renew", "release")
REQUESTS = ("submit", "cancel", "replace")
QUESTIONS = ("connect", "find", "open_orders", "executions_since", "positions")
NOTIFIER = ("notify",)


class ProcessCrashPoint(CrashPoint):
    """Names each boundary by what is stored or sent and how often that came before: `after append Acknowledged #1`.

    `crash_at` is such a name, or `#n` for whichever boundary is the n-th; None for a life that only counts. That it is
    struck is emitted just before.
    """

    def __init__(self, emit: Emit, crash_at: str | None = None, crash_signal: signal.Signals = signal.SIGKILL) -> None:
        super().__init__()
        self._emit, self._struck_at, self._signal = emit, crash_at, crash_signal
        self.renewing = asyncio.Lock()
        self._counts: Counter[str] = Counter()

    def around(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def bounded(*args: Any, **kwargs: Any) -> Any:
            what = " ".join([name, *_contents(args)])
            await self._pass(f"before {what}")
            result = await call(*args, **kwargs)
            await self._pass(f"after {what}")
            return result

        return bounded

    async def _pass(self, name: str) -> None:
        self._counts[name] += 1
        label = f"{name} #{self._counts[name]}"
        self.names.append(label)
        if self._struck_at in (label, f"#{len(self.names)}"):
            self._emit(event="struck", boundary=label, signal=self._signal.name, monotonic=time.monotonic())
            await self.strike()

    async def inside(self, name: str) -> None:
        """Not a boundary, since no commit and no call lies behind it: a point within a call, passed only to be struck at."""
        if self._struck_at == f"inside {name}":
            self._emit(event="struck", boundary=self._struck_at)
            await self.strike()

    async def strike(self) -> None:
        """SIGKILL at once. A pause waits for a renewal of the lease: who is stopped inside one keeps SQLite locked."""
        if self._signal == signal.SIGKILL:
            os.kill(os.getpid(), signal.SIGKILL)
        async with self.renewing:
            os.kill(os.getpid(), self._signal)

    def undisturbed(self, renew: Callable[[float], Awaitable[bool]]) -> Callable[[float], Awaitable[bool]]:
        async def renewed(seconds: float) -> bool:
            async with self.renewing:
                return await renew(seconds)

        return renewed


def kind_of(label: str) -> str:
    """The boundary, however often it was passed before: `after append Acknowledged`."""
    return label.rpartition(" #")[0]


def places_of(label: str) -> list[tuple[str, str]]:
    """Before or after, and the call; of an append, one for each kind of event in it."""
    when, call, *events = kind_of(label).split()
    return [(when, f"{call} {event}") for event in events[0].split("+")] if events else [(when, call)]


def _contents(args: tuple[Any, ...]) -> list[str]:
    if args and isinstance(args[0], Commit):
        return ["+".join(recorded.event.shown_name for recorded in args[0].events)]
    return []
