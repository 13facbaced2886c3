"""Death at a chosen boundary: just before or just after the n-th commit or broker call of a life.

Wraps the ports in the test's own composition; the product knows nothing of it. After death nothing of that life reaches store or
broker any more, as after SIGKILL; what a caller in that life then does is of no consequence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.order_store import OrderStore


class Died(BaseException):
    """Not an `Exception`: nothing that handles failures may handle this."""


class Mortality:
    """Counts boundaries of a life; `fatal` is the one at which it ends, None for a life that only counts."""

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal, self.passed, self.names = fatal, 0, list[str]()
        self.is_dead = False

    def boundary(self, name: str) -> None:
        if self.is_dead:
            raise Died
        self.names.append(name)
        if self.passed == self.fatal:
            self.is_dead = True
            raise Died
        self.passed += 1

    def around(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def mortal(*args: Any, **kwargs: Any) -> Any:
            self.boundary(f"before {name}")
            result = await call(*args, **kwargs)
            self.boundary(f"after {name}")
            return result

        return mortal


class Mortal:
    """A port whose `deadly` methods are boundaries; the others work until death, and `close` after it."""

    def __init__(self, port: Any, mortality: Mortality, deadly: tuple[str, ...]) -> None:
        self._port, self._mortality, self._deadly = port, mortality, deadly

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name in self._deadly:
            return self._mortality.around(name, found)
        if self._mortality.is_dead and name != "close":
            raise Died
        return found


def mortal_store(store: OrderStore, mortality: Mortality) -> Any:
    return Mortal(store, mortality, ("append",))


def mortal_broker(broker: Broker, mortality: Mortality) -> Any:
    return Mortal(broker, mortality, ("submit", "cancel", "replace"))


def every_task(engine: Engine) -> list[asyncio.Task[None]]:
    """What runs in the background now, the desk's work included."""
    return [*engine.tasks.running, *engine.dispatcher.running]


async def bury(engine: Engine) -> None:
    """End whatever still runs of a dead life, without any of the good order of `stop`; its files are closed, as by the kernel."""
    tasks = every_task(engine)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await engine.store.close()
