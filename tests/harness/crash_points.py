"""A crash at a chosen boundary: just before or just after the n-th commit or broker call of a life of the service.

The ports are wrapped in the test's own composition; the product knows nothing of it. After the crash nothing of that life reaches
store or broker any more, as after SIGKILL; what a caller in that life then does is of no consequence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.order_store import OrderStore


class Crashed(BaseException):
    """Ends what a life is doing when it crashes. Not an `Exception`: nothing that handles failures may handle this."""


class CrashPoint:
    """Counts the boundaries that a life passes, and crashes it at number `at`; None: it only counts."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.passed, self.names = at, 0, list[str]()
        self.is_reached = False

    def boundary(self, name: str) -> None:
        if self.is_reached:
            raise Crashed
        self.names.append(name)
        if self.passed == self.at:
            self.is_reached = True
            raise Crashed
        self.passed += 1

    def around(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def bounded(*args: Any, **kwargs: Any) -> Any:
            self.boundary(f"before {name}")
            result = await call(*args, **kwargs)
            self.boundary(f"after {name}")
            return result

        return bounded


class CrashingPort:
    """A port whose calls named by `bounded` have a boundary before and after them. After the crash only `close` works."""

    def __init__(self, port: Any, crash_point: CrashPoint, bounded: tuple[str, ...]) -> None:
        self._port, self._crash_point, self._bounded = port, crash_point, bounded

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name in self._bounded:
            return self._crash_point.around(name, found)
        if self._crash_point.is_reached and name != "close":
            raise Crashed
        return found


def crashing_store(store: OrderStore, crash_point: CrashPoint) -> Any:
    return CrashingPort(store, crash_point, ("append",))


def crashing_broker(broker: Broker, crash_point: CrashPoint) -> Any:
    return CrashingPort(broker, crash_point, ("submit", "cancel", "replace"))


def background_tasks(engine: Engine) -> list[asyncio.Task[None]]:
    """What runs in the background now, the dispatcher's work included."""
    return [*engine.tasks.running, *engine.dispatcher.running]


async def abandon(engine: Engine) -> None:
    """End whatever still runs of a crashed life without a shutdown; its files are closed, as by the kernel."""
    tasks = background_tasks(engine)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.store.close()
